"""What an event costs beside bpftrace, when both do the same job: CPU ns that each getpid takes longer.

Three jobs: counting, counting by process, a histogram of latency. Where a job can be written for bpftrace in two ways,
the cheaper one counts. perf and libbpf's tools stand beside them, where they have such a job; which tracers do not run,
and why, is told. All are Debian's. Rounds are interleaved; each difference is to a loop next to it that nobody watches.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import skep
from bench._peer_programs import JOBS, LEFT_OUT, Job
from bench.figures import Figure
from bench.syscalls import RATES, added_by, loop
from bench.tracers import Tracer, running
from skep.kernel.dispatch.owner import Dispatcher

OURS, BPFTRACE = "skep", "bpftrace"

Watch = Callable[[], AbstractContextManager[object]]
Which = tuple[str, str, tuple[str, ...]]
"""A job, who does it, and what that one is told."""


@contextmanager
def _ours(job: Job) -> Iterator[None]:
    with skep.load(*job.programs, dispatcher=Dispatcher(rates=RATES)):
        yield


def _watches() -> dict[Which, Watch]:
    """What is on while the loop runs: ours, and what can be had of the peers."""
    found: dict[Which, Watch] = {}
    for name, job in JOBS.items():
        found[name, OURS, ()] = lambda job=job: _ours(job)  # type: ignore[misc]
        for peer in job.peers:
            command = peer.command()
            if command is not None:
                found[_which(name, peer)] = lambda command=command: running(command)  # type: ignore[misc]
    return found


def _which(job: str, peer: Tracer) -> Which:
    return job, peer.name, peer.arguments


def _added(watches: Mapping[Which, Watch], rounds: int, calls: int) -> dict[Which, float]:
    """The median ns that each adds; without those that do not attach."""
    found: dict[Which, list[float]] = {}
    for _ in range(rounds):
        for which, watch in watches.items():
            try:
                found.setdefault(which, []).append(added_by(watch, calls))
            except RuntimeError as error:
                print(f"{which[0]}: {error}")
    return {which: statistics.median(values) for which, values in found.items() if values}


def cheapest(added: Mapping[Which, float]) -> dict[str, dict[str, float]]:
    """By job and name, the ns of the cheapest way."""
    found: dict[str, dict[str, float]] = {}
    for (job, name, _), ns in added.items():
        beside = found.setdefault(job, {})
        beside[name] = min(ns, beside.get(name, ns))
    return found


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """A line for each job and peer, and one for each tracer that does not run."""
    lines = [f"{'job':21} {'peer':12} {'ns':>6} {'skep':>6} {'ratio':>6}"]
    for job, beside in found.items():
        ours = beside[OURS]
        lines += [
            f"{job:21} {name:12} {ns:6.1f} {ours:6.1f} {ours / ns:6.2f}"
            for name, ns in beside.items()
            if name != OURS
        ]
    return "\n".join([*lines, *(f"not run: {name}: {why}" for name, why in LEFT_OUT.items())])


def ratios(found: Mapping[str, Mapping[str, float]]) -> list[float]:
    """Ours by bpftrace's, of each job that it did."""
    return [beside[OURS] / beside[BPFTRACE] for beside in found.values() if BPFTRACE in beside]


def measure(quick: bool) -> dict[str, Figure]:  # noqa: FBT001 - the harness's form
    """The median of the jobs' ratios; the jobs are printed. Nothing without bpftrace."""
    calls, rounds = (1_000_000, 5) if quick else (4_000_000, 11)
    watches = _watches()
    loop(calls // 10)
    found = cheapest(_added(watches, rounds, calls))
    print(table(found))
    ours = ratios(found)
    if not ours:
        return {}
    return {"peers.vs_bpftrace": Figure(statistics.median(ours), "ratio", BPFTRACE, 1.0)}
