"""Places in memory: offsets and types of fields, what is read how, what may be written."""

import pytest

from skep.lang.constant_text import ConstantText
from skep.lang.tree import (
    Assign,
    Binary,
    Build,
    Const,
    Copy,
    Expr,
    HelperCall,
    Load,
    MapCall,
    Node,
    Place,
    Spill,
    Store,
    Swap,
    View,
    walk,
)
from skep.lang.types import IntType, be16, be32, char, s32, u8, u16, u32, u64
from skep.lang.values import Memory, Pointer
from tests.unit.lang.kernel import Executed
from tests.unit.lang.prelude import Eth, Note, Pair, Wide, counts, ports
from tests.unit.lang.test_front_types import tree

XDP = "@skep.xdp\ndef p(ctx):\n"


def value(lines: str, head: str | None = None) -> Expr:
    """The last value that is assigned to a variable."""
    made = tree(lines, **({"head": head} if head else {}))
    assigned = [node for node in made.body if isinstance(node, Assign)]
    return assigned[-1].value


def loaded(lines: str) -> Place:
    """The place of a value that is loaded."""
    found = value(lines)
    assert isinstance(found, Load)
    return found.place


def memory(place: Place) -> Memory:
    kind = place.base.type
    assert isinstance(kind, Pointer)
    return kind.memory


def last(lines: str, head: str | None = None) -> Node:
    return tree(lines, **({"head": head} if head else {})).body[-1]


@pytest.mark.parametrize(
    ("field", "offset", "kind"),
    [
        ("task.tgid", 4, s32),
        ("task.exit_code", 40, s32),
        ("task.exit_mask", 40, u32),
        ("task.state", 44, u32),
        ("task.comm[3]", 19, char),
        ("task.ticks[2]", 64, u64),
        ("sock.sk_mark", 4, u32),
    ],
)
def test_a_field_of_a_kernel_struct_has_its_offset_and_type(
    field: str, offset: int, kind: IntType
) -> None:
    place = loaded(f"n = {field}")
    assert (place.offset, place.type) == (offset, kind)
    assert memory(place) is Memory.KERNEL


def test_a_chain_of_pointers_to_structs_is_read_directly() -> None:
    place = loaded("n = task.real_parent.real_parent.tgid")
    assert memory(place) is Memory.KERNEL
    assert isinstance(place.base, Load)
    assert place.base.place.offset == 8


def test_what_a_pointer_to_a_pointer_leads_to_is_read_by_probe() -> None:
    place = loaded("n = task.files.fdt.fd[2].f_flags")
    assert (memory(place), place.offset, place.type) == (Memory.PROBE, 0, u32)
    assert isinstance(place.base, Load)
    assert place.base.place.offset == 16  # the third pointer of the table


def test_a_pointer_to_a_number_is_read_by_probe() -> None:
    place = loaded("n = task.counter[1]")
    assert (memory(place), place.offset, place.type) == (Memory.PROBE, 8, u64)


def test_a_pointer_marked_user_leads_into_user_memory() -> None:
    assert value("n = task.argument").type == Pointer(char, Memory.USER)
    assert memory(loaded("n = task.argument[0]")) is Memory.USER


def test_an_address_given_a_struct_is_read_by_probe() -> None:
    assert memory(loaded("n = SOCKET(task.start_time).sk_mark")) is Memory.PROBE


@pytest.mark.parametrize(
    ("field", "offset", "shift", "width", "kind"),
    [
        ("in_execve", 104, 0, 1, u32),
        ("policy", 104, 1, 5, u32),
        ("nice", 104, 6, 6, s32),
    ],
)
def test_a_bit_field_has_its_unit_shift_and_width(
    field: str, offset: int, shift: int, width: int, kind: IntType
) -> None:
    place = loaded(f"n = task.{field}")
    assert place.bits is not None
    assert (place.offset, place.type, place.bits.size) == (offset, kind, 4)
    assert (place.bits.shift, place.bits.width) == (shift, width)


def test_an_index_that_is_no_constant_is_scaled() -> None:
    place = loaded("n = task.ticks[sock.sk_state & 3]")
    assert place.index is not None
    assert (place.offset, place.stride, place.index.type) == (48, 8, u64)


def test_a_pointer_of_an_iterators_context_may_be_none() -> None:
    found = value("n = ctx.task", '@skep.iterator("task")\ndef p(ctx):\n')
    assert found.type.nullable
    assert found.type.memory is Memory.KERNEL


def test_a_struct_is_made_on_the_stack_with_its_values_at_their_places() -> None:
    found = value("n = Wide(5, number=-1, inner=Pair(1, 2))", XDP)
    assert isinstance(found, Build)
    assert found.type == Pointer(Wide, Memory.STACK)
    small, number, inner = found.stores
    assert isinstance(small, Store)
    assert isinstance(number, Store)
    assert isinstance(inner, Copy)
    assert [s.place.offset for s in (small, number)] == [0, 4]
    assert (inner.target.offset, inner.size, inner.target.type) == (72, 8, Pair)


def test_two_structs_made_at_two_places_have_memory_of_their_own() -> None:
    made = tree("a = Pair(1, 2)\nb = Pair(3, 4)\nc = u8[16]()", head=XDP)
    assert len(made.slots) == 3


@pytest.mark.parametrize(("field", "kind"), [("STATE.port", be16)])
def test_a_big_endian_field_is_swapped_as_it_is_read_and_written(field: str, kind: IntType) -> None:
    read = value(f"n = {field}", XDP)
    assert isinstance(read, Swap)
    assert (read.type, read.operand.type) == (u16, u16)
    for lines in (f"{field} = 80", f"{field} += 1"):
        written = last(lines, XDP)
        assert isinstance(written, Store)
        assert isinstance(written.value, Swap)
        assert written.place.type is kind


def test_a_big_endian_key_and_value_are_swapped() -> None:
    update = last("ports[1] = 2", XDP)
    call = getattr(update, "value", None)
    assert isinstance(call, MapCall)
    assert call.map is ports
    for argument, kind in zip(call.args[:2], (be32, be16), strict=True):
        assert isinstance(argument, Spill)
        assert isinstance(argument.value, Swap)
        assert argument.type.target is kind


def test_a_number_from_a_lookup_is_a_pointer_to_it() -> None:
    found = value("c = counts.lookup(1)", XDP)
    assert isinstance(found, MapCall)
    assert found.map is counts
    assert found.type == Pointer(u64, Memory.VALUE, nullable=True, what="a map lookup")


def test_a_record_is_a_pointer_that_knows_its_ring() -> None:
    kind = value("e = ring.reserve()", XDP).type
    assert (kind.target, kind.memory, kind.nullable) == (Note, Memory.RECORD, True)


def test_a_view_knows_where_the_packet_begins_and_ends() -> None:
    found = value("e = ctx.view(Eth, 14)", XDP)
    assert isinstance(found, View)
    assert (found.start_field, found.end_field) == (0, 4)
    other = value("e = ctx.view(Eth)", '@skep.tc("egress")\ndef p(ctx):\n')
    assert isinstance(other, View)
    assert (other.start_field, other.end_field) == (16, 20)
    assert found.type.target is Eth


@pytest.mark.parametrize(
    ("offset", "kind"),
    [
        ("14", u32),
        ("ctx.ingress_ifindex", u32),
        ("s64(ctx.ingress_ifindex)", u64),
        ("u8(ctx.ingress_ifindex)", u8),
    ],
)
def test_the_offset_of_a_view_is_never_negative(offset: str, kind: IntType) -> None:
    found = value(f"e = ctx.view(Eth, {offset})", XDP)
    assert isinstance(found, View)
    assert found.offset.type is kind


def test_a_number_that_was_looked_up_is_an_address_for_a_helper() -> None:
    made = value("""
        found = counts.lookup(5)
        if found is None:
            return 1
        text = u8[8]()
        read = skep.probe_read_kernel(text, found)
        """)
    assert isinstance(made, HelperCall)
    assert made.args[-1].type is u64


FORMAT = '@skep.tracepoint("sched/sched_process_exec")\ndef p(ctx):\n'


@pytest.mark.parametrize(
    ("name", "element", "counted_from"), [("filename", char, 0), ("raw", u8, 16), ("cpus", None, 0)]
)
def test_what_lies_behind_a_record_is_reached_by_its_field(
    name: str, element: IntType | None, counted_from: int
) -> None:
    pointer = value(f"x = ctx.{name}", FORMAT)
    assert isinstance(pointer, Binary)
    assert (pointer.op, pointer.type) == ("pointer", Pointer(element, Memory.PROBE))
    numbers = [node.value for node in walk(pointer) if isinstance(node, Const)]
    assert numbers == [0, 0xFFFF, *([counted_from] if counted_from else []), 0]
    (word,) = (node for node in walk(pointer) if isinstance(node, Load))
    member = Executed.field(name)
    assert member is not None
    assert (word.place.offset, word.type) == (member.offset, u32)


def test_the_length_of_what_lies_behind_a_record_is_in_the_upper_half_of_its_field() -> None:
    length = value("x = len(ctx.filename)", FORMAT)
    assert isinstance(length, Binary)
    assert isinstance(length.right, Const)
    assert (length.op, length.right.value, length.type) == (">>", 16, u32)


@pytest.mark.parametrize(
    ("given", "data"),
    [
        ('"cubic"', b"cubic\0"),
        ("CITY", b"Z\xc3\xbcrich\0"),
        ('b"\\1\\0"', b"\1\0"),
    ],
)
def test_text_for_a_helper_lies_in_constant_memory(given: str, data: bytes) -> None:
    made = tree(
        f"skep.skb_store_bytes(0, {given}, 0)",
        head='@skep.tc("ingress")\ndef p(ctx):\n',
        before='CITY = "Z\u00fcrich"\n',
    )
    (call,) = (node for node in walk(*made.body) if isinstance(node, HelperCall))
    text, size = call.args[2], call.args[3]
    assert isinstance(text, ConstantText)
    assert isinstance(size, Const)
    assert (text.data, size.value) == (data, len(data))
