"""A process that the kernel really kills for want of memory, in a memory cgroup of the test's own."""

import signal
import sys
from pathlib import Path
from typing import Any

from skep.base.clock import boot_ns
from skep.node.programs.lifecycle import lifecycle
from skep.node.programs.records import Oom
from skep.program.load import load
from skep.program.machine import Machine
from skep.testing import cgroups
from skep.trace import oom
from tests.kernel.trace.conftest import LIMIT, starve, version_1


def test_who_is_killed_and_how_large_it_was(memory: Path) -> None:
    machine = Machine()
    with load(*oom.programs(machine.btf), machine=machine) as live:
        before = boot_ns()
        child = starve(memory)
        assert child.wait() == -signal.SIGKILL
        found: list[Any] = list(live[lifecycle].poll(60))
        (event,) = (one for one in found if one.pid == child.pid)
    assert isinstance(event, Oom)
    assert (event.uid, event.flags) == (0, 0)
    assert event.comm == Path(sys.executable).name[:15]
    assert before < event.time < boot_ns()
    assert LIMIT * 0.6 < event.resident_bytes < LIMIT * 2
    unified = Path(cgroups.root()) if version_1() else memory
    assert event.cgroup == unified.stat().st_ino
