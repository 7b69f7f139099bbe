"""Registering a function table (struct_ops): a map whose one value is the table, with programs in it.

Since Linux 6.4 a link holds it; before, it is registered by the update of the map and goes with its deletion: after a
kill -9 it stays until somebody deletes the entry. Source: kernel/bpf/bpf_struct_ops.c.
"""

import errno
import struct
from collections.abc import Mapping
from contextlib import ExitStack

from skep.base.errors import BadInput, Unsupported
from skep.base.similar import similar
from skep.btf.reader import Btf
from skep.btf.types import Array, Kind, Member, Ptr
from skep.btf.types import Struct as StructOf
from skep.btf.writer import Builder
from skep.kernel import commands
from skep.kernel.attachment import Attachment
from skep.kernel.bpf import DOOR, Door
from skep.kernel.commands import Command, Create, Layout
from skep.kernel.link import Link
from skep.kernel.programs import Program
from skep.kernel.refusal import refused

_MAP, _LINKED, _ATTACH = 26, 1 << 13, 44
_KEY = bytes(4)
_WORDS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}

Members = Mapping[str, Program | int | str]


def register(ops: str, members: Members, btf: Btf, *, door: Door = DOOR) -> Link | Attachment:
    """Registers the table ``ops``; closing what it gives takes it back.

    BadInput where a member is none of the table's; Unsupported where the kernel takes no such table.
    """
    value = btf.find(Kind.STRUCT, f"bpf_struct_ops_{ops}")
    if value is None:
        raise Unsupported(f"struct_ops {ops}", "this kernel has no such table to fill", "5.6")
    data = table(ops, members, btf, value)
    with ExitStack() as stack:
        fd, linked = _map(ops, len(data), value, door)
        stack.callback(door.close, fd)
        with refused("BPF_MAP_UPDATE_ELEM", f"struct_ops {ops}", exclusive=True, door=door):
            commands.map_element(door, Command.MAP_UPDATE, fd, _KEY, data)
        if not linked:
            stack.pop_all()
            return Attachment(f"struct_ops {ops}", lambda: _forget(fd, door))
        with refused("BPF_LINK_CREATE", f"struct_ops {ops}", exclusive=True, door=door):
            return Link(
                (commands.link_create(door, fd, 0, _ATTACH),), f"struct_ops {ops}", door=door
            )


def table(ops: str, members: Members, btf: Btf, value: int) -> bytes:
    """The bytes of the map's value: the table at its place, programs by their descriptors."""
    place = btf.field(value, "data")
    if place is None:
        raise Unsupported(f"struct_ops {ops}", "its value has no table in it")
    data = bytearray(btf.size(value))
    known = {member.name: member for member in members_of(btf, place.type_id)}
    for name, given in members.items():
        if name not in known:
            near = similar(name, known)
            expected = f"did you mean {near!r}?" if near else f"it has {', '.join(known)}"
            raise BadInput(f"{ops}.{name}", "the table has no such member", expected)
        _put(data, place.offset + known[name].bit_offset // 8, given, known[name].type_id, btf)
    return bytes(data)


def members_of(btf: Btf, type_id: int) -> tuple[Member, ...]:
    """The members of a struct, in order."""
    found = btf.type(btf.resolve(type_id))
    return found.members if isinstance(found, StructOf) else ()


def _put(data: bytearray, at: int, given: Program | int | str, type_id: int, btf: Btf) -> None:
    size, kind = btf.size(type_id), btf.type(btf.resolve(type_id))
    if isinstance(given, Program):
        if not isinstance(kind, Ptr):
            raise BadInput(given.spec.target, "this member is no function", "give a number or text")
        struct.pack_into("<Q", data, at, given.fd)
    elif isinstance(given, str):
        if not isinstance(kind, Array) or len(given.encode()) >= size:
            raise BadInput(
                given, "it does not fit into this member", f"{size - 1} bytes of text do"
            )
        data[at : at + size] = given.encode().ljust(size, b"\0")
    elif size not in _WORDS or not 0 <= given < 1 << 8 * size:
        expected = (
            f"a number from 0 on, of {size} bytes, does" if size in _WORDS else "no number does"
        )
        raise BadInput(str(given), "it does not fit into this member", expected)
    else:
        struct.pack_into(_WORDS[size], data, at, given)


def _map(ops: str, size: int, value: int, door: Door) -> tuple[int, bool]:
    """The map of a table, and whether a link can hold it."""
    builder = Builder()
    builder.integer("int", 4, signed=True)
    with refused("BPF_MAP_CREATE", f"struct_ops {ops}", door=door):
        blob = commands.btf_load(door, builder.build())  # asked for, and not looked at
        try:
            create = Create(_MAP, 4, size, 1, _LINKED, "", Layout(blob, kernel_value_id=value))
            try:
                return commands.map_create(door, create), True
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
            return commands.map_create(door, create._replace(flags=0)), False
        finally:
            door.close(blob)


def _forget(fd: int, door: Door) -> None:
    try:
        commands.map_element(door, Command.MAP_DELETE, fd, _KEY)
    finally:
        door.close(fd)
