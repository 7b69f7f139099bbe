"""Memory of plain Python: arrays beside text and bytes, their parts, bit fields and unions."""

from typing import Any

import pytest

from skep.lang.plain import memory
from skep.lang.types import char, u8, u16
from tests.unit.lang.prelude import Address, Flags


def fresh(kind: object, **fields: int) -> Any:  # noqa: ANN401 - a view of any kind
    """Memory of a type."""
    return memory.fresh(kind, **fields)


def test_text_ends_at_its_first_nul() -> None:
    name = fresh(char[8])
    name[:] = "ab\0cd"
    assert name == "ab"
    assert name != "ab\0cd"
    assert (name.startswith("a"), name.endswith("b"), "c" in name) == (True, True, False)
    assert (int(name.find("b")), int(name.find("d"))) == (1, -1)
    assert f"{name}" == "ab"


def test_bytes_have_all_that_their_array_has() -> None:
    raw = fresh(u8[4])
    raw[1:3] = b"xy"
    assert raw == b"\0xy\0"
    assert raw == [0, 120, 121, 0]
    assert raw[1:3] == b"xy"
    assert (raw.endswith(b"\0"), b"yx" in raw, int(raw.find(b"y"))) == (True, False, 2)


def test_a_part_is_the_array_itself() -> None:
    words = fresh(u16[5])
    part = words[1:4]
    part[0] = 70000
    words[-2:] = [8, 9]
    assert [int(n) for n in words] == [0, 4464, 0, 8, 9]
    assert (len(part), int(part[2])) == (3, 8)


@pytest.mark.parametrize("other", [b"ab", 5, None])
def test_text_does_not_go_with_anything_else(other: object) -> None:
    with pytest.raises(TypeError, match="does not go with"):
        fresh(char[8]) == other  # noqa: B015 - the comparison refuses


def test_arrays_go_with_each_other() -> None:
    long, short = fresh(char[8]), fresh(char[3])
    long[:] = "abc"
    short[:] = "abc"
    assert long == short
    assert fresh(u8[2]) == fresh(u8[2])


def test_a_bit_field_wraps_around_beside_others() -> None:
    flags = fresh(Flags, low=7, high=40)
    flags.signed = 33
    flags.low += 2
    assert (int(flags.low), int(flags.high), int(flags.signed)) == (1, 8, -31)
    assert flags.low.place is None


def test_fields_of_a_union_are_the_same_bytes() -> None:
    address = fresh(Address, v4=0x01020304)
    address.v6[3] = 9
    assert int(address.v4) == 0x01020309
