"""What draining a ring costs: CPU of the draining process per record of 128 bytes, at 1 M records/s sustained.

Another process, on another CPU, fills a ring of 64 MB by test runs of a program. Here the records become batches of 12
contiguous columns, and a consumer counts them by pid and kind. libbpf's ring_buffer__consume, from a C program with a
callback that counts in the same way (without making columns), drains the same ring in rounds between ours.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import skep
from bench._drain_fill import KINDS, PIDS, SIZE, Sample, fill, ring
from bench.debian import library
from bench.figures import Figure
from skep.events.batch import Batch
from skep.events.pace import BULK, MS, Pace
from skep.kernel.rings import HEADER, RingReader

RATE = 1_000_000
QUIET = 1_000_000_000
PEER = Path(__file__).with_name("_drain_peer.c")


@dataclass(frozen=True, slots=True)
class Round:
    """One side's round: what the draining process used and saw, and how many records it never saw."""

    cpu_ns: int
    records: int
    lost: int
    squares: int

    @property
    def cost(self) -> float:
        """CPU ns per record."""
        return self.cpu_ns / max(self.records, 1)


class Groups:
    """The consumer: how many records by pid and kind."""

    def __init__(self) -> None:
        self.counts = np.zeros(PIDS * KINDS, "i8")

    def take(self, batch: Batch) -> None:
        """Counts a batch."""
        key = batch["pid"] * np.uint32(KINDS) + batch["kind"]
        self.counts += np.bincount(key, minlength=PIDS * KINDS)


@contextmanager
def _producer(live: skep.Live, records: int) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready to make ``records`` when it gets a line."""
    fd = live.programs["fill"].fd
    command = [sys.executable, "-m", "bench._drain_fill", str(fd), str(records), str(RATE)]
    folder = PEER.parent.parent
    with subprocess.Popen(
        command,
        pass_fds=(fd,),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
    ) as process:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise RuntimeError("the producer did not start")
        yield process
        print(f"{records:,} records made in {float(process.stdout.read()):.2f} s")


def _go(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.write("\n")
        process.stdin.flush()


def ours(live: skep.Live, records: int) -> Round:
    """A round of this process."""
    reader: RingReader = live[ring].reader
    drain, groups = live.drain(ring), Groups()
    refused = reader.refused
    with _producer(live, records) as process:
        now = time.monotonic_ns()
        pace, last = Pace(BULK, now), now
        before = time.process_time_ns()
        _go(process)
        while drain.delivered < records and now - last < QUIET:
            time.sleep(max(pace.deadline - now, 0) / 1e9)
            seen = drain.delivered
            for batch in drain.batches():
                groups.take(batch)
                del batch  # its memory becomes the next one's
            now, seen = time.monotonic_ns(), drain.delivered - seen
            pace.passed(now, seen, seen * (Sample.size + HEADER) / SIZE)
            last = now if seen or not drain.delivered else last
        used = time.process_time_ns() - before
    lost = max(records - drain.delivered, reader.refused - refused)
    return Round(used, drain.delivered, lost, int((groups.counts**2).sum()))


def peers(live: skep.Live, records: int, peer: Path, libraries: Path) -> Round:
    """A round of libbpf."""
    fd = live[ring].reader.fd
    command = [str(peer), str(fd), str(records), str(BULK.busy // 1000)]
    with (
        _producer(live, records) as process,
        subprocess.Popen(
            command,
            pass_fds=(fd,),
            stdout=subprocess.PIPE,
            text=True,
            env={"LD_LIBRARY_PATH": str(libraries)},
        ) as drainer,
    ):
        if drainer.stdout is None or drainer.stdout.readline() != "ready\n":
            raise RuntimeError("libbpf did not open the ring")
        _go(process)
        used, seen, squares = map(int, drainer.stdout.read().split())
    return Round(used, seen, records - seen, squares)


def built(libbpf: Path, folder: Path) -> Path | None:
    """The peer, compiled and linked against ``libbpf``; None where there is no gcc."""
    gcc = shutil.which("gcc")
    if gcc is None:
        print("bench: no gcc: libbpf is not measured", file=sys.stderr)
        return None
    made = folder / "peer"
    missing = "-Wl,--unresolved-symbols=ignore-in-shared-libs"
    subprocess.run([gcc, "-O2", "-o", made, PEER, libbpf, missing], check=True)
    return made


def measure(quick: bool, libbpf: Path | None = None) -> dict[str, Figure]:  # noqa: FBT001 - the harness's form
    """Both figures; ``libbpf`` is the path of libbpf.so.1, Debian's unless given."""
    records, rounds = RATE * (2 if quick else 10), 3
    found = libbpf or library("libbpf", "libbpf.so.1")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.setpriority(os.PRIO_PROCESS, 0, -10)
    mine: list[Round] = []
    other: list[Round] = []
    with tempfile.TemporaryDirectory() as folder, skep.load(fill, attach=False) as live:
        peer = built(found, Path(folder)) if found else None
        for _ in range(rounds):
            mine.append(ours(live, records))
            if peer is not None and found is not None:
                other.append(peers(live, records, peer, found.parent))
    _tell(mine, other)
    cost = statistics.median(one.cost for one in mine)
    peer_cost = statistics.median(one.cost for one in other) if other else None
    lost = sum(one.lost for one in mine)
    peer_lost = sum(one.lost for one in other) if other else None
    return {
        "drain.ns_per_record": Figure(cost, "ns", "libbpf ring_buffer__consume", peer_cost),
        "drain.lost": Figure(lost, "records", "libbpf ring_buffer__consume", peer_lost),
    }


def _tell(mine: list[Round], other: list[Round]) -> None:
    """The rounds, and whether both sides counted the same groups."""
    for name, rounds in (("skep", mine), ("libbpf", other)):
        costs = ", ".join(f"{one.cost:.1f}" for one in rounds)
        if rounds:
            print(f"{name}: {costs} ns per record, {rounds[0].records:,} records a round")
    whole = {one.squares for one in (*mine, *other) if not one.lost}
    if len(whole) > 1:
        raise RuntimeError(f"the groups differ: {whole}")
    between = f"{BULK.usual // MS} to {BULK.busy // MS} ms"
    print(f"a pass each {between}, {RATE:,} records a second, ring of {SIZE >> 20} MB")
