"""What it costs to know who did it: CPU ns of the process table per record and per event.

Short processes (fork, exec, exit) in batches as a drain takes them, 30 processes a batch at 3,000 a
second; then events of 500 processes in batches of 1,000. Kept: what the table holds at full rate.
Against the budget of the pipeline; no kernel is asked.
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
BATCH = 30
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


def _batch(first: int) -> Batch:
    """Processes that fork, exec and exit, from the ``first`` on; pids are used again."""
    numbers = np.arange(first, first + BATCH)
    start = (SECOND * 1_000 + numbers * (SECOND // 3_000)).astype("u8")
    rows = {"start": start, "pid": (numbers % 30_000 + 1_000).astype("u4")}
    rows |= {"ppid": np.full(BATCH, 10, "u4"), "uid": np.zeros(BATCH, "u4")}
    rows["cgroup"] = np.full(BATCH, 77, "u8")
    found: Batch = {}
    for step, (kind, comm, after) in enumerate(
        (("fork", b"bash", 0), ("exec", b"true", 100_000), ("exit", b"true", 250_000))
    ):
        stamps = {"time": start + np.uint64(after), "seq": (numbers * 3 + step).astype("u8")}
        found[kind] = rows | stamps | {"comm": np.full(BATCH, comm, "S16")}
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


def _lifecycle(batches: list[Batch]) -> tuple[float, float]:
    """CPU ns of all batches to be applied, and of the definitions that follow from them."""
    table = _table()
    applied = sent = 0.0
    for batch in batches:
        start = time.process_time_ns()
        table.apply(batch)
        middle = time.process_time_ns()
        table.definitions()
        table.retired()
        sent += time.process_time_ns() - middle
        applied += middle - start
    return applied, sent


def measure(quick: bool) -> dict[str, Figure]:  # noqa: FBT001 - the form of every bench
    """The figures; ``quick`` takes fewer processes."""
    processes = 15_000 if quick else 90_000
    batches = [_batch(first) for first in range(0, processes, BATCH)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rounds = [_lifecycle(batches) for _ in range(ROUNDS)]
    kept = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    table, generator = _table(), np.random.default_rng(1)
    events = {"pid": generator.integers(10, 511, 1_000), "time": np.full(1_000, SECOND * 9)}
    events |= {"uid": np.zeros(1_000, "u4"), "cgroup": np.full(1_000, 77)}
    events["comm"] = np.full(1_000, b"x", "S16")
    resolved = [_cpu(lambda: [table.resolve(events) for _ in range(100)]) for _ in range(ROUNDS)]
    records, budget = 3 * processes, "budget"
    return {
        "who.record_ns": Figure(
            statistics.median(a for a, _ in rounds) / records, "ns", budget, 4_000
        ),
        "who.definition_ns": Figure(
            statistics.median(s for _, s in rounds) / (2 * processes), "ns", budget, 4_000
        ),
        "who.event_ns": Figure(statistics.median(resolved) / 100_000, "ns", budget, 1_000),
        "who.kept_mb": Figure(kept / 1024, "MB", budget, 20),
    }
