"""What the unwinder is measured with: a process that stays in one place, under some forty calls, and is sampled."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.sides import Runs
from examples.large.unwinder.unwinder import Unwinder
from skep.kernel import commands, perf, stats
from skep.kernel.bpf import DOOR
from skep.kernel.perf import Sampling
from skep.kernel.programs import Program
from skep.program.live import Live
from tests.kernel.large.unwound import HASHES, running

OFTEN = Sampling("cpu-clock", frequency=4000)
PERF_EVENT = 41  # BPF_PERF_EVENT
SHARE = 200
"""How many test runs of other programs one sample stands for."""
TURN = 0.01


@contextmanager
def unwinding() -> Iterator[Callable[[Live], Runs]]:
    """Walks up the stacks of a process of its own, which ends with the block."""
    with running(HASHES) as child:
        yield lambda live: _sampling(live, child.pid)


def _sampling(live: Live, pid: int) -> Runs:
    unwinder, program = Unwinder(live), live.programs["on_sample"]
    unwinder.watch(pid)
    depth = _depth(unwinder, program, pid)
    print(f"each run of the unwinder walks up {depth} frames")
    return lambda times: _sampled(program, pid, max(1, times // SHARE))


def _depth(unwinder: Unwinder, program: Program, pid: int) -> int:
    """The frames of most stacks."""
    _sampled(program, pid, SHARE)
    return len(max(unwinder.take(), key=lambda one: one.count).frames)


def _sampled(program: Program, pid: int, samples: int) -> float:
    """Nanoseconds of a run, by the kernel's statistics, over so many samples of a process at least."""
    with stats.enabled():
        before = after = program.info()
        event = perf.open_sampling(DOOR, OFTEN, -1, pid)
        link = commands.link_create(DOOR, program.fd, event, PERF_EVENT)
        try:
            perf.enable(DOOR, event)
            while after.run_cnt < before.run_cnt + samples:
                time.sleep(TURN)
                after = program.info()
        finally:
            DOOR.close(link)
            DOOR.close(event)
    return (after.run_time_ns - before.run_time_ns) / (after.run_cnt - before.run_cnt)
