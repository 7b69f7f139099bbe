"""What a system call costs more while a program watches system calls.

getpid in a loop, CPU ns per call, in interleaved rounds: nobody watches; one subscriber watches another call (reject);
one counts getpid per CPU on entry (count), beside bpftrace doing the same. Both are hooked as the dispatcher chooses
for a machine that calls getpid only. An empty program at the hook that it chose tells, in the same rounds, what the
machine asks for the hook alone. Each figure is the median of the differences to the rounds next to it in which nobody
watched.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import skep
from bench.figures import Figure
from bench.programs import (
    count_getpid,
    count_other,
    nothing,
    nothing_at_getpid,
    nothing_elsewhere,
)
from bench.tracers import bpftrace, running
from skep.kernel.dispatch.owner import ENTER, Dispatcher

RATES = {"getpid": 1e6}
BPFTRACE = bpftrace("tracepoint:syscalls:sys_enter_getpid { @ = count(); }")
FOLDER = Path(__file__).resolve().parent.parent


def loop(calls: int) -> float:
    """CPU ns per getpid, in a process of its own on the last CPU."""
    command = [sys.executable, "-m", "bench._getpid", str(calls)]
    return float(subprocess.run(command, check=True, capture_output=True, cwd=FOLDER).stdout)


@contextmanager
def _attached(one: skep.Program) -> Iterator[None]:
    with skep.load(one, dispatcher=Dispatcher(rates=RATES)):
        yield


def _is_raw(one: skep.Program) -> bool:
    """Whether the dispatcher hooks a subscriber where all system calls go by."""
    dispatcher = Dispatcher(rates=RATES)
    with skep.load(one, dispatcher=dispatcher):
        return dispatcher.behind(ENTER) > 0


def added_by(watch: Callable[[], object], calls: int) -> float:
    """One pair: the loop without and with."""
    bare = loop(calls)
    with watch():  # type: ignore[attr-defined]
        watched = loop(calls)
    return watched - bare


def measure(quick: bool) -> dict[str, Figure]:  # noqa: FBT001 - the harness's form
    """The three figures; on the way it prints what the hooks cost by themselves."""
    calls, rounds = (1_000_000, 5) if quick else (4_000_000, 11)
    command = BPFTRACE.command()
    floors = {
        "reject": nothing if _is_raw(count_other) else nothing_elsewhere,
        "count": nothing if _is_raw(count_getpid) else nothing_at_getpid,
    }
    watches: dict[str, Callable[[], object]] = {
        "reject": lambda: _attached(count_other),
        "reject floor": lambda: _attached(floors["reject"]),
        "count": lambda: _attached(count_getpid),
        "count floor": lambda: _attached(floors["count"]),
    }
    if command is not None:
        watches["bpftrace"] = lambda: running(command)
    loop(calls // 10)
    found: dict[str, list[float]] = {name: [] for name in watches}
    for _ in range(rounds):
        for name, watch in watches.items():
            found[name].append(added_by(watch, calls))
    added = {name: statistics.median(values) for name, values in found.items()}
    peer = added.get("bpftrace")
    figures = {
        "syscalls.reject_ns": Figure(max(added["reject"], 0.0), "ns", "limit", 35),
        "syscalls.count_ns": Figure(added["count"], "ns", "bpftrace count()", peer),
    }
    if peer:
        ratio = Figure(added["count"] / peer, "ratio", "bpftrace count()", 1.0)
        figures["syscalls.count_vs_bpftrace"] = ratio
    print(f"rounds {rounds}, calls {calls:,}, pid {os.getpid()}")
    for name, floor in floors.items():
        print(
            f"an empty program at the hook of {name} ({floor.hook}): {added[f'{name} floor']:.1f} ns"
        )
    return figures
