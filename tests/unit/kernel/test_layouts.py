"""A map's types in BTF have the sizes and offsets of the language's."""

import pytest

from skep.btf.reader import Btf
from skep.btf.types import Array, Int, Kind, Struct, Typedef
from skep.kernel.layouts import layout_of
from skep.lang.struct import Struct as Layout
from skep.lang.types import INTEGERS, IntType, be32, char, s16, u8, u32, u64


class Inner(Layout):
    number: u8
    wide: u64


class Outer(Layout):
    length: u32
    inner: Inner
    many: Inner[3]  # type: ignore[type-arg, valid-type] # an array to us, not a generic
    name: char[5]
    source: be32


def test_offsets_and_sizes_of_a_struct_are_the_same_on_both_sides() -> None:
    blob, key_id, value_id = layout_of(u32, Outer)
    btf = Btf(blob)
    assert btf.size(key_id) == 4
    assert btf.size(value_id) == Outer.size
    assert [(f.name, f.offset) for f in btf.fields(value_id)] == [
        (f.name, f.offset) for f in Outer.fields
    ]
    for field in Outer.fields:
        found = btf.field(value_id, field.name)
        assert found is not None
        assert btf.size(found.type_id) == field.type.size


@pytest.mark.parametrize("kind", INTEGERS)
def test_an_integer_keeps_its_sign_and_a_big_endian_one_is_named_as_the_kernels(
    kind: IntType,
) -> None:
    blob, _, value_id = layout_of(u32, kind)
    btf = Btf(blob)
    found = btf.type(btf.resolve(value_id))
    assert isinstance(found, Int)
    assert (found.size, found.signed) == (kind.size, kind.signed)
    assert isinstance(btf.type(value_id), Typedef) is kind.big_endian
    if kind.big_endian:
        assert btf.name(value_id) == f"__{kind.__name__}"


def test_a_type_that_comes_twice_is_written_once() -> None:
    blob, _, value_id = layout_of(Inner, Outer)
    btf = Btf(blob)
    assert list(btf.names(Kind.STRUCT)) == ["Inner", "Outer"]
    assert isinstance(btf.type(value_id), Struct)


def test_arrays_have_an_integer_as_index() -> None:
    blob, _, value_id = layout_of(u32, s16[7])
    btf = Btf(blob)
    found = btf.type(value_id)
    assert isinstance(found, Array)
    assert found.length == 7
    assert btf.size(found.index_type) == 4


def test_a_map_without_key_or_value_has_no_types() -> None:
    assert layout_of(None, None) == (b"", 0, 0)


def test_what_is_no_type_of_the_language_is_refused() -> None:
    with pytest.raises(TypeError, match="no layout"):
        layout_of(u32, int)  # type: ignore[arg-type] # that is the point
