"""A kernel for tests: ``FakeDoor`` answers bpf(2) from memory, so that code over ``kernel`` runs without root.

Maps work (hash, array, per-CPU, LPM, batches, mapped memory, ring buffers that a test fills); programs
and links are only kept. Any command can be told to fail. It checks what the kernel checks of arguments,
as far as our own code could get it wrong, and verifies no program. Its objects live as long as it does.
"""

import errno
import mmap
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from skep.kernel.bpf import memory
from skep.kernel.commands import Command
from skep.kernel.rings import BUSY, HEADER, PAGE
from skep.testing.fake_maps import ARRAYS, BLOOM, HASHES, MMAPABLE, RING, U32, FakeMap
from skep.testing.fake_maps import refused as _error

_STRUCT_OPS = 44  # the attach type of a function table, which a map holds
ALL_CAPABILITIES = (1 << 41) - 1


def _text(at: int) -> str:
    """The string at an address."""
    found = bytearray()
    while (byte := memory(at + len(found), 1)[0]) != 0:
        found.append(byte)
    return found.decode()


@dataclass(slots=True)
class FakeProgram:
    """A program that was loaded; ``insns`` are those that the kernel was given."""

    id: int
    type: int
    name: str
    insns: bytes
    expected_attach_type: int
    attach_btf_id: int
    run_cnt: int = 0
    run_time_ns: int = 0
    recursion_misses: int = 0


@dataclass(slots=True)
class FakeLink:
    """A link: the program's id, what it is attached to, how."""

    id: int
    program: int
    target: int
    attach_type: int
    flags: int = 0
    name: str = ""


@dataclass(slots=True)
class FakeBlob:
    """A BTF object, or a descriptor of something else (a perf event, an iterator)."""

    data: bytes = b""
    id: int = 0


FakeObject = FakeMap | FakeProgram | FakeLink | FakeBlob


@dataclass(frozen=True, slots=True)
class _Refusal:
    """How a command fails: its errno, and what the verifier says."""

    code: int
    log: str = ""


class FakeDoor:
    """A Door whose kernel is this object. ``calls`` are the commands in the order in which they came.

    ``open`` are the open descriptors, ``pins`` the pinned objects by path; ``mask`` the capabilities.
    """

    def __init__(self, *, mask: int = ALL_CAPABILITIES) -> None:
        self.mask = mask
        self.open: dict[int, FakeObject] = {}
        self.pins: dict[str, FakeObject] = {}
        self.calls: list[Command] = []
        self.entered: list[int] = []
        self.output: list[bytes] = []
        self._refusals: dict[Command, list[_Refusal]] = {}
        self._blobs: dict[int, FakeBlob] = {}
        self._fds, self._ids = count(1000), count(1)
        self._commands: dict[Command, Callable[[bytearray], int]] = {
            Command.MAP_CREATE: self._map_create,
            Command.MAP_LOOKUP: self._lookup,
            Command.MAP_UPDATE: self._update,
            Command.MAP_DELETE: self._delete,
            Command.MAP_NEXT_KEY: self._next_key,
            Command.MAP_LOOKUP_AND_DELETE: self._take,
            Command.MAP_LOOKUP_BATCH: self._lookup_batch,
            Command.MAP_LOOKUP_AND_DELETE_BATCH: self._take_batch,
            Command.MAP_UPDATE_BATCH: self._update_batch,
            Command.MAP_FREEZE: self._freeze,
            Command.BTF_LOAD: self._btf_load,
            Command.BTF_BY_ID: self._btf_by_id,
            Command.PROG_LOAD: self._prog_load,
            Command.PROG_TEST_RUN: self._test_run,
            Command.RAW_TRACEPOINT_OPEN: self._raw_tracepoint,
            Command.LINK_CREATE: self._link_create,
            Command.LINK_UPDATE: self._link_update,
            Command.ITER_CREATE: self._iter_create,
            Command.OBJ_PIN: self._pin,
            Command.OBJ_GET: self._get,
            Command.INFO_BY_FD: self._info,
            Command.ENABLE_STATS: self._other,
        }

    def refuse(self, command: Command, code: int, *, log: str = "", times: int = 1) -> None:
        """The next ``times`` calls of a command fail with errno ``code``; ``log`` is the verifier's."""
        self._refusals.setdefault(command, []).extend([_Refusal(code, log)] * times)

    def of(self, kind: "type[FakeObject]") -> list[FakeObject]:
        """The open objects of a class."""
        return [one for one in self.open.values() if isinstance(one, kind)]

    def produce(self, fd: int, record: bytes, *, flags: int = 0) -> None:
        """Puts a record into a ring, as a program would; ``flags`` are BUSY and DISCARD."""
        ring = self._map(fd)
        position = self._position(ring)
        slot = U32.pack(len(record) | flags) + bytes(4) + record
        slot += bytes(-len(slot) % 8)
        for at, byte in enumerate(slot, position):
            for copy in (0, ring.entries):
                place = 2 * PAGE + copy + (at & (ring.entries - 1))
                os.pwrite(ring.file, bytes([byte]), place)
        os.pwrite(ring.file, struct.pack("<Q", position + len(slot)), PAGE)

    def finish(self, fd: int, position: int, *, flags: int = 0) -> None:
        """Ends the writing of the busy record at ``position``."""
        ring = self._map(fd)
        for copy in (0, ring.entries):
            place = 2 * PAGE + copy + (position & (ring.entries - 1))
            length = U32.unpack(os.pread(ring.file, 4, place))[0]
            os.pwrite(ring.file, U32.pack(length & ~BUSY | flags), place)

    def _position(self, ring: FakeMap) -> int:
        return int.from_bytes(os.pread(ring.file, HEADER, PAGE), "little")

    # --- Door

    def bpf(self, command: int, attr: bytearray) -> int:
        """See Door."""
        name = Command(command)
        self.calls.append(name)
        pending = self._refusals.get(name)
        if pending:
            refusal = pending.pop(0)
            if name is Command.PROG_LOAD:
                self._write_log(attr, refusal.log)
            raise _error(refusal.code)
        return self._commands[name](attr)

    def perf_event_open(self, attr: bytes, pid: int, cpu: int) -> int:
        """See Door."""
        return self._new(FakeBlob(attr + struct.pack("<ii", pid, cpu)))

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """See Door."""
        self._object(fd)
        return request & argument & 0

    def map_memory(self, fd: int, length: int, offset: int, *, writable: bool) -> mmap.mmap:
        """See Door."""
        found = self._map(fd)
        if found.file < 0:
            raise _error(errno.EINVAL)
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        return mmap.mmap(found.file, length, mmap.MAP_SHARED, protection, offset=offset)

    def read(self, fd: int, size: int) -> bytes:
        """See Door: gives ``output`` piece by piece."""
        self._object(fd)
        return self.output.pop(0)[:size] if self.output else b""

    def close(self, fd: int) -> None:
        """See Door."""
        if fd not in self.open:
            raise _error(errno.EBADF)
        del self.open[fd]

    def enter(self, fd: int, kind: int) -> None:
        """See Door: only notes the kind of namespace."""
        os.fstat(fd)
        self.entered.append(kind)

    def mount_detached(self, kind: str) -> int:
        """See Door: there is no file system here."""
        raise OSError(errno.ENODEV, f"the fake kernel has no {kind}")

    def capabilities(self) -> int:
        """See Door."""
        return self.mask

    # --- objects

    def _new(self, made: FakeObject) -> int:
        fd = next(self._fds)
        self.open[fd] = made
        return fd

    def _object(self, fd: int) -> FakeObject:
        if fd not in self.open:
            raise _error(errno.EBADF)
        return self.open[fd]

    def _map(self, fd: int) -> FakeMap:
        found = self._object(fd)
        if not isinstance(found, FakeMap):
            raise _error(errno.EINVAL)
        return found

    def _program(self, fd: int) -> FakeProgram:
        found = self._object(fd)
        if not isinstance(found, FakeProgram):
            raise _error(errno.EINVAL)
        return found

    def _write_log(self, attr: bytearray, log: str) -> None:
        level, size, at = struct.unpack_from("<IIQ", attr, 24)
        if level and size:
            raw = log.encode()[-(size - 1) :] + b"\0"
            memory(at, len(raw))[:] = raw

    # --- maps

    def _map_create(self, attr: bytearray) -> int:
        kind, key, value, entries, flags = struct.unpack_from("<IIIII", attr)
        name = bytes(attr[28:44]).split(b"\0")[0].decode()
        if not all(c.isalnum() or c in "_." for c in name):
            raise _error(errno.EINVAL)
        if kind == RING and (key or value or entries % PAGE or entries & (entries - 1)):
            raise _error(errno.EINVAL)
        btf_fd, key_id, value_id = struct.unpack_from("<III", attr, 48)
        made = FakeMap(next(self._ids), kind, key, value, entries, flags, name)
        blob = self._object(btf_fd) if key_id or value_id else None
        made.btf = (blob.id, key_id, value_id) if isinstance(blob, FakeBlob) else (0, 0, 0)
        made.fill()
        if kind == RING:
            made.file = _file(2 * PAGE + 2 * entries)
        elif flags & MMAPABLE:
            made.file = _file(-(-made.stored // 8) * 8 * entries)
        return self._new(made)

    def _lookup(self, attr: bytearray) -> int:
        found, key, value = self._element(attr)
        found.note(struct.unpack_from("<Q", attr, 24)[0])
        asked = bytes(memory(value, found.stored)) if found.type == BLOOM else key
        memory(value, found.stored)[:] = found.read(asked)
        return 0

    def _take(self, attr: bytearray) -> int:
        found, key, value = self._element(attr)
        found.note(struct.unpack_from("<Q", attr, 24)[0])
        memory(value, found.stored)[:] = found.take(key)
        return 0

    def _update(self, attr: bytearray) -> int:
        found, key, value = self._element(attr)
        (flags,) = struct.unpack_from("<Q", attr, 24)
        found.note(flags)
        found.store(key, bytes(memory(value, found.stored)), flags)
        return 0

    def _delete(self, attr: bytearray) -> int:
        found, key, _ = self._element(attr)
        found.remove(key)
        return 0

    def _next_key(self, attr: bytearray) -> int:
        fd, _, at, following = struct.unpack_from("<IIQQ", attr)
        found = self._map(fd)
        key = bytes(memory(at, found.key_size)) if at else None
        memory(following, found.key_size)[:] = found.after(key)
        return 0

    def _element(self, attr: bytearray) -> tuple[FakeMap, bytes, int]:
        fd, _, key, value = struct.unpack_from("<IIQQ", attr)
        found = self._map(fd)
        return found, bytes(memory(key, found.key_size)) if key else b"", value

    def _lookup_batch(self, attr: bytearray) -> int:
        return self._read_batch(attr, take=False)

    def _take_batch(self, attr: bytearray) -> int:
        return self._read_batch(attr, take=True)

    def _read_batch(self, attr: bytearray, *, take: bool) -> int:
        start, cursor, keys, values, room, fd = struct.unpack_from("<QQQQII", attr)
        found = self._map(fd)
        found.note(struct.unpack_from("<Q", attr, 40)[0])
        if found.type not in HASHES + ARRAYS or (take and found.type not in HASHES):
            raise _error(524)
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
            raise _error(errno.ENOENT)
        return 0

    def _update_batch(self, attr: bytearray) -> int:
        _, _, keys, values, size, fd = struct.unpack_from("<QQQQII", attr)
        found = self._map(fd)
        found.note(struct.unpack_from("<Q", attr, 40)[0])
        for n in range(size):
            key = bytes(memory(keys + n * found.key_size, found.key_size))
            struct.pack_into("<I", attr, 32, n)
            found.store(key, bytes(memory(values + n * found.stored, found.stored)), 0)
        struct.pack_into("<I", attr, 32, size)
        return 0

    def _freeze(self, attr: bytearray) -> int:
        self._map(U32.unpack_from(attr)[0]).frozen = True
        return 0

    # --- programs, links, pins

    def _btf_load(self, attr: bytearray) -> int:
        at, _, size = struct.unpack_from("<QQI", attr)
        data = bytes(memory(at, size))
        if data[:2] != b"\x9f\xeb":
            raise _error(errno.EINVAL)
        made = FakeBlob(data, next(self._ids))
        self._blobs[made.id] = made
        return self._new(made)

    def _btf_by_id(self, attr: bytearray) -> int:
        number = U32.unpack_from(attr)[0]
        if number not in self._blobs:
            raise _error(errno.ENOENT)
        return self._new(self._blobs[number])

    def _prog_load(self, attr: bytearray) -> int:
        kind, size, at = struct.unpack_from("<IIQ", attr)
        name = bytes(attr[48:64]).split(b"\0")[0].decode()
        expected = U32.unpack_from(attr, 68)[0]
        target = U32.unpack_from(attr, 108)[0]
        insns = bytes(memory(at, 8 * size))
        return self._new(FakeProgram(next(self._ids), kind, name, insns, expected, target))

    def _test_run(self, attr: bytearray) -> int:
        fd, _, size, room, source, target = struct.unpack_from("<IIIIQQ", attr)
        self._program(fd)
        if size:
            memory(target, size)[:] = memory(source, size)
        struct.pack_into("<I", attr, 12, min(size, room))
        return 0

    def _raw_tracepoint(self, attr: bytearray) -> int:
        name, fd = struct.unpack_from("<QI", attr)
        program = self._program(fd)
        text = _text(name) if name else ""
        return self._new(FakeLink(next(self._ids), program.id, program.attach_btf_id, 0, 0, text))

    def _link_create(self, attr: bytearray) -> int:
        fd, target, attach_type, flags = struct.unpack_from("<IIII", attr)
        holds = self._map(fd) if attach_type == _STRUCT_OPS else self._program(fd)
        return self._new(FakeLink(next(self._ids), holds.id, target, attach_type, flags))

    def _link_update(self, attr: bytearray) -> int:
        fd, program = struct.unpack_from("<II", attr)
        found = self._object(fd)
        if not isinstance(found, FakeLink):
            raise _error(errno.EINVAL)
        found.program = self._program(program).id
        return 0

    def _iter_create(self, attr: bytearray) -> int:
        self._object(U32.unpack_from(attr)[0])
        return self._new(FakeBlob())

    def _pin(self, attr: bytearray) -> int:
        path, fd = struct.unpack_from("<QI", attr)
        text = _text(path)
        if text in self.pins:
            raise _error(errno.EEXIST)
        self.pins[text] = self._object(fd)
        return 0

    def _get(self, attr: bytearray) -> int:
        text = _text(struct.unpack_from("<Q", attr)[0])
        if text not in self.pins:
            raise _error(errno.ENOENT)
        return self._new(self.pins[text])

    def _info(self, attr: bytearray) -> int:
        fd, size, at = struct.unpack_from("<IIQ", attr)
        found = self._object(fd)
        if isinstance(found, FakeBlob):
            where, room = struct.unpack_from("<QI", memory(at, size))
            memory(where, min(room, len(found.data)))[:] = found.data[:room]
        data = _info_of(found)[:size]
        memory(at, len(data))[:] = data
        return 0

    def _other(self, attr: bytearray) -> int:
        """A command that gives a descriptor of no further use."""
        return self._new(FakeBlob(bytes(attr)))


def _info_of(one: FakeObject) -> bytes:
    """The info structure of an object."""
    if isinstance(one, FakeMap):
        sizes = (one.type, one.id, one.key_size, one.value_size, one.entries, one.flags)
        return struct.pack("<6I16s24x3I", *sizes, one.name.encode(), *one.btf)
    if isinstance(one, FakeProgram):
        head = struct.pack("<II", one.type, one.id).ljust(64, b"\0") + one.name.encode()
        counters = (one.run_time_ns, one.run_cnt, one.recursion_misses, len(one.insns) // 8)
        return head.ljust(192, b"\0") + struct.pack("<QQQI", *counters)
    if isinstance(one, FakeLink):
        return struct.pack("<III", 0, one.id, one.program)
    return struct.pack("<QII", 0, len(one.data), one.id)


def _file(size: int) -> int:
    """Memory that can be mapped several times; gone with the process."""
    fd = os.memfd_create("skep-fake", os.MFD_CLOEXEC)
    os.ftruncate(fd, -(-size // PAGE) * PAGE)
    return fd
