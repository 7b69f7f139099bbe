"""What an event costs beside bpftrace, when both do the same job: CPU ns that each getpid takes longer.

Three jobs: counting, counting by process, a histogram of latency. bpftrace is Debian's; where a job can be written for
it in two ways, the cheaper one counts. Rounds are interleaved; each difference is to a loop next to it that nobody
watches.
"""

import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import skep
from bench import bpftrace
from bench._peer_programs import JOBS, Job
from bench.debian import program
from bench.figures import Figure
from bench.syscalls import RATES, added_by, loop
from skep.kernel.dispatch.owner import Dispatcher

Watch = Callable[[], AbstractContextManager[object]]


@contextmanager
def _ours(job: Job) -> Iterator[None]:
    with skep.load(*job.programs, dispatcher=Dispatcher(rates=RATES)):
        yield


def _watches(path: Path) -> dict[tuple[str, str], Watch]:
    """By job and side, what is on while the loop runs."""
    found: dict[tuple[str, str], Watch] = {}
    for name, job in JOBS.items():
        found[name, "skep"] = lambda job=job: _ours(job)  # type: ignore[misc]
        for probes in job.probes:
            found[name, probes] = lambda probes=probes: bpftrace.running(path, probes)  # type: ignore[misc]
    return found


def measure(quick: bool) -> dict[str, Figure]:  # noqa: FBT001 - the harness's form
    """The median of the jobs' ratios; the jobs are printed. Nothing without bpftrace."""
    path = program("bpftrace", "bpftrace")
    if path is None:
        return {}
    calls, rounds = (1_000_000, 5) if quick else (4_000_000, 11)
    watches = _watches(path)
    loop(calls // 10)
    found: dict[tuple[str, str], list[float]] = {which: [] for which in watches}
    for _ in range(rounds):
        for which, watch in watches.items():
            found[which].append(added_by(watch, calls))
    added = {which: statistics.median(values) for which, values in found.items()}
    ratios = {name: _ratio(name, added) for name in JOBS}
    print("\n".join(f"{name:21} {line}" for name, (_, line) in ratios.items()))
    median = statistics.median(ratio for ratio, _ in ratios.values())
    return {"peers.vs_bpftrace": Figure(median, "ratio", "bpftrace", 1.0)}


def _ratio(name: str, added: dict[tuple[str, str], float]) -> tuple[float, str]:
    ours = added[name, "skep"]
    peer = min(ns for (job, side), ns in added.items() if job == name and side != "skep")
    return ours / peer, f"skep {ours:6.1f} ns, bpftrace {peer:6.1f} ns: {ours / peer:.2f}"
