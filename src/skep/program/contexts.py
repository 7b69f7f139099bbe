"""The context that goes with a packet in a test run: fields of the kernel's struct by name, to bytes and back.

Pure functions of types and values. Which fields a run takes is the kernel's matter: it refuses the others.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from skep.btf.reader import Btf
from skep.btf.types import Array, Int, Kind, Struct
from skep.lang.plain.packets import Packet

XDP = "xdp_md"
PLACES = frozenset({"data", "data_end", "data_meta"})
"""Fields that are places in the packet."""
TAKEN = {
    "__sk_buff": "mark, priority, ifindex, ingress_ifindex, cb, tstamp, hwtstamp, gso_segs, gso_size",
    XDP: "ingress_ifindex, rx_queue_index",
}
"""What the kernel lets a test say of a packet (net/bpf/test_run.c)."""


class Slot(NamedTuple):
    """Where a field lies: ``length`` numbers of ``size`` bytes, 0: one that is no array."""

    name: str
    offset: int
    size: int
    length: int


def slots(btf: Btf, name: str) -> tuple[int, list[Slot]]:
    """The size of a context's struct, and its fields that are numbers."""
    found = btf.find(Kind.STRUCT, name)
    struct = btf.type(found) if found else None
    if not isinstance(struct, Struct):
        return 0, []
    return struct.size, list(_numbers(btf, struct))


def _numbers(btf: Btf, struct: Struct) -> Iterator[Slot]:
    for member in struct.members:
        kind = btf.type(btf.resolve(member.type_id))
        count = kind.length if isinstance(kind, Array) else 0
        one = btf.type(btf.resolve(kind.element)) if isinstance(kind, Array) else kind
        if member.name and isinstance(one, Int):
            yield Slot(member.name, member.bit_offset // 8, one.size, count)


def context_of(packet: Packet, btf: Btf, name: str) -> bytes:
    """The struct ``name`` with the packet's fields. ValueError where it has no such field, or a number does not fit."""
    size, known = slots(btf, name)
    fields = dict(packet.fields)
    if name == XDP:
        fields |= {"data": len(packet.told), "data_end": len(packet.told) + len(packet.bytes)}
    elif packet.told:
        raise ValueError("metadata before a packet is given to XDP programs")
    data, by_name = bytearray(size), {one.name: one for one in known}
    for field, value in fields.items():
        if field not in by_name:
            raise ValueError(f"{name} has no field {field!r} that a test run takes")
        _put(data, by_name[field], value)
    return bytes(data)


def _put(data: bytearray, slot: Slot, value: Any) -> None:  # noqa: ANN401 - a number, or a list of them
    for at, one in enumerate(value if slot.length else [value]):
        try:
            raw = int(one).to_bytes(slot.size, "little")
        except OverflowError as error:
            raise ValueError(
                f"{slot.name} has {slot.size} bytes, which {one} does not fit"
            ) from error
        data[slot.offset + at * slot.size : slot.offset + (at + 1) * slot.size] = raw


def fields_of(data: bytes, btf: Btf, name: str) -> Mapping[str, Any]:
    """The fields in a context's bytes that are not 0; places in the packet are none."""
    found = {one.name: _get(data, one) for one in slots(btf, name)[1]}
    return {
        field: value
        for field, value in found.items()
        if field not in PLACES and (any(value) if isinstance(value, list) else value)
    }


def _get(data: bytes, slot: Slot) -> int | list[int]:
    numbers = [
        int.from_bytes(data[at : at + slot.size], "little")
        for at in range(slot.offset, slot.offset + slot.size * (slot.length or 1), slot.size)
    ]
    return numbers if slot.length else numbers[0]


def told_bytes(data: bytes, btf: Btf, name: str) -> int:
    """How many bytes of metadata stand before the packet in what a run gave back."""
    found = next((one for one in slots(btf, name)[1] if one.name == "data"), None)
    number = _get(data, found) if found and name == XDP and data else 0
    return number if isinstance(number, int) else 0
