"""System calls by process, counted in the kernel: the ten busiest processes, anew each second, until Ctrl-C.

python examples/02_syscalls.py [--for SECONDS]
"""

import argparse
import time
from contextlib import suppress

import skep


class Calls(skep.Struct):
    count: skep.u64
    comm: skep.char[16]


calls = skep.LruHash(skep.u32, Calls, 4096)


@skep.tp_btf("sys_enter")
def on_call(regs, number):
    pid = skep.u32(skep.get_current_pid_tgid() >> 32)
    known = calls.lookup(pid)
    if known is not None:
        skep.atomic_add(known.count, 1)
        return
    first = Calls(count=1)
    skep.get_current_comm(first.comm)
    calls[pid] = first


def table(counted: dict[int, Calls], before: dict[int, int]) -> str:
    """The busiest processes since ``before``."""
    rows = [(c.count - before.get(pid, 0), pid, c.comm) for pid, c in counted.items()]
    lines = [f"{'CALLS/S':>9} {'PID':>8} COMMAND"]
    lines += [f"{count:9} {pid:8} {comm}" for count, pid, comm in sorted(rows)[:-11:-1]]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--for", dest="seconds", type=float, default=float("inf"))
    end = time.monotonic() + parser.parse_args().seconds
    with skep.load(on_call) as live, suppress(KeyboardInterrupt):
        before: dict[int, int] = {}
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(1, left))
            counted = dict(live[calls].items())
            print(table(counted, before), end="\n\n", flush=True)
            before = {pid: one.count for pid, one in counted.items()}


if __name__ == "__main__":
    main()
