"""Where tasks wait: the kernel's stacks by the time off the CPU, folded, as flame graphs take them.

A line is a process and its stack, outermost first, then microseconds. Only waits that end meanwhile are counted, and
no task that was merely pushed aside. The time at which a task went lies in a storage of the task: it goes with it.

    python examples/11_offcputime.py [--for SECONDS] >stacks.txt
"""

import argparse
import bisect
import sys
import time
from contextlib import suppress

import skep

RUNNING, DEAD, STACKS = 0, 0x80, 16384


class Waiter(skep.Struct):
    stack: skep.u32
    pid: skep.u32
    comm: skep.char[16]


class Wait(skep.Struct):
    since: skep.u64
    at: Waiter


waits = skep.TaskStorage(Wait)
stacks = skep.StackTraces(64, STACKS)
times = skep.Hash(Waiter, skep.u64, STACKS)
missed = skep.PerCpuArray(skep.u64, 1)


@skep.tp_btf("sched_switch")
def on_switch(preempt, prev, next, prev_state):  # noqa: A002 - the kernel's name
    now = skep.ktime_get_ns()
    if not preempt and prev_state != RUNNING and not prev_state & DEAD and prev.tgid:
        begun = waits.get(prev)
        stack = skep.get_stackid(stacks, 0)
        if begun is None or stack < 0:
            missed.increment(0)
        else:
            begun.since = now
            begun.at = Waiter(skep.u32(stack), prev.tgid, prev.comm)
    wait = waits.lookup(next)
    if wait is not None and wait.since:
        times.increment(wait.at, now - wait.since)
        wait.since = 0


class Symbols:
    """Names of the kernel's functions by address."""

    def __init__(self) -> None:
        with open("/proc/kallsyms", encoding="ascii") as file:
            rows = (line.split() for line in file)
            found = sorted((int(at, 16), name) for at, kind, name, *_ in rows if kind in "tT")
        self.addresses, self.names = [a for a, _ in found], [n for _, n in found]

    def __getitem__(self, address: int) -> str:
        at = bisect.bisect_right(self.addresses, address) - 1
        return self.names[at] if at >= 0 else hex(address)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--for", dest="seconds", type=float, default=1e9)
    seconds = parser.parse_args().seconds
    with skep.load(on_switch) as live:
        with suppress(KeyboardInterrupt):
            time.sleep(seconds)
        symbols, counted = Symbols(), dict(live[times].items())
        for waiter, ns in counted.items():
            frames = [symbols[address] for address in live[stacks][waiter.stack] if address]
            print(";".join([f"{waiter.comm}-{waiter.pid}", *reversed(frames)]), ns // 1000)
        if (lost := sum(live[missed][0])) or len(counted) == STACKS:
            print(f"{lost} or more waits are missing: there was no room", file=sys.stderr)


if __name__ == "__main__":
    main()
