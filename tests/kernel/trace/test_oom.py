"""A process that the kernel really kills for want of memory, in a memory cgroup of the test's own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from skep.base.clock import boot_ns
from skep.node.programs.lifecycle import lifecycle
from skep.node.programs.records import Oom
from skep.program.live import load
from skep.program.machine import Machine
from skep.testing import cgroups
from skep.trace import oom

LIMIT = 24 << 20
GREEDY = "x = []\nwhile True: x.append(b'x' * (1 << 20))"


@pytest.fixture
def memory() -> Iterator[Path]:
    """A memory cgroup with a small limit, of version 1 or 2."""
    name = f"skep-test-oom-{os.getpid()}"
    first, second = version_1(), Path(cgroups.root())
    if first is not None:
        made, limit = first / name, "memory.limit_in_bytes"
    else:
        if "memory" not in (second / "cgroup.controllers").read_text().split():
            pytest.skip("the kernel limits no memory of cgroups (CONFIG_MEMCG)")
        (second / "cgroup.subtree_control").write_text("+memory")
        made, limit = second / name, "memory.max"
    made.mkdir()
    (made / limit).write_text(str(LIMIT))
    with suppress(OSError):
        (made / "memory.swap.max").write_text("0")
    yield made
    deadline = time.monotonic() + 5
    while made.exists() and time.monotonic() < deadline:
        with suppress(OSError):
            made.rmdir()


def version_1() -> Path | None:
    """Where version 1 limits memory; None where it does not."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup" and "memory" in options.split(","):
            return Path(place)
    return None


def test_who_is_killed_and_how_large_it_was(memory: Path) -> None:
    machine = Machine()
    with load(*oom.programs(machine.btf), machine=machine) as live:
        before = boot_ns()
        enter = f"echo $$ >{memory}/cgroup.procs && exec {sys.executable} -I -S -c {GREEDY!r}"
        child = subprocess.Popen(["sh", "-c", enter.replace("\\n", "\n")])
        assert child.wait() == -signal.SIGKILL
        found: list[Any] = list(live[lifecycle].poll(5))
        (event,) = (one for one in found if one.pid == child.pid)
    assert isinstance(event, Oom)
    assert (event.uid, event.flags) == (0, 0)
    assert event.comm == Path(sys.executable).name[:15]
    assert before < event.time < boot_ns()
    assert LIMIT * 0.6 < event.resident_bytes < LIMIT * 2
    unified = Path(cgroups.root()) if version_1() else memory
    assert event.cgroup == unified.stat().st_ino
