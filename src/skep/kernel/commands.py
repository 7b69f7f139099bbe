"""The commands of bpf(2) as functions: arguments in, descriptor or value out, OSError where the kernel refuses.

Each writes one member of union bpf_attr (include/uapi/linux/bpf.h) through a Door, cut behind the last field that is
used, so that older kernels take it too. Nothing here keeps state or explains a refusal: ``kernel.maps`` and others do.
"""

import errno
import struct
from enum import IntEnum
from typing import NamedTuple

from skep.kernel.bpf import Buffer, Door, address, packed

EXIT = bytes.fromhex("b700000000000000 9500000000000000")  # r0 = 0; exit
SOCKET_FILTER = 1
GPL = b"GPL\0"


_ELEMENT = struct.Struct("<IIQQQ")
_BTF_INFO = struct.Struct("<QII")


class Command(IntEnum):
    """``enum bpf_cmd``."""

    MAP_CREATE = 0
    MAP_LOOKUP = 1
    MAP_UPDATE = 2
    MAP_DELETE = 3
    MAP_NEXT_KEY = 4
    PROG_LOAD = 5
    OBJ_PIN = 6
    OBJ_GET = 7
    PROG_ATTACH = 8
    PROG_DETACH = 9
    PROG_TEST_RUN = 10
    PROG_NEXT_ID = 11
    MAP_NEXT_ID = 12
    PROG_BY_ID = 13
    MAP_BY_ID = 14
    INFO_BY_FD = 15
    PROG_QUERY = 16
    RAW_TRACEPOINT_OPEN = 17
    BTF_LOAD = 18
    BTF_BY_ID = 19
    TASK_FD_QUERY = 20
    MAP_LOOKUP_AND_DELETE = 21
    MAP_FREEZE = 22
    BTF_NEXT_ID = 23
    MAP_LOOKUP_BATCH = 24
    MAP_LOOKUP_AND_DELETE_BATCH = 25
    MAP_UPDATE_BATCH = 26
    MAP_DELETE_BATCH = 27
    LINK_CREATE = 28
    LINK_UPDATE = 29
    LINK_BY_ID = 30
    LINK_NEXT_ID = 31
    ENABLE_STATS = 32
    ITER_CREATE = 33
    LINK_DETACH = 34
    PROG_STREAM_READ = 37


class Layout(NamedTuple):
    """The key and value types of a map in a BTF object, or its value type in the kernel's BTF."""

    btf_fd: int = 0
    key_id: int = 0
    value_id: int = 0
    kernel_value_id: int = 0


class Create(NamedTuple):
    """What BPF_MAP_CREATE takes; sizes in bytes, ``inner_fd`` the pattern of a map of maps, ``extra`` map_extra."""

    type: int
    key_size: int
    value_size: int
    entries: int
    flags: int = 0
    name: str = ""
    layout: Layout = Layout()
    inner_fd: int = 0
    extra: int = 0


class Load(NamedTuple):
    """What BPF_PROG_LOAD takes; ``func_info`` has records of 8 bytes, ``line_info`` of 16, ``core_relos`` of 16.

    ``fd_array`` has descriptors of 4 bytes, those of the types of ``modules`` from the second on. ``variables`` are
    instructions that take such a descriptor, each with its module. ``ifindex`` is the device that it is bound to.
    """

    prog_type: int
    insns: Buffer
    license: bytes = GPL
    name: str = ""
    flags: int = 0
    expected_attach_type: int = 0
    btf_fd: int = 0
    func_info: bytes = b""
    line_info: bytes = b""
    attach_btf_id: int = 0
    attach_fd: int = 0
    core_relos: bytes = b""
    modules: tuple[str, ...] = ()
    variables: tuple[tuple[int, str], ...] = ()
    fd_array: bytes = b""
    ifindex: int = 0


class Run(NamedTuple):
    """The answer of BPF_PROG_TEST_RUN: the program's result, what it left of packet and context, ns of one run."""

    retval: int
    data: bytes
    ctx: bytes
    duration_ns: int


def map_create(door: Door, create: Create) -> int:
    """A new map."""
    kind, key_size, value_size, entries, flags, name, layout, inner_fd, extra = create
    numbers = (kind, key_size, value_size, entries, flags, inner_fd, 0)
    attr = packed("7I16s5I", *numbers, name.encode()[:15], 0, *layout)
    if extra:
        attr += packed("Q", extra)
    return door.bpf(Command.MAP_CREATE, attr)


def map_element(
    door: Door, command: Command, fd: int, key: Buffer, value: Buffer = b"", *, flags: int = 0
) -> None:
    """A command on one element: LOOKUP and NEXT_KEY write into ``value``, then a bytearray."""
    door.bpf(command, bytearray(_ELEMENT.pack(fd, 0, address(key), address(value), flags)))


class Batch(NamedTuple):
    """Arrays of ``length`` elements; ``cursor`` (a key's size, at least 4) is read and written; ``flags`` of each."""

    keys: Buffer
    values: Buffer
    length: int
    cursor: bytearray
    flags: int = 0


def map_batch(
    door: Door, command: Command, fd: int, batch: Batch, *, first: bool = True
) -> tuple[int, int]:
    """A batch command; gives (elements done, errno).

    ENOENT with a count is the last batch; ENOSPC says that one bucket does not fit into the arrays.
    """
    where = address(batch.cursor)
    start = 0 if first else where
    arrays = address(batch.keys), address(batch.values), batch.length
    attr = packed("QQQQIIQQ", start, where, *arrays, fd, batch.flags, 0)
    try:
        door.bpf(command, attr)
    except OSError as error:
        code = error.errno or 0
        return (_done(attr) if code in _COUNTED else 0), code
    return _done(attr), 0


_COUNTED = (errno.ENOENT, errno.E2BIG)


def _done(attr: bytearray) -> int:
    count: int = struct.unpack_from("<I", attr, 32)[0]
    return count


def map_freeze(door: Door, fd: int) -> None:
    """From now on no system call changes the map; programs still do."""
    door.bpf(Command.MAP_FREEZE, packed("I", fd))


def btf_load(door: Door, blob: bytes) -> int:
    """A BTF object."""
    return door.bpf(Command.BTF_LOAD, packed("QQIII", address(blob), 0, len(blob), 0, 0))


def prog_load(door: Door, load: Load, *, log_level: int = 0, log: Buffer = b"") -> int:
    """A verified program; the verifier's text comes into ``log``, ended by a NUL. ENOSPC: the log was too small."""
    attr = packed(
        "IIQQIIQII16sIIIIQIIQIIIIQQI",
        *(load.prog_type, len(load.insns) // 8, address(load.insns), address(load.license)),
        *(log_level, len(log), address(log), 0, load.flags, load.name.encode()[:15]),
        *(load.ifindex, load.expected_attach_type, load.btf_fd),
        *(8, address(load.func_info), len(load.func_info) // 8),
        *(16, address(load.line_info), len(load.line_info) // 16),
        *(
            load.attach_btf_id,
            load.attach_fd,
            len(load.core_relos) // 16,
            address(load.fd_array) if load.fd_array else 0,
            address(load.core_relos),
            16,
        ),
    )
    return door.bpf(Command.PROG_LOAD, attr)


def load_smallest(door: Door, insns: bytes = EXIT, prog_type: int = SOCKET_FILTER) -> int:
    """A program of no use, to ask whether the kernel takes it."""
    return prog_load(door, Load(prog_type, insns))


def prog_test_run(
    door: Door, fd: int, data: bytes, ctx: bytes, repeat: int, *, room: int = 256
) -> Run:
    """One or more runs; ``room`` bytes may be added to the packet.

    A run without a packet gives no context back, for the kernel refuses to be asked for it; but a syscall program
    writes into the context that it was given, which is then the answer's.
    """
    out = bytearray(len(data) + room) if data else b""
    back = bytearray(len(ctx)) if data else b""
    given = bytearray(ctx)
    attr = packed(
        "IIIIQQIIIIQQIII",
        *(fd, 0, len(data), len(out), address(data), address(out), repeat, 0),
        *(len(ctx), len(back), address(given), address(back), 0, 0, 0),
    )
    door.bpf(Command.PROG_TEST_RUN, attr)
    retval, _, size = struct.unpack_from("<III", attr, 4)
    duration, _, back_size = struct.unpack_from("<III", attr, 36)
    left = bytes(back[:back_size]) if data else bytes(given)
    return Run(retval, bytes(out[:size]), left, duration)


def obj_pin(door: Door, path: str, fd: int) -> None:
    """A name in a bpffs."""
    text = path.encode() + b"\0"
    door.bpf(Command.OBJ_PIN, packed("QII", address(text), fd, 0))


def obj_get(door: Door, path: str) -> int:
    """The object of a name in a bpffs."""
    text = path.encode() + b"\0"
    return door.bpf(Command.OBJ_GET, packed("QII", address(text), 0, 0))


def info(door: Door, fd: int, size: int) -> bytes:
    """The info structure of a program, map, link or BTF object; zero behind what the kernel knows of it."""
    data = bytearray(size)
    door.bpf(Command.INFO_BY_FD, packed("IIQ", fd, size, address(data)))
    return bytes(data)


def info_into(door: Door, fd: int, about: bytearray) -> None:
    """As ``info``, with lengths and addresses of arrays in ``about``, which the kernel fills."""
    door.bpf(Command.INFO_BY_FD, packed("IIQ", fd, len(about), address(about)))


def btf_data(door: Door, fd: int) -> bytes:
    """The bytes of a BTF object."""
    size = struct.unpack_from("<8xI", info(door, fd, _BTF_INFO.size))[0]
    data = bytearray(size)
    about = bytearray(_BTF_INFO.pack(address(data), size, 0))
    door.bpf(Command.INFO_BY_FD, packed("IIQ", fd, len(about), address(about)))
    return bytes(data)


def next_id(door: Door, command: Command, start: int) -> int:
    """The next id of PROG_NEXT_ID, MAP_NEXT_ID, LINK_NEXT_ID or BTF_NEXT_ID; ENOENT behind the last."""
    attr = packed("III", start, 0, 0)
    door.bpf(command, attr)
    found: int = struct.unpack_from("<I", attr, 4)[0]
    return found


def by_id(door: Door, command: Command, number: int) -> int:
    """A descriptor of the object of an id."""
    return door.bpf(command, packed("III", number, 0, 0))


def raw_tracepoint_open(door: Door, fd: int, name: str = "") -> int:
    """A link to a raw tracepoint; "" where the program's own attach_btf_id says which."""
    text = name.encode() + b"\0" if name else b""
    return door.bpf(Command.RAW_TRACEPOINT_OPEN, packed("QII", address(text), fd, 0))


def link_create(
    door: Door, fd: int, target: int, attach_type: int, *, flags: int = 0, extra: bytes = b""
) -> int:
    """A link to a target: an interface index, or a descriptor of a cgroup, namespace or perf event.

    ``extra`` is the kind's own part of the attribute.
    """
    return door.bpf(Command.LINK_CREATE, packed("IIII", fd, target, attach_type, flags) + extra)


def pointer(data: bytes) -> bytes:
    """The part of link_create that points to ``data``, which the caller keeps alive."""
    return bytes(packed("QII", address(data), len(data), 0))


def relative(fd: int) -> bytes:
    """The part of link_create that names the link or program to stand before or after."""
    return bytes(packed("IIQ", fd, 0, 0))


def prog_attach(door: Door, fd: int, target: int, attach_type: int) -> None:
    """A program on a map of sockets, which has no link before Linux 6.10."""
    door.bpf(Command.PROG_ATTACH, packed("IIIII", target, fd, attach_type, 0, 0))


def prog_detach(door: Door, fd: int, target: int, attach_type: int) -> None:
    """Takes it away again."""
    door.bpf(Command.PROG_DETACH, packed("IIIII", target, fd, attach_type, 0, 0))


def link_update(door: Door, fd: int, program: int) -> None:
    """Another program in the same place, atomically."""
    door.bpf(Command.LINK_UPDATE, packed("IIII", fd, program, 0, 0))


def prog_stream_read(door: Door, fd: int, stream: int, room: int) -> bytes:
    """Takes up to ``room`` bytes out of a stream of a program, 1 or 2; empty where there are none."""
    text = bytearray(room)
    attr = packed("QIII", address(text), room, stream, fd)
    return bytes(text[: door.bpf(Command.PROG_STREAM_READ, attr)])


def link_detach(door: Door, fd: int) -> None:
    """The link stays as an object, attached to nothing."""
    door.bpf(Command.LINK_DETACH, packed("I", fd))


def iter_create(door: Door, link: int) -> int:
    """A descriptor to read one pass of an iterator from."""
    return door.bpf(Command.ITER_CREATE, packed("II", link, 0))


def prog_query(door: Door, target: int, attach_type: int, room: int = 64) -> tuple[int, ...]:
    """The ids of the programs at a target, in the order in which they run."""
    ids = bytearray(4 * room)
    attr = packed("IIIIQIIQQQQ", target, attach_type, 0, 0, address(ids), room, 0, 0, 0, 0, 0)
    door.bpf(Command.PROG_QUERY, attr)
    count: int = struct.unpack_from("<I", attr, 24)[0]
    return struct.unpack_from(f"<{count}I", ids)


class Attached(NamedTuple):
    """A program on an event of perf, by its id; ``kind`` is a number of ``enum bpf_task_fd_type``."""

    program: int
    kind: int
    name: str
    offset: int


def task_fd_query(door: Door, pid: int, fd: int) -> Attached:
    """What a process's descriptor of an event has attached; OSError where that is nothing."""
    name = bytearray(256)
    attr = packed("IIIIQIIQQ", pid, fd, 0, len(name), address(name), 0, 0, 0, 0)
    door.bpf(Command.TASK_FD_QUERY, attr)
    program, kind, offset = struct.unpack_from("<IIQ", attr, 24)
    return Attached(program, kind, name.split(b"\0", 1)[0].decode("utf-8", "replace"), offset)


def enable_stats(door: Door) -> int:
    """Run statistics of all programs, while the descriptor is open."""
    return door.bpf(Command.ENABLE_STATS, packed("I", 0))
