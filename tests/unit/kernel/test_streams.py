"""The streams of a program are read to their end, and what they hold is taken out."""

import errno

import pytest

from skep.base.errors import KernelError, Unsupported
from skep.kernel import streams
from skep.kernel.commands import Command
from skep.kernel.programs import Program
from skep.testing.door import FakeDoor
from skep.testing.fake_objects import FakeProgram
from tests.unit.kernel.samples import program


def loaded(door: FakeDoor) -> tuple[Program, FakeProgram]:
    live = Program.load(program(), [], door=door)
    (fake,) = (one for one in door.of(FakeProgram) if isinstance(one, FakeProgram))
    return live, fake


def test_a_stream_is_read_to_its_end_once() -> None:
    live, fake = loaded(FakeDoor())
    fake.streams = {1: b"out\n", 2: b"line\n" * 10_000 + b"\xff\n"}
    assert live.stderr() == "line\n" * 10_000 + "\\xff\n"
    assert (live.stderr(), live.stdout(), live.stdout()) == ("", "out\n", "")


def test_a_kernel_without_streams_is_told() -> None:
    door = FakeDoor()
    live, _ = loaded(door)
    door.refuse(Command.PROG_STREAM_READ, errno.EINVAL)
    with pytest.raises(Unsupported, match=r"no streams of programs \(upstream since Linux 6.17\)"):
        live.stdout()
    door.refuse(Command.PROG_STREAM_READ, errno.EBADF)
    with pytest.raises(KernelError, match="BPF_PROG_STREAM_READ_BY_FD"):
        streams.read(live.fd, streams.STDERR, "p", door=door)
