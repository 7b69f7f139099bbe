"""Messages of routing netlink are packed and cut as the kernel does it."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from skep.base.errors import Conflict
from skep.kernel.clsact import _drop_clsact, _priority
from skep.kernel.netlink import (
    BPF,
    EGRESS,
    INGRESS,
    Filter,
    Netlink,
    _filter,
    attribute,
    attributes,
)


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


@pytest.mark.parametrize(("taken", "first"), [([1, 200], True), ([100, 0xFFFF], False)])
def test_a_filter_gets_no_place_that_the_kernel_would_take_for_any_other(
    taken: list[int], *, first: bool
) -> None:
    filters = [Filter(1, priority, "other", 7) for priority in taken]
    with pytest.raises(Conflict, match="tc filter show"):
        _priority(filters, first=first)


def test_a_filter_of_another_kind_is_seen_and_has_no_program() -> None:
    head = struct.pack("<BxxxiIII", 0, 3, 0x80000800, INGRESS, 7 << 16 | 0x300)
    options = attribute(2, attribute(7, b"name\0") + attribute(11, struct.pack("<I", 42)))
    other = _filter(head + attribute(1, b"u32\0") + options)
    assert other == Filter(0x80000800, 7, "", 0, "u32")
    ours = _filter(head + attribute(1, b"bpf\0") + options)
    assert ours == Filter(0x80000800, 7, "name", 42, BPF)


class FakeNetlink:
    """A device with filters on both sides, as far as the end of a qdisc asks."""

    def __init__(self, sides: dict[int, list[Filter]]) -> None:
        self.sides, self.dropped = sides, list[int]()

    def filters(self, _: int, parent: int) -> list[Filter]:
        return self.sides.get(parent, [])

    def delete_clsact(self, index: int) -> None:
        self.dropped.append(index)


@pytest.mark.parametrize("side", [INGRESS, EGRESS])
def test_a_qdisc_stays_while_anybody_has_a_filter_in_it(side: int) -> None:
    used = FakeNetlink({side: [Filter(1, 7, "", 0, "u32")]})
    _drop_clsact(used, 3)
    assert used.dropped == []
    unused = FakeNetlink({})
    _drop_clsact(unused, 3)
    assert unused.dropped == [3]


def test_devices_are_those_of_the_machine() -> None:
    with Netlink() as netlink:
        found = {one.name: (one.ifindex, one.mtu) for one in netlink.devices()}
    root = Path("/sys/class/net")
    told = {
        one.name: (int((one / "ifindex").read_text()), int((one / "mtu").read_text()))
        for one in root.iterdir()
        if one.is_dir()
    }
    assert found == told
    assert "lo" in found
