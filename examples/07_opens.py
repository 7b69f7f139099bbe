"""Files that processes of this machine open, as they do it: process, flags, name. It ends with Ctrl-C.

python examples/07_opens.py [--for SECONDS]
"""

import argparse
import time
from contextlib import suppress

import skep


class Open(skep.Record):
    pid: skep.u32
    how: skep.u32
    comm: skep.char[16]
    name: skep.char[96]


opens = skep.Ring(Open)


@skep.tracepoint("syscalls/sys_enter_openat")
def on_open(ctx):
    event = opens.reserve()
    if event is None:
        return
    event.pid = skep.u32(skep.get_current_pid_tgid() >> 32)
    event.how = skep.u32(ctx.flags)
    skep.get_current_comm(event.comm)
    skep.probe_read_user_str(event.name, ctx.filename)
    event.submit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--for", dest="seconds", type=float, default=float("inf"))
    end = time.monotonic() + parser.parse_args().seconds
    with skep.load(on_open) as live, suppress(KeyboardInterrupt):
        print(f"{'PID':>8} {'COMMAND':16} {'FLAGS':>8} NAME", flush=True)
        while (left := end - time.monotonic()) > 0:
            for event in live[opens].poll(min(1, left)):
                print(f"{event.pid:8} {event.comm:16} {event.how:8o} {event.name}", flush=True)
        if live[opens].lost:
            print(f"{live[opens].lost} were lost: the ring was full")


if __name__ == "__main__":
    main()
