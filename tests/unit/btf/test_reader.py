"""Types are found and read as they were written; what is no BTF is refused with BadInput and nothing else."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as some

from skep.base.errors import BadInput
from skep.btf import index as indexing
from skep.btf import types
from skep.btf.reader import Btf
from skep.btf.types import Kind, Member, Param
from skep.btf.writer import Builder
from tests.unit.btf.samples import kernel


@pytest.fixture
def btf() -> Btf:
    return Btf(kernel())


def found(btf: Btf, kind: Kind, name: str) -> int:
    type_id = btf.find(kind, name)
    assert type_id is not None
    return type_id


def test_a_type_is_found_by_kind_and_name_and_by_nothing_less(btf: Btf) -> None:
    assert btf.name(found(btf, Kind.STRUCT, "task")) == "task"
    assert btf.kind(found(btf, Kind.FUNC, "wake_up")) is Kind.FUNC
    for kind, name in (
        (Kind.UNION, "task"),
        (Kind.STRUCT, "tas"),
        (Kind.STRUCT, "ask"),
        (Kind.FUNC, ""),
    ):
        assert btf.find(kind, name) is None


def test_members_are_found_through_anonymous_ones_at_their_place_in_the_whole(btf: Btf) -> None:
    task = found(btf, Kind.STRUCT, "task")
    places = {f.name: (f.offset, f.bit_offset, f.bitfield_size) for f in btf.fields(task)}
    assert places == {
        "pid": (0, 0, 0),
        "whole": (4, 32, 0),
        "low": (4, 32, 0),
        "high": (8, 64, 0),
        "a": (12, 96, 3),
        "b": (12, 99, 5),
        "comm": (16, 128, 0),
    }
    assert btf.field(task, "high") == types.Field(
        "high", found(btf, Kind.INT, "unsigned int"), 64, 0
    )
    assert btf.field(task, "absent") is None


def test_typedefs_qualifiers_and_tags_are_seen_through(btf: Btf) -> None:
    task, alias = found(btf, Kind.STRUCT, "task"), found(btf, Kind.TYPEDEF, "task_t")
    assert btf.resolve(alias) == task
    assert btf.size(alias) == 32
    assert btf.field(alias, "pid") is not None


def test_sizes_are_those_of_c(btf: Btf) -> None:
    comm = btf.field(found(btf, Kind.STRUCT, "task"), "comm")
    assert comm is not None
    assert btf.size(comm.type_id) == 16
    assert btf.size(found(btf, Kind.FLOAT, "double")) == 8
    assert btf.size(found(btf, Kind.VAR, "counter")) == 4
    assert btf.size(btf.prototype(found(btf, Kind.FUNC, "wake_up")).params[0].type_id) == 8
    assert btf.size(0) == btf.size(found(btf, Kind.FWD, "elsewhere")) == 0


def test_signatures_are_read_through_functions_pointers_and_typedefs(btf: Btf) -> None:
    wake = btf.prototype(found(btf, Kind.FUNC, "wake_up"))
    assert [p.name for p in wake.params] == ["task"]
    assert wake.variadic
    trace = btf.prototype(found(btf, Kind.TYPEDEF, "btf_trace_wake"))
    assert (trace.result, len(trace.params), trace.variadic) == (0, 1, False)
    with pytest.raises(BadInput, match="no function"):
        btf.prototype(found(btf, Kind.STRUCT, "task"))


def test_enumerations_give_names_by_value_signed_and_wide(btf: Btf) -> None:
    assert btf.enum("reason") == {0: "NONE", 2: "FULL"}
    assert btf.enum("sign") == {-1: "MINUS"}
    assert btf.enum("wide") == {1 << 40: "HUGE"}
    assert btf.enum("absent") == {}


def test_enumerators_are_found_wherever_they_are() -> None:
    make = Builder()
    number = make.integer("int", 4)
    make.enum("", [("LOW", 1), ("TWICE", 1)])
    make.enum("", [("TWICE", 2), ("LOW_TOO", 5)])
    make.enum("level", [("HIGH", 7)])
    make.enum64("", [("HUGE", 1 << 40)])
    make.struct("LOW", 4, [Member("HIGH", number, 0)])
    btf = Btf(make.build())
    above = Builder(btf.count, btf.string_end)
    above.enum("own", [("HIGH", 9)])
    module = Btf(above.build(), btf)
    assert [*btf.enumerators("LOW")] == [("", 1)]
    assert [*btf.enumerators("TWICE")] == [("", 1), ("", 2)]
    assert [*btf.enumerators("HUGE")] == [("", 1 << 40)]
    assert [*btf.enumerators("HIGH")] == [("level", 7)]
    assert [*module.enumerators("HIGH")] == [("level", 7), ("own", 9)]
    assert [*btf.enumerators("int")] == []
    assert [*btf.enumerators("NONE")] == []


def test_names_lists_each_kind_in_order(btf: Btf) -> None:
    assert list(btf.names(Kind.ENUM)) == ["reason", "sign"]
    assert list(btf.names(Kind.UNION)) == []


def test_every_kind_is_decoded(btf: Btf) -> None:
    classes = {type(btf.type(n)) for n in range(btf.count)}
    assert {Kind[_upper(one.__name__)] for one in classes} == set(Kind) - {Kind.RESTRICT}


def _upper(name: str) -> str:
    special = {"FuncProto": "FUNC_PROTO", "DeclTag": "DECL_TAG", "TypeTag": "TYPE_TAG"}
    return special.get(name, name.upper())


def test_a_module_goes_on_where_its_kernel_ends(btf: Btf) -> None:
    make = Builder(first=btf.count, string_start=btf.string_end)
    task = found(btf, Kind.STRUCT, "task")
    own = make.struct("first_name", 40, [Member("task", task, 0)])
    module = Btf(make.build(), btf)
    assert module.find(Kind.STRUCT, "first_name") == own == btf.count
    assert module.find(Kind.STRUCT, "task") == task
    assert module.name(task) == "task"
    assert [f.name for f in module.fields(own)] == ["task"]
    assert list(module.names(Kind.STRUCT)) == ["task", "first_name"]
    assert module.count == btf.count + 1


def test_a_name_that_only_the_kernel_has_is_shared_with_the_module(btf: Btf) -> None:
    make = Builder(first=btf.count, string_start=btf.string_end)
    make.struct("first_name", 4, [])
    make.typedef("reason", 1)
    module = Btf(make.build(), btf)
    assert module.find(Kind.TYPEDEF, "reason") == btf.count + 1


def test_ids_and_strings_out_of_range_are_refused(btf: Btf) -> None:
    for type_id in (-1, btf.count, 1 << 40):
        with pytest.raises(BadInput):
            btf.type(type_id)
    with pytest.raises(BadInput):
        btf.string(1 << 30)
    with pytest.raises(BadInput, match="no members"):
        list(btf.fields(found(btf, Kind.INT, "unsigned char")))


def test_a_blob_whose_strings_are_cut_off_is_refused() -> None:
    blob = kernel()
    with pytest.raises(BadInput, match=rf"a section ends at byte {len(blob)}"):
        Btf(blob[:-1])


def test_types_that_contain_themselves_end() -> None:
    make = Builder()
    make.typedef("loop", 1)
    make.array(2, 2, 3)
    make.struct("self", 4, [Member("", 3, 0)])
    btf = Btf(make.build())
    for ask in (lambda: btf.resolve(1), lambda: btf.size(2), lambda: list(btf.fields(3))):
        with pytest.raises(BadInput, match="itself"):
            ask()


def test_a_saved_index_serves_as_a_built_one() -> None:
    blob = kernel()
    built = Btf(blob)
    saved = indexing.load(indexing.dump(built.index, b"id"), b"id")
    assert saved is not None
    again = Btf(blob, index=saved)
    assert [again.type(n) for n in range(again.count)] == [
        built.type(n) for n in range(built.count)
    ]
    assert again.find(Kind.STRUCT, "task") == built.find(Kind.STRUCT, "task")


def test_a_saved_index_that_is_foreign_cut_or_damaged_is_not_taken() -> None:
    whole = indexing.dump(Btf(kernel()).index, b"id")
    damaged = bytearray(whole)
    damaged[-3] ^= 1
    for data, key in (
        (whole, b"other"),
        (whole[:-4], b"id"),
        (b"", b"id"),
        (bytes(damaged), b"id"),
    ):
        assert indexing.load(data, key) is None


def _touch(blob: bytes) -> None:
    """Asks everything of a blob."""
    btf = Btf(blob)
    for type_id in range(btf.count):
        for ask in (btf.type, btf.name, btf.size, btf.kind):
            ask(type_id)
    for kind in Kind:
        for name in itertools.islice(btf.names(kind), 3):
            btf.find(kind, name)


@given(some.binary(max_size=64), some.integers(0, 400), some.integers(0, 400))
def test_garbage_in_a_blob_is_refused_and_raises_nothing_else(
    garbage: bytes, at: int, cut: int
) -> None:
    blob = bytearray(kernel())
    blob[at : at + len(garbage)] = garbage
    try:
        _touch(bytes(blob[: len(blob) - cut]))
    except BadInput:
        return


def test_what_is_written_twice_is_the_same_bytes() -> None:
    assert kernel() == kernel()


@given(some.lists(some.text("abcdef_", min_size=1, max_size=6), min_size=1, max_size=20))
def test_each_name_is_found_at_its_first_type(names: list[str]) -> None:
    make = Builder()
    integer = make.integer("int", 4, signed=True)
    ids = [make.struct(name, 4, [Member("x", integer, 0)]) for name in names]
    make.func("f", make.prototype(0, [Param("x", integer)]))
    btf = Btf(make.build())
    for name in names:
        assert btf.find(Kind.STRUCT, name) == ids[names.index(name)]
