"""How long tasks that are ready wait for a CPU: a histogram in powers of two, printed at the end (Ctrl-C).

Three tracepoints of the scheduler share two maps. A bar far to the bottom means that tasks wait for milliseconds.

    python examples/03_runqueue.py [--for SECONDS]
"""

import argparse
import time
from contextlib import suppress

import skep

RUNNING = 0

ready = skep.Hash(skep.u32, skep.u64, 10240)
waits = skep.PerCpuArray(skep.u64, 64)


@skep.tp_btf("sched_wakeup")
def on_wakeup(task):
    ready[task.pid] = skep.ktime_get_ns()


@skep.tp_btf("sched_wakeup_new")
def on_new(task):
    ready[task.pid] = skep.ktime_get_ns()


@skep.tp_btf("sched_switch")
def on_switch(preempt, prev, next, prev_state):  # noqa: A002 - the kernel's name
    if prev_state == RUNNING:
        ready[prev.pid] = skep.ktime_get_ns()
    pid = next.pid
    since = ready.lookup(pid)
    if since is not None:
        waits.increment(skep.log2((skep.ktime_get_ns() - since) // 1000))
        del ready[pid]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--for", dest="seconds", type=float, default=1e9)
    seconds = parser.parse_args().seconds
    with skep.load(on_wakeup, on_new, on_switch) as live:
        print("Measuring; Ctrl-C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            time.sleep(seconds)
        print(skep.Histogram.of(live[waits], "us"))


if __name__ == "__main__":
    main()
