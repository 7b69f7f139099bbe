"""A peer ends with the block that it runs for, with one that fails, and with the bench."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.tracers import running

pytestmark = pytest.mark.native("the peers of benches do not run in guests")

ROOT = Path(__file__).parents[3]
# It holds what looks like a hook by its name.
ATTACHES = "import os, time; os.memfd_create('perf_event'); time.sleep(600)"
WAITS = "from bench.tracers import running\nwith running(['sleep', '600']): pass"


def children(pid: int) -> dict[int, str]:
    """The children of a process, by pid, with their names."""
    found = {}
    for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found[int(one)] = Path(f"/proc/{one}/comm").read_text().strip()
    return found


def test_a_tracer_runs_for_a_block() -> None:
    before = set(children(os.getpid()))
    with running([sys.executable, "-I", "-S", "-c", ATTACHES]):
        (child,) = set(children(os.getpid())) - before
    assert not Path(f"/proc/{child}").exists()


def test_one_that_attaches_nothing_is_an_error_and_is_ended() -> None:
    before = set(children(os.getpid()))
    with (
        pytest.raises(RuntimeError, match="sleep did not attach"),
        running(["sleep", "600"], seconds=0.3),
    ):
        pass
    assert set(children(os.getpid())) == before


def test_it_ends_with_a_bench_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", WAITS], cwd=ROOT) as bench:
        while "sleep" not in (held := children(bench.pid)).values():
            time.sleep(0.02)
        bench.send_signal(signal.SIGKILL)
    (child,) = held
    while lives(child):
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Whether a process, if it is there, has not ended."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
