"""The entries of any map of this machine as values, by the types that the kernel knows of it: for people who look.

One entry at a time, by key after key, which every map that has keys can do. Where the kernel knows no types (BTF), the
map's own type says what can be said: an index is a number, a map in a map has an id, a stack has addresses. What is
left is hexadecimal text.
"""

import errno
import struct
from collections.abc import Iterator
from typing import NamedTuple

from skep.btf.reader import Btf
from skep.btf.values import Value, value_of
from skep.kernel import commands, cpus
from skep.kernel.bpf import Door
from skep.kernel.commands import Command
from skep.kernel.objects import MapInfo, btf_blob
from skep.lang.maps import STACK_BUILD_ID
from skep.lang.spec import MapType

UNLISTED = frozenset(
    {
        MapType.PERF_EVENT_ARRAY,
        MapType.CGROUP_ARRAY,
        MapType.RINGBUF,
        MapType.USER_RINGBUF,
        MapType.BLOOM_FILTER,
        MapType.ARENA,
        MapType.STRUCT_OPS,
        MapType.SK_STORAGE,
        MapType.INODE_STORAGE,
        MapType.TASK_STORAGE,
        MapType.CGRP_STORAGE,
    }
)
"""Map types whose entries cannot be listed: no keys, keys that are descriptors, or values that the kernel hides."""
PEEKED = frozenset({MapType.QUEUE, MapType.STACK})
"""Map types that show their next value only."""
NUMBERED = frozenset(
    {
        MapType.ARRAY,
        MapType.PERCPU_ARRAY,
        MapType.PROG_ARRAY,
        MapType.ARRAY_OF_MAPS,
        MapType.DEVMAP,
        MapType.CPUMAP,
        MapType.XSKMAP,
        MapType.SOCKMAP,
        MapType.REUSEPORT_SOCKARRAY,
        MapType.STACK_TRACE,
    }
)
"""Map types whose keys are numbers."""
PARTS: dict[int, tuple[str, ...]] = {
    MapType.ARRAY_OF_MAPS: ("map",),
    MapType.HASH_OF_MAPS: ("map",),
    MapType.PROG_ARRAY: ("prog",),
    MapType.DEVMAP: ("device", "prog"),
    MapType.DEVMAP_HASH: ("device", "prog"),
    MapType.CPUMAP: ("packets", "prog"),
}
"""What the 32-bit numbers of a value are: ids of maps and programs, the index of a device, packets that may wait."""
SOCKETS = frozenset({MapType.SOCKMAP, MapType.SOCKHASH, MapType.REUSEPORT_SOCKARRAY})
COOKIE = 8
"""Bytes that the value of a map of sockets needs, so that the kernel shows their cookies."""
_GONE = (errno.ENOENT, errno.EOPNOTSUPP, errno.EBADF)


class Entry(NamedTuple):
    """A key and its value; of a per-CPU map a list of values, one for each possible CPU."""

    key: Value
    value: Value


def entries(door: Door, fd: int, info: MapInfo) -> Iterator[Entry]:
    """The entries of a map, in the kernel's order; those that vanish meanwhile are passed over.

    When the last key vanished, the walk cannot go on from it and ends. Of a queue or stack it is the next value, which
    stays, under the key None.
    """
    btf = _btf(door, info)
    if info.type in PEEKED:
        value = _lookup(door, fd, b"", info)
        if value is not None:
            yield Entry(None, _values(btf, info, value))
        return
    key, found = b"", bytearray(info.key_size)
    while _next(door, fd, key, found):
        key = bytes(found)
        value = _lookup(door, fd, key, info)
        if value is not None:
            yield Entry(_key(btf, info, key), _values(btf, info, value))


def entry(door: Door, fd: int, info: MapInfo, key: bytes) -> Entry | None:
    """The entry of one key, None where there is none."""
    value, btf = _lookup(door, fd, key, info), _btf(door, info)
    return None if value is None else Entry(_key(btf, info, key), _values(btf, info, value))


def _btf(door: Door, info: MapInfo) -> Btf | None:
    return Btf(btf_blob(door, info.btf_id)) if info.btf_id else None


def _next(door: Door, fd: int, key: bytes, found: bytearray) -> bool:
    try:
        commands.map_element(door, Command.MAP_NEXT_KEY, fd, key, found)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return False
        raise
    return True


def _lookup(door: Door, fd: int, key: bytes, info: MapInfo) -> bytes | None:
    value = bytearray(_slot(info) * _cpus(info))
    try:
        commands.map_element(door, Command.MAP_LOOKUP, fd, key, value)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise
    return bytes(value)


def _cpus(info: MapInfo) -> int:
    return len(cpus.possible()) if _per_cpu(info) else 1


def _per_cpu(info: MapInfo) -> bool:
    return any(kind == info.type and kind.per_cpu for kind in MapType)


def _slot(info: MapInfo) -> int:
    return -(-info.value_size // 8) * 8 if _per_cpu(info) else info.value_size


def hides_values(info: MapInfo) -> bool:
    """Whether the kernel shows no value of the map: its values are too short for the cookies of sockets."""
    return info.type in SOCKETS and info.value_size < COOKIE


def _key(btf: Btf | None, info: MapInfo, data: bytes) -> Value:
    if not info.key_type and info.type in NUMBERED:
        return int.from_bytes(data, "little")
    return _decoded(btf, info.key_type, data)


def _untyped(info: MapInfo, data: bytes) -> Value:
    """A value that has no BTF."""
    if info.type in PARTS:
        numbers = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
        return dict(zip(PARTS[info.type], numbers, strict=False))
    if info.type in SOCKETS:
        return {"cookie": int.from_bytes(data, "little")}
    if info.type == MapType.STACK_TRACE and not info.flags & STACK_BUILD_ID:
        return [f"{one:#x}" for (one,) in struct.iter_unpack("<Q", data) if one]
    return data.hex(" ")


def _values(btf: Btf | None, info: MapInfo, data: bytes) -> Value:
    if not info.value_type and not _per_cpu(info):
        return _untyped(info, data)
    if not _per_cpu(info):
        return _decoded(btf, info.value_type, data)
    slot = _slot(info)
    return [
        _decoded(btf, info.value_type, data[at : at + info.value_size])
        for at in range(0, len(data), slot)
    ]


def _decoded(btf: Btf | None, type_id: int, data: bytes) -> Value:
    return data.hex(" ") if btf is None or not type_id else value_of(btf, type_id, data)
