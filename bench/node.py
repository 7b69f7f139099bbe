"""What the node agent costs, with all defaults: ``skep up --json`` into a file.

Start to the first event; memory of its processes without the rings' pages, and of its maps in the kernel; CPU while
nothing is done; the rate of exec beside it, of the rate without it, in interleaved pairs; calls of a generator that are
neither events nor counted as lost; and growth of memory under exec at full rate with 5,000 connects a second.

What is run is a static program as machines have them: busybox as ``true``, one loop for each CPU. Of the smallest
program that there can be, which ends with its first instruction, the rate is printed as the worst case.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench._generate import NAME
from bench.figures import Figure
from bench.processes import cpu_seconds, kernel_bytes, pss_without_rings_kb, tree
from tools import debian

SKEP = Path(sys.executable).parent / "skep"
INSTANCE = "bench"
READY, SETTLE = 30.0, 10.0
CONNECTS = 5000
KINDS = ("exec", "fork", "exit", "connect")
EXECS = ("exec", "tiny")
"""The generator's loops of exec: of a usual program, and of the smallest."""


@dataclass(slots=True)
class Node:
    """A running agent: its process, the file of its events, and when it was started."""

    process: subprocess.Popen[bytes]
    events: Path
    started: float

    def memory_mb(self) -> float:
        """PSS of all its processes, without rings."""
        return sum(pss_without_rings_kb(pid) for pid in tree(self.process.pid)) / 1024

    def cpu(self) -> float:
        """Seconds of CPU of all its processes so far."""
        return sum(cpu_seconds(pid) for pid in tree(self.process.pid))

    def status(self) -> dict[str, Any]:
        """What the agent says of itself."""
        command = [str(SKEP), "status", "--json", "--instance", INSTANCE]
        done = subprocess.run(command, check=True, capture_output=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextmanager
def node(folder: Path) -> Iterator[Node]:
    """The agent, from exec until its first event; ended by SIGINT."""
    path = folder / "events.ndjson"
    with path.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            [SKEP, "up", "--json", "--instance", INSTANCE], stdout=output, stderr=subprocess.DEVNULL
        )
        try:
            while path.stat().st_size == 0:
                if process.poll() is not None or time.monotonic() - started > READY:
                    raise RuntimeError("skep up showed no event")
                subprocess.run(["/bin/true"], check=True)
                time.sleep(0.005)
            yield Node(process, path, time.monotonic() - started)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


@dataclass(frozen=True, slots=True)
class Pair:
    """exec/s of all loops without the agent, and right after that with it."""

    without: float
    beside: float

    @property
    def kept(self) -> float:
        """The share of the rate that is left."""
        return self.beside / self.without


def busybox() -> str:
    """The path of a static busybox, "" where there is none to be had."""
    try:
        return str(debian.fetch(["busybox"])[0] / "bin/busybox")
    except debian.Unavailable as reason:
        print(f"bench: no busybox, the smallest program is run instead: {reason}", file=sys.stderr)
        return ""


def _start(
    kind: str, seconds: float, cpu: int, rate: float = 0.0, program: str = ""
) -> subprocess.Popen[bytes]:
    words = [kind, str(seconds), str(cpu), str(rate), program]
    return subprocess.Popen(
        [sys.executable, "-m", "bench._generate", *words], stdout=subprocess.PIPE
    )


def load(seconds: float, program: str, connects: float = 0) -> list[dict[str, Any]]:
    """The exec loop on each CPU, and connects where they are asked for; what each generator did.

    Without a ``program`` the smallest is run.
    """
    cpus = sorted(os.sched_getaffinity(0))
    kind = "exec" if program else "tiny"
    running = [_start(kind, seconds, cpu, program=program) for cpu in cpus]
    if connects:
        running.append(_start("connect", seconds, cpus[-1], connects))
    return [json.loads(process.communicate()[0]) for process in running]


def idle(seconds: float) -> tuple[float, float, float, float]:
    """Seconds to live, PSS and kernel memory in MB after ``seconds`` idle, and percent of a core meanwhile."""
    with tempfile.TemporaryDirectory(prefix="skep-bench-") as folder, node(Path(folder)) as one:
        time.sleep(SETTLE)
        before = one.cpu()
        time.sleep(seconds)
        percent = (one.cpu() - before) / seconds * 100
        kernel = sum(kernel_bytes(tree(one.process.pid)).values()) / 2**20
        return one.started, one.memory_mb(), kernel, percent


def pairs(count: int, seconds: float, program: str) -> list[Pair]:
    """The rate of exec without the agent and with it, in interleaved pairs."""
    found = []
    for _ in range(count):
        without = rate(seconds, program)
        with tempfile.TemporaryDirectory(prefix="skep-bench-") as folder, node(Path(folder)):
            found.append(Pair(without, rate(seconds, program)))
    return found


def rate(seconds: float, program: str) -> float:
    """exec/s of all loops."""
    return float(sum(one["done"] for one in load(seconds, program))) / seconds


def kept(measured: list[Pair], what: str) -> float:
    """The median share that is left; the rates are printed."""
    for pair in measured:
        print(f"{what}: {pair.without:6,.0f} exec/s without, {pair.beside:6,.0f} with the agent")
    share = statistics.median(pair.kept for pair in measured)
    print(f"{what}: {share:.3f} of the rate is kept")
    return share


def growth(
    seconds: float, base: float, program: str
) -> tuple[float, int, dict[str, tuple[int, int]]]:
    """MB that PSS grows from ``base`` seconds to the end of a full load, and what is not accounted for, by kind."""
    with tempfile.TemporaryDirectory(prefix="skep-bench-") as folder, node(Path(folder)) as one:
        done = load(base, program, CONNECTS)
        first = one.memory_mb()
        done += load(seconds - base, program, CONNECTS)
        last = one.memory_mb()
        time.sleep(2.0)
        lost = sum(queue["lost"] for queue in one.status()["losses"])
        time.sleep(1.0)
        compared = compare(one.events, done)
    missing = sum(made - seen for made, seen in compared.values())
    return last - first, max(0, missing - lost), compared


def compare(events: Path, done: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """By kind: the calls that the generators made, and the events of them."""
    execs = {str(one["pid"]): one["done"] for one in done if one["kind"] in EXECS}
    connects = {str(one["pid"]): one["done"] for one in done if one["kind"] == "connect"}
    seen = dict.fromkeys(KINDS, 0)
    parent, pid = re.compile(rb'"ppid":(\d+)'), re.compile(rb'"pid":(\d+)')
    with events.open("rb") as lines:
        for line in lines:
            kind = line.split(b'"kind":"', 1)[-1].split(b'"', 1)[0].decode()
            if kind == "connect":
                found = pid.search(line)
                seen[kind] += bool(found and found[1].decode() in connects)
            elif kind in ("exec", "exit"):
                seen[kind] += f'"comm":"{NAME}"'.encode() in line
            elif kind == "fork":
                found = parent.search(line)
                seen[kind] += bool(found and found[1].decode() in execs)
    made = dict.fromkeys(("exec", "fork", "exit"), sum(execs.values()))
    made["connect"] = sum(connects.values())
    return {kind: (made[kind], seen[kind]) for kind in KINDS}


def measure(quick: bool) -> dict[str, Figure]:  # noqa: FBT001 - the harness's form
    """The seven figures."""
    with tempfile.TemporaryDirectory(prefix="skep-bench-") as folder, node(Path(folder)):
        pass  # what it loads is in the cache from here on
    live, memory, kernel, percent = idle(20.0 if quick else 60.0)
    program, seconds = busybox(), 4.0 if quick else 8.0
    ratio = kept(pairs(3 if quick else 5, seconds, program), "busybox true" if program else "tiny")
    kept(pairs(1, seconds, ""), "smallest program, the worst case")
    grown, unaccounted, compared = growth(60.0 if quick else 600.0, 30.0, program)
    for kind, (made, seen) in compared.items():
        print(f"{kind:8} {made:9,} made {seen:9,} seen")
    return {
        "node.live_s": Figure(live, "s", "limit", 1.5),
        "node.pss_mb": Figure(memory, "MB", "limit", 120),
        "node.kernel_mb": Figure(kernel, "MB", "limit", 128),
        "node.idle_core_percent": Figure(percent, "% of a core", "limit", 0.7),
        "node.exec_rate_kept": Figure(ratio, "ratio", "no agent", 1.0),
        "node.unaccounted_losses": Figure(unaccounted, "events", "limit", 0),
        "node.growth_mb": Figure(grown, "MB", "limit", 5),
    }
