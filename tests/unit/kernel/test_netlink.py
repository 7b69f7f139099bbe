"""Messages of routing netlink are packed and cut as the kernel does it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from skep.kernel.clsact import _priority
from skep.kernel.netlink import Filter, attribute, attributes


def test_attributes_are_padded_and_found_by_type() -> None:
    data = attribute(3, b"eth0\0") + attribute(4, struct.pack("<I", 1500))
    assert len(data) == 12 + 8
    assert attributes(data) == {3: b"eth0\0", 4: struct.pack("<I", 1500)}


def test_flags_of_a_type_do_not_hide_it() -> None:
    assert attributes(attribute(0x8000 | 18, b"")) == {18: b""}


@given(some.binary(max_size=60))
def test_garbage_gives_some_attributes_and_no_error(data: bytes) -> None:
    assert sum(len(value) for value in attributes(data).values()) <= len(data)


@given(some.dictionaries(some.integers(0, 100), some.binary(max_size=20), max_size=5))
def test_what_is_packed_is_unpacked(values: dict[int, bytes]) -> None:
    assert attributes(b"".join(attribute(kind, value) for kind, value in values.items())) == values


@pytest.mark.parametrize(
    ("taken", "first", "chosen"),
    [([], 1, 0x4000), ([100, 200], 1, 99), ([100, 200], 0, 201)],
)
def test_a_filter_gets_a_place_before_or_behind_all_others(
    taken: list[int], first: int, chosen: int
) -> None:
    filters = [Filter(1, priority, "other", 7) for priority in taken]
    assert _priority(filters, first=bool(first)) == chosen
