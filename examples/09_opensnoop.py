"""Who opens what, and what came of it: process, descriptor or error, name. It ends with Ctrl-C.

A call is noted when it begins and told when it is over. One that began unseen is not told, and one that never ends
is forgotten: the table of calls keeps those that were used last.

    python examples/09_opensnoop.py [--for SECONDS]
"""

import argparse
import errno
import time
from contextlib import suppress

import skep


class Opened(skep.Record):
    pid: skep.u32
    result: skep.s32
    comm: skep.char[16]
    name: skep.char[192]


opens = skep.Ring(Opened)
names = skep.LruHash(skep.u64, skep.u64, 10240)


@skep.syscall("open")
def on_open(filename):
    names[skep.get_current_pid_tgid()] = filename


@skep.syscall("openat", "openat2")
def on_openat(filename):
    names[skep.get_current_pid_tgid()] = filename


@skep.syscall_exit("open", "openat", "openat2")
def on_opened(result):
    thread = skep.get_current_pid_tgid()
    name = names.lookup(thread)
    if name is None:
        return
    event = opens.reserve()
    if event is not None:
        event.pid = skep.u32(thread >> 32)
        event.result = skep.s32(result)
        skep.get_current_comm(event.comm)
        skep.probe_read_user_str(event.name, name[0])
        event.submit()
    del names[thread]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--for", dest="seconds", type=float, default=float("inf"))
    end = time.monotonic() + parser.parse_args().seconds
    with skep.load(on_open, on_openat, on_opened) as live, suppress(KeyboardInterrupt):
        print(f"{'PID':>8} {'COMMAND':16} {'RESULT':>8} NAME", flush=True)
        while (left := end - time.monotonic()) > 0:
            for event in live[opens].poll(min(1, left)):
                result = errno.errorcode.get(-event.result, event.result)
                print(f"{event.pid:8} {event.comm:16} {result:>8} {event.name}", flush=True)
        if live[opens].lost:
            print(f"{live[opens].lost} were lost: the ring was full")


if __name__ == "__main__":
    main()
