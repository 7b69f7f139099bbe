"""How the fake kernel answers commands on types, programs, links and pins: a function for each."""

import errno
import struct
from collections.abc import Callable

from skep.kernel.bpf import memory
from skep.kernel.commands import Command
from skep.testing.fake_maps import U32, refused
from skep.testing.fake_objects import FakeBlob, FakeLink, FakeProgram, Objects, info_of

_STRUCT_OPS = 44  # the attach type of a function table, which a map holds


def _btf_load(kernel: Objects, attr: bytearray) -> int:
    at, _, size = struct.unpack_from("<QQI", attr)
    data = bytes(memory(at, size))
    if data[:2] != b"\x9f\xeb":
        raise refused(errno.EINVAL)
    made = FakeBlob(data, kernel.number())
    kernel.blobs[made.id] = made
    return kernel.new(made)


def _btf_by_id(kernel: Objects, attr: bytearray) -> int:
    number = U32.unpack_from(attr)[0]
    if number not in kernel.blobs:
        raise refused(errno.ENOENT)
    return kernel.new(kernel.blobs[number])


def _prog_load(kernel: Objects, attr: bytearray) -> int:
    kind, size, at = struct.unpack_from("<IIQ", attr)
    name = bytes(attr[48:64]).split(b"\0")[0].decode()
    expected = U32.unpack_from(attr, 68)[0]
    target = U32.unpack_from(attr, 108)[0]
    insns = bytes(memory(at, 8 * size))
    return kernel.new(FakeProgram(kernel.number(), kind, name, insns, expected, target))


def _test_run(kernel: Objects, attr: bytearray) -> int:
    fd, _, size, room, source, target = struct.unpack_from("<IIIIQQ", attr)
    kernel.program(fd)
    if size:
        memory(target, size)[:] = memory(source, size)
    struct.pack_into("<I", attr, 12, min(size, room))
    return 0


def _stream_read(kernel: Objects, attr: bytearray) -> int:
    at, room, stream, fd = struct.unpack_from("<QIII", attr)
    program = kernel.program(fd)
    if stream not in (1, 2):
        raise refused(errno.ENOENT)
    part = program.streams.get(stream, b"")[:room]
    program.streams[stream] = program.streams.get(stream, b"")[room:]
    if part:
        memory(at, len(part))[:] = part
    return len(part)


def _raw_tracepoint(kernel: Objects, attr: bytearray) -> int:
    name, fd = struct.unpack_from("<QI", attr)
    program = kernel.program(fd)
    text = _text(name) if name else ""
    return kernel.new(FakeLink(kernel.number(), program.id, program.attach_btf_id, 0, 0, text))


def _link_create(kernel: Objects, attr: bytearray) -> int:
    fd, target, attach_type, flags = struct.unpack_from("<IIII", attr)
    holds = kernel.map(fd) if attach_type == _STRUCT_OPS else kernel.program(fd)
    return kernel.new(FakeLink(kernel.number(), holds.id, target, attach_type, flags))


def _link_update(kernel: Objects, attr: bytearray) -> int:
    fd, program = struct.unpack_from("<II", attr)
    found = kernel.at(fd)
    if not isinstance(found, FakeLink):
        raise refused(errno.EINVAL)
    found.program = kernel.program(program).id
    return 0


def _iter_create(kernel: Objects, attr: bytearray) -> int:
    kernel.at(U32.unpack_from(attr)[0])
    return kernel.new(FakeBlob())


def _pin(kernel: Objects, attr: bytearray) -> int:
    path, fd = struct.unpack_from("<QI", attr)
    text = _text(path)
    if text in kernel.pins:
        raise refused(errno.EEXIST)
    kernel.pins[text] = kernel.at(fd)
    return 0


def _get(kernel: Objects, attr: bytearray) -> int:
    text = _text(struct.unpack_from("<Q", attr)[0])
    if text not in kernel.pins:
        raise refused(errno.ENOENT)
    return kernel.new(kernel.pins[text])


def _info(kernel: Objects, attr: bytearray) -> int:
    fd, size, at = struct.unpack_from("<IIQ", attr)
    found = kernel.at(fd)
    if isinstance(found, FakeBlob):
        where, room = struct.unpack_from("<QI", memory(at, size))
        memory(where, min(room, len(found.data)))[:] = found.data[:room]
    data = info_of(found)[:size]
    memory(at, len(data))[:] = data
    return 0


def _other(kernel: Objects, attr: bytearray) -> int:
    """A command that gives a descriptor of no further use."""
    return kernel.new(FakeBlob(bytes(attr)))


def _text(at: int) -> str:
    """The string at an address."""
    found = bytearray()
    while (byte := memory(at + len(found), 1)[0]) != 0:
        found.append(byte)
    return found.decode()


PROGRAM_COMMANDS: dict[Command, Callable[[Objects, bytearray], int]] = {
    Command.BTF_LOAD: _btf_load,
    Command.BTF_BY_ID: _btf_by_id,
    Command.PROG_LOAD: _prog_load,
    Command.PROG_TEST_RUN: _test_run,
    Command.PROG_STREAM_READ: _stream_read,
    Command.RAW_TRACEPOINT_OPEN: _raw_tracepoint,
    Command.LINK_CREATE: _link_create,
    Command.LINK_UPDATE: _link_update,
    Command.ITER_CREATE: _iter_create,
    Command.OBJ_PIN: _pin,
    Command.OBJ_GET: _get,
    Command.INFO_BY_FD: _info,
    Command.ENABLE_STATS: _other,
}
