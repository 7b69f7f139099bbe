"""The bytes of a function table, and how it is registered. On the fake kernel."""

import struct

import pytest

from skep.base.errors import BadInput, Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Kind, Member, Param
from skep.btf.writer import Builder
from skep.kernel.attachment import Attachment
from skep.kernel.commands import Command
from skep.kernel.link import Link
from skep.kernel.programs import Program
from skep.kernel.struct_ops import register, table
from skep.testing.door import FakeDoor
from skep.testing.fake_objects import FakeLink
from tests.unit.kernel.samples import program

OFFSET = 64


def types() -> Btf:
    """A table with a function, a number and a name, in a value where it begins at OFFSET."""
    b = Builder()
    integer, char = b.integer("int", 4, signed=True), b.integer("char", 1, char=True)
    function = b.ptr(b.prototype(integer, [Param("x", integer)]))
    members = [
        ("run", function, 0),
        ("flags", integer, 8),
        ("name", b.array(char, integer, 16), 12),
    ]
    ops = b.struct("my_ops", 32, [Member(n, t, 8 * o) for n, t, o in members])
    b.struct("bpf_struct_ops_my_ops", OFFSET + 32, [Member("data", ops, 8 * OFFSET)])
    return Btf(b.build())


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


def runner(door: FakeDoor) -> Program:
    return Program.load(program("struct_ops", "my_ops.run"), [], types(), door=door)


def bytes_of(door: FakeDoor, **members: Program | int | str) -> bytes:
    btf = types()
    return table("my_ops", members, btf, btf.find(Kind.STRUCT, "bpf_struct_ops_my_ops") or 0)


def test_programs_numbers_and_text_lie_at_their_members(door: FakeDoor) -> None:
    run = runner(door)
    data = bytes_of(door, run=run, flags=7, name="mine")
    assert struct.unpack_from("<QI16s", data, OFFSET) == (run.fd, 7, b"mine".ljust(16, b"\0"))
    assert not any(data[:OFFSET])


def test_a_program_is_loaded_for_its_member_of_the_table(door: FakeDoor) -> None:
    runner(door)
    made = next(iter(door.open.values()))
    assert getattr(made, "attach_btf_id", 0) == types().find(Kind.STRUCT, "my_ops")
    with pytest.raises(Unsupported, match=r"my_ops\.walk"):
        Program.load(program("struct_ops", "my_ops.walk"), [], types(), door=door)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("nane", "x", "did you mean 'name'"),
        ("name", "x" * 16, "15 bytes"),
        ("name", 7, "no number does"),
        ("flags", "x", "fit"),
        ("flags", -1, "a number from 0 on, of 4 bytes, does"),
        ("flags", 1 << 32, "a number from 0 on, of 4 bytes, does"),
    ],
)
def test_a_member_that_does_not_fit_is_told(
    door: FakeDoor, name: str, value: str | int, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        bytes_of(door, **{name: value})
    with pytest.raises(BadInput, match="is no function"):
        bytes_of(door, flags=runner(door))


def test_a_link_holds_it_where_the_kernel_has_one(door: FakeDoor) -> None:
    with register("my_ops", {"flags": 1}, types(), door=door) as held:
        assert isinstance(held, Link)
        assert len(door.of(FakeLink)) == 1
    assert door.of(FakeLink) == []


def test_before_the_map_holds_it_until_it_is_closed(door: FakeDoor) -> None:
    door.refuse(Command.MAP_CREATE, 22)
    with register("my_ops", {"flags": 1}, types(), door=door) as held:
        assert isinstance(held, Attachment)
        assert door.open
    assert Command.MAP_DELETE in door.calls
    assert not door.open


def test_a_table_that_the_kernel_does_not_let_be_filled_is_unsupported(door: FakeDoor) -> None:
    with pytest.raises(Unsupported, match="no such table"):
        register("file_operations", {}, types(), door=door)
