"""What it costs to know who did it: CPU ns of the process table per record and per event.

Short processes (fork, exec, exit) in batches as a drain takes them: 480 a batch, as at 3,000 a second,
and 12 a batch, one by one; what they mean is told with them. Then events of 500 processes in batches of
1,000. Kept: what the table holds at full rate. Against the budget of the pipeline; no kernel is asked.
"""

import gc
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.figures import Figure
from skep.node.attribution import cgroup_piece
from skep.node.cgroups import read_path
from skep.node.images import Row
from skep.node.processes import ProcessTable

SECOND = 10**9
ROUNDS = 5
FLOOD, FEW = 480, 12
PIECE = cgroup_piece(read_path("/system.slice/ssh.service"))
Batch = dict[str, dict[str, Any]]


class _Names:
    """Names that are known already."""

    def user(self, uid: int, place: int) -> bytes:
        del uid, place
        return b'"root"'

    def cgroup(self, place: int, pid: int) -> bytes:
        del place, pid
        return PIECE


def _batch(first: int, size: int) -> Batch:
    """Processes that fork, exec and exit, from the ``first`` on; pids are used again."""
    numbers = np.arange(first, first + size)
    start = (SECOND * 1_000 + numbers * (SECOND // 3_000)).astype("u8")
    rows = {"start": start, "pid": (numbers % 30_000 + 1_000).astype("u4")}
    rows |= {"ppid": np.full(size, 10, "u4"), "uid": np.zeros(size, "u4")}
    rows["cgroup"] = np.full(size, 77, "u8")
    found: Batch = {}
    for step, (kind, comm, after) in enumerate(
        (("fork", b"bash", 0), ("exec", b"true", 100_000), ("exit", b"true", 250_000))
    ):
        stamps = {"time": start + np.uint64(after), "seq": (numbers * 3 + step).astype("u8")}
        found[kind] = rows | stamps | {"comm": np.full(size, comm, "S16")}
    return found


def _table() -> ProcessTable:
    table = ProcessTable(_Names())
    rows = [Row(1, 0, 0, 77, 5, b"init"), Row(10, 1, 0, 77, 6, b"bash")]
    table.seed(rows + [Row(pid, 10, 0, 77, 7, b"x") for pid in range(11, 511)], SECOND)
    return table


def _cpu(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.process_time_ns()
    work()
    return time.process_time_ns() - start


def _lifecycle(batches: list[Batch]) -> float:
    """CPU ns of all batches to be applied, and to tell what they mean."""
    table = _table()
    start = time.process_time_ns()
    for batch in batches:
        table.apply(batch)
        table.definitions()
        table.retired()
    return time.process_time_ns() - start


def _batches(processes: int, size: int) -> list[Batch]:
    return [_batch(first, size) for first in range(0, processes, size)]


def _record(batches: list[Batch]) -> float:
    """CPU ns per record."""
    rounds = [_lifecycle(batches) for _ in range(ROUNDS)]
    return statistics.median(rounds) / sum(
        len(rows["pid"]) for one in batches for rows in one.values()
    )


def measure(quick: bool) -> dict[str, Figure]:  # noqa: FBT001 - the form of every bench
    """The figures; ``quick`` takes fewer processes."""
    processes = 15_000 if quick else 90_000
    flooded, few = _batches(processes, FLOOD), _batches(processes, FEW)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    flood, single = _record(flooded), _record(few)
    kept = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    table, generator = _table(), np.random.default_rng(1)
    events = {"pid": generator.integers(10, 511, 1_000), "time": np.full(1_000, SECOND * 9)}
    events |= {"uid": np.zeros(1_000, "u4"), "cgroup": np.full(1_000, 77)}
    events["comm"] = np.full(1_000, b"x", "S16")
    resolved = [_cpu(lambda: [table.resolve(events) for _ in range(100)]) for _ in range(ROUNDS)]
    budget = "budget"
    return {
        "who.flood_ns": Figure(flood, "ns", budget, 1_000),
        "who.record_ns": Figure(single, "ns", budget, 4_000),
        "who.event_ns": Figure(statistics.median(resolved) / 100_000, "ns", budget, 1_000),
        "who.kept_mb": Figure(kept / 1024, "MB", budget, 20),
    }
