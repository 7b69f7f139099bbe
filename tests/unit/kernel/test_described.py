"""Types of the language, told to the kernel as BTF and read from it again, are the same; so are values in them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from skep.btf.reader import Btf
from skep.btf.values import value_of
from skep.kernel.described import differences, kind_of
from skep.kernel.layouts import Kind, layout_of
from skep.lang.struct import Struct, StructType, Union, pack, unpack
from skep.lang.types import INTEGERS, ArrayType, IntType, char, u8, u32

PLAIN = [one for one in INTEGERS if one is not char]
LEAVES = some.one_of(
    some.sampled_from(PLAIN), some.integers(1, 9).map(lambda count: ArrayType(char, count))
)


def compounds(fields: list[Kind], *, union: bool) -> StructType:
    space = {f"f{at}": kind for at, kind in enumerate(fields)}
    base = Union if union else Struct
    return StructType("Made", (base,), {"__annotations__": space})


def larger(inner: some.SearchStrategy[Kind]) -> some.SearchStrategy[Kind]:
    elements = inner.filter(lambda kind: not isinstance(kind, ArrayType))
    return some.one_of(
        some.builds(ArrayType, elements, some.integers(1, 4)),
        some.builds(compounds, some.lists(inner, min_size=1, max_size=4), union=some.booleans()),
    )


KINDS: some.SearchStrategy[Kind] = some.recursive(LEAVES, larger, max_leaves=8)


@settings(max_examples=40)
@given(KINDS, KINDS)
def test_a_type_that_the_kernel_was_told_is_read_as_it_was(key: Kind, value: Kind) -> None:
    blob, key_id, value_id = layout_of(key, value)
    btf = Btf(blob)
    for told, number in ((key, key_id), (value, value_id)):
        found = kind_of(btf, number)
        assert found is not None
        assert list(differences(found, told, "it")) == []
        assert (found.size, btf.size(number)) == (told.size, told.size)


@settings(max_examples=30)
@given(some.lists(some.sampled_from(PLAIN), min_size=2, max_size=5), some.data())
def test_a_type_with_another_field_is_not_taken_for_the_same(
    fields: list[Kind], data: some.DataObject
) -> None:
    at = data.draw(some.integers(0, len(fields) - 1))
    other = [*fields]
    other[at] = data.draw(some.sampled_from([one for one in PLAIN if one is not fields[at]]))
    told = compounds(fields, union=False)
    wanted = compounds([*other], union=False)
    blob, _, number = layout_of(u32, told)
    assert list(differences(kind_of(Btf(blob), number), wanted, "it"))


def shown(kind: Kind, value: Any) -> Any:  # noqa: ANN401 - of the language, of JSON
    """A value of the language as JSON has it; of a union all its readings."""
    if isinstance(kind, StructType):
        return {field.name: shown(field.type, getattr(value, field.name)) for field in kind.fields}
    if isinstance(kind, ArrayType) and kind.element is not char:
        return [shown(kind.element, one) for one in value]
    return str(value) if isinstance(kind, ArrayType) else value


@settings(max_examples=50)
@given(KINDS, some.data())
def test_bytes_read_by_the_kernel_s_types_are_what_the_language_reads(
    kind: Kind, data: some.DataObject
) -> None:
    raw = data.draw(some.binary(min_size=kind.size, max_size=kind.size))
    blob, _, number = layout_of(u32, kind)
    assert value_of(Btf(blob), number, raw) == shown(kind, unpack(kind, raw))


@given(some.sampled_from(PLAIN), some.data())
def test_a_number_is_written_as_it_is_read(kind: IntType, data: some.DataObject) -> None:
    raw = data.draw(some.binary(min_size=kind.size, max_size=kind.size))
    assert pack(kind, unpack(kind, raw)) == raw


def test_a_type_that_the_language_has_not_is_none() -> None:
    blob, _, number = layout_of(None, ArrayType(u8, 3))
    btf = Btf(blob)
    assert kind_of(btf, 0) is None
    assert kind_of(btf, number) == ArrayType(u8, 3)
    with pytest.raises(TypeError, match="no layout"):
        layout_of(None, str)  # type: ignore[arg-type] # what is no type of the language
