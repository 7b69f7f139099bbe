"""Where tasks wait: the kernel's stacks by the time off the CPU, folded, as flame graphs take them.

A line is a process and its stack, outermost first, then microseconds. Only waits that end meanwhile are counted, and
no task that was merely pushed aside. The time at which a task went lies in a storage of the task: it goes with it.

    python examples/11_offcputime.py [--for SECONDS] >stacks.txt
"""

import argparse
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
        if times.increment(wait.at, now - wait.since) < 0:
            missed.increment(0)
        wait.since = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--for", dest="seconds", type=float, default=1e9)
    seconds = parser.parse_args().seconds
    with skep.load(on_switch) as live:
        with suppress(KeyboardInterrupt):
            time.sleep(seconds)
        counted = dict(live[times].items())
        names = skep.Symbols().stacks(live[stacks][waiter.stack] for waiter in counted)
        for (waiter, ns), frames in zip(counted.items(), names, strict=True):
            print(";".join([f"{waiter.comm}-{waiter.pid}", *reversed(frames)]), ns // 1000)
        if lost := sum(live[missed][0]):
            print(f"{lost} waits are missing: there was no room", file=sys.stderr)


if __name__ == "__main__":
    main()
