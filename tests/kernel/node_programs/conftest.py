"""The lifecycle programs, attached; children of the tests' own; and what the ring tells of them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from skep.btf.types import Kind
from skep.events.record import Record
from skep.events.texts import Assembler, pieces
from skep.lang.programs import Program
from skep.node.programs import lifecycle
from skep.node.programs.records import ARGS_GO_ON, FILENAME_GOES_ON, Exec
from skep.program.live import Live
from skep.program.load import load
from skep.program.machine import Machine

R = TypeVar("R", bound=Record)


def group_dead(machine: Machine) -> bool:
    """Whether the kernel says which thread is the last."""
    found = machine.btf.find(Kind.TYPEDEF, "btf_trace_sched_process_exit")
    assert found is not None
    return len(machine.btf.prototype(found).params) > 2


@pytest.fixture(scope="session")
def machine() -> Machine:
    return Machine()


@pytest.fixture(scope="module", params=["marked", "unmarked"])
def programs(request: pytest.FixtureRequest, machine: Machine) -> tuple[Program, ...]:
    """Both ways to know the last thread; the first needs Linux 6.16."""
    marked = request.param == "marked"
    if marked and not group_dead(machine):
        pytest.skip("sched_process_exit without group_dead (Linux 6.16)")
    return lifecycle.programs(group_dead=marked)


@dataclass
class Told:
    """What the ring tells, so far, of one process after another."""

    live: Live
    events: list[Any] = field(default_factory=list)

    def of(self, pid: int, kind: type[Record] = Record) -> list[Any]:
        """The events of a process, in order."""
        self.events += self.live[lifecycle.lifecycle].poll()
        mine = (one for one in self.events if one.pid == pid and isinstance(one, kind))
        return sorted(mine, key=lambda one: one.seq)

    def one(self, pid: int, kind: type[R]) -> R:
        """The only event of that kind."""
        found: list[R] = self.of(pid, kind)
        (only,) = found
        return only

    def whole(self, event: Exec) -> tuple[bytes, bytes]:
        """File name and argument vector of an Exec, with what is in the other ring."""
        assembler = Assembler(patience=0)
        values = {
            lifecycle.FILENAME: event.filename.encode(),
            lifecycle.ARGS: bytes(event.args)[: event.args_size],
        }
        if event.flags & FILENAME_GOES_ON:
            name = values[lifecycle.FILENAME]
            assembler.want(event.seq, lifecycle.FILENAME, name, event.filename_size)
        if event.flags & ARGS_GO_ON:
            size = min(event.args_size, lifecycle.LARGEST)
            assembler.want(event.seq, lifecycle.ARGS, values[lifecycle.ARGS], size)
        for piece in pieces(self.live[lifecycle.texts].reader):
            assembler.add(piece)
        values |= {whole.part: whole.data for whole in assembler.finish()}
        return values[lifecycle.FILENAME], values[lifecycle.ARGS]


@pytest.fixture(scope="module")
def live(programs: tuple[Program, ...], machine: Machine) -> Iterator[Live]:
    """The programs, attached for the tests of a module."""
    with load(*programs, machine=machine) as loaded:
        yield loaded


@pytest.fixture
def told(live: Live) -> Told:
    """What is told from now on."""
    for _ in (*live[lifecycle.lifecycle].poll(), *pieces(live[lifecycle.texts].reader)):
        pass
    return Told(live)


Run = Callable[..., int]


@pytest.fixture
def run() -> Run:
    """Runs a program to its end; its pid. What it prints is not wanted."""

    def start(*arguments: str | bytes, status: int = 0, **how: object) -> int:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        child = subprocess.Popen(arguments, **quiet, **how)  # type: ignore[call-overload]
        assert child.wait() == status
        return int(child.pid)

    return start


@pytest.fixture
def python(run: Run) -> Run:
    """Runs a few lines of Python to their end."""

    def start(code: str, status: int = 0) -> int:
        return run(sys.executable, "-I", "-S", "-c", code, status=status)

    return start


@pytest.fixture
def own_cgroup() -> int:
    """The id of the cgroup that the tests run in."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        path = next(line for line in file if line.startswith("0::"))[3:].rstrip("\n")
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        root = next(line.split()[4] for line in mounts if " - cgroup2 " in line)
    return os.stat(root + path).st_ino
