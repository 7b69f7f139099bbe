"""The entries of any map of this machine as values, by the types that the kernel knows of it: for people who look.

One entry at a time, by key after key, which every map that has keys can do. A map without BTF gives hexadecimal text.
"""

import errno
from collections.abc import Iterator
from typing import NamedTuple

from skep.btf.reader import Btf
from skep.btf.values import Value, value_of
from skep.kernel import commands, cpus
from skep.kernel.bpf import Door
from skep.kernel.commands import Command
from skep.kernel.objects import MapInfo, btf_blob
from skep.lang.spec import MapType

KEYLESS = frozenset(
    {
        MapType.RINGBUF,
        MapType.USER_RINGBUF,
        MapType.QUEUE,
        MapType.STACK,
        MapType.BLOOM_FILTER,
        MapType.ARENA,
        MapType.STRUCT_OPS,
        MapType.SK_STORAGE,
        MapType.INODE_STORAGE,
        MapType.TASK_STORAGE,
        MapType.CGRP_STORAGE,
    }
)
"""Map types whose entries cannot be listed: they have no keys, or keys that are descriptors."""
_GONE = (errno.ENOENT, errno.EOPNOTSUPP, errno.EBADF)


class Entry(NamedTuple):
    """A key and its value; of a per-CPU map a list of values, one for each possible CPU."""

    key: Value
    value: Value


def entries(door: Door, fd: int, info: MapInfo) -> Iterator[Entry]:
    """The entries of a map, in the kernel's order; those that vanish meanwhile are passed over.

    When the last key vanished, the walk cannot go on from it and ends.
    """
    btf = Btf(btf_blob(door, info.btf_id)) if info.btf_id else None
    key, found = b"", bytearray(info.key_size)
    while _next(door, fd, key, found):
        key = bytes(found)
        value = _lookup(door, fd, key, info)
        if value is not None:
            yield Entry(_decoded(btf, info.key_type, key), _values(btf, info, value))


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


def _values(btf: Btf | None, info: MapInfo, data: bytes) -> Value:
    if not _per_cpu(info):
        return _decoded(btf, info.value_type, data)
    slot = _slot(info)
    return [
        _decoded(btf, info.value_type, data[at : at + info.value_size])
        for at in range(0, len(data), slot)
    ]


def _decoded(btf: Btf | None, type_id: int, data: bytes) -> Value:
    return data.hex(" ") if btf is None or not type_id else value_of(btf, type_id, data)
