"""How the fake kernel answers commands on maps: a function for each, of what it holds and of what was asked."""

import errno
import os
import struct
from collections.abc import Callable

from skep.kernel.bpf import memory
from skep.kernel.commands import Command
from skep.kernel.rings import PAGE
from skep.testing.fake_maps import ARRAYS, BLOOM, HASHES, MMAPABLE, RING, U32, FakeMap, refused
from skep.testing.fake_objects import FakeBlob, Objects


def _map_create(kernel: Objects, attr: bytearray) -> int:
    kind, key, value, entries, flags = struct.unpack_from("<IIIII", attr)
    name = bytes(attr[28:44]).split(b"\0")[0].decode()
    if not all(c.isalnum() or c in "_." for c in name):
        raise refused(errno.EINVAL)
    if kind == RING and (key or value or entries % PAGE or entries & (entries - 1)):
        raise refused(errno.EINVAL)
    btf_fd, key_id, value_id = struct.unpack_from("<III", attr, 48)
    made = FakeMap(kernel.number(), kind, key, value, entries, flags, name)
    blob = kernel.at(btf_fd) if key_id or value_id else None
    made.btf = (blob.id, key_id, value_id) if isinstance(blob, FakeBlob) else (0, 0, 0)
    made.fill()
    if kind == RING:
        made.file = _file(2 * PAGE + 2 * entries)
    elif flags & MMAPABLE:
        made.file = _file(-(-made.stored // 8) * 8 * entries)
    return kernel.new(made)


def _lookup(kernel: Objects, attr: bytearray) -> int:
    found, key, value = _element(kernel, attr)
    found.note(struct.unpack_from("<Q", attr, 24)[0])
    asked = bytes(memory(value, found.stored)) if found.type == BLOOM else key
    memory(value, found.stored)[:] = found.read(asked)
    return 0


def _take(kernel: Objects, attr: bytearray) -> int:
    found, key, value = _element(kernel, attr)
    found.note(struct.unpack_from("<Q", attr, 24)[0])
    memory(value, found.stored)[:] = found.take(key)
    return 0


def _update(kernel: Objects, attr: bytearray) -> int:
    found, key, value = _element(kernel, attr)
    (flags,) = struct.unpack_from("<Q", attr, 24)
    found.note(flags)
    found.store(key, bytes(memory(value, found.stored)), flags)
    return 0


def _delete(kernel: Objects, attr: bytearray) -> int:
    found, key, _ = _element(kernel, attr)
    found.remove(key)
    return 0


def _next_key(kernel: Objects, attr: bytearray) -> int:
    fd, _, at, following = struct.unpack_from("<IIQQ", attr)
    found = kernel.map(fd)
    key = bytes(memory(at, found.key_size)) if at else None
    memory(following, found.key_size)[:] = found.after(key)
    return 0


def _element(kernel: Objects, attr: bytearray) -> tuple[FakeMap, bytes, int]:
    fd, _, key, value = struct.unpack_from("<IIQQ", attr)
    found = kernel.map(fd)
    return found, bytes(memory(key, found.key_size)) if key else b"", value


def _lookup_batch(kernel: Objects, attr: bytearray) -> int:
    return _read_batch(kernel, attr, take=False)


def _take_batch(kernel: Objects, attr: bytearray) -> int:
    return _read_batch(kernel, attr, take=True)


def _read_batch(kernel: Objects, attr: bytearray, *, take: bool) -> int:
    start, cursor, keys, values, room, fd = struct.unpack_from("<QQQQII", attr)
    found = kernel.map(fd)
    found.note(struct.unpack_from("<Q", attr, 40)[0])
    if found.type not in HASHES + ARRAYS or (take and found.type not in HASHES):
        raise refused(524)
    at = int.from_bytes(memory(start, 4), "little") if start else 0
    everything = list(found.values)
    chosen = everything[at : at + room]
    for n, key in enumerate(chosen):
        memory(keys + n * found.key_size, found.key_size)[:] = key
        memory(values + n * found.stored, found.stored)[:] = found.value(key)
    memory(cursor, 4)[:] = U32.pack(0 if take else at + len(chosen))
    struct.pack_into("<I", attr, 32, len(chosen))
    if take:
        for key in chosen:
            del found.values[key]
    if at + room >= len(everything):
        raise refused(errno.ENOENT)
    return 0


def _update_batch(kernel: Objects, attr: bytearray) -> int:
    _, _, keys, values, size, fd = struct.unpack_from("<QQQQII", attr)
    found = kernel.map(fd)
    found.note(struct.unpack_from("<Q", attr, 40)[0])
    for n in range(size):
        key = bytes(memory(keys + n * found.key_size, found.key_size))
        struct.pack_into("<I", attr, 32, n)
        found.store(key, bytes(memory(values + n * found.stored, found.stored)), 0)
    struct.pack_into("<I", attr, 32, size)
    return 0


def _freeze(kernel: Objects, attr: bytearray) -> int:
    kernel.map(U32.unpack_from(attr)[0]).frozen = True
    return 0


def _file(size: int) -> int:
    """Memory that can be mapped several times; gone with the process."""
    fd = os.memfd_create("skep-fake", os.MFD_CLOEXEC)
    os.ftruncate(fd, -(-size // PAGE) * PAGE)
    return fd


MAP_COMMANDS: dict[Command, Callable[[Objects, bytearray], int]] = {
    Command.MAP_CREATE: _map_create,
    Command.MAP_LOOKUP: _lookup,
    Command.MAP_UPDATE: _update,
    Command.MAP_DELETE: _delete,
    Command.MAP_NEXT_KEY: _next_key,
    Command.MAP_LOOKUP_AND_DELETE: _take,
    Command.MAP_LOOKUP_BATCH: _lookup_batch,
    Command.MAP_LOOKUP_AND_DELETE_BATCH: _take_batch,
    Command.MAP_UPDATE_BATCH: _update_batch,
    Command.MAP_FREEZE: _freeze,
}
