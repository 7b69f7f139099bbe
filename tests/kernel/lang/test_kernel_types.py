"""Structs of the running kernel: what programs read of a process is what the process is."""

import os
import subprocess
from collections.abc import Iterator

import pytest

import skep
from skep.lang.programs import Program
from tests.kernel.lang import watching_programs as programs
from tests.kernel.lang.watching_programs import Seen

PROGRAMS = (programs.directly, programs.by_probe)
SECONDS = 60.0
WRITE_ONLY = os.O_WRONLY


def started(program: Program) -> tuple[int, Seen]:
    """A child that runs /bin/true, and what the program saw of it."""
    with skep.load(program) as live, open(os.devnull, "w", encoding="ascii") as nothing:
        live[programs.mine][os.getpid()] = 1
        child = subprocess.Popen(["/bin/true", "argument"], stdout=nothing)
        child.wait()
        found: Iterator[skep.Struct] = live[programs.seen].poll(SECONDS)
        (event,) = (e for e in found if isinstance(e, Seen) and e.pid == child.pid)
        return child.pid, event


@pytest.mark.parametrize("program", [programs.directly, programs.by_probe], ids=lambda p: p.name)
def test_a_program_sees_the_process_that_starts(program: Program) -> None:
    pid, event = started(program)
    assert (event.pid, event.parent, event.grandparent) == (pid, os.getpid(), os.getppid())
    assert (event.comm, event.current, event.filename) == ("true", "true", "/bin/true")
    assert bytes(event.first) == b"true\0\0\0\0"
    assert event.uid == os.getuid()
    assert event.user == "/bin/true"
    assert event.arguments > 1 << 16


@pytest.mark.parametrize("program", [programs.directly, programs.by_probe], ids=lambda p: p.name)
def test_bit_fields_and_pointers_of_pointers_are_read(program: Program) -> None:
    _, event = started(program)
    assert event.execve == 1  # the tracepoint lies inside of execve
    assert event.max_fds >= 64
    assert event.opened & os.O_ACCMODE == WRITE_ONLY
    assert event.inherited == 1


def test_both_ways_of_reading_give_the_same() -> None:
    direct, probed = (started(p)[1] for p in (programs.directly, programs.by_probe))
    for name, value in direct:
        if name not in ("time", "seq", "cpu", "pid", "start", "arguments"):
            assert (name, value) == (name, getattr(probed, name))


def test_times_are_of_the_machines_clock() -> None:
    _, event = started(programs.directly)
    assert 0 < event.start <= event.time
    assert event.time - event.start < 10 * SECONDS * 1e9
