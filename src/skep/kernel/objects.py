"""What the kernel says of its programs, maps and links, and how they are listed. Values only; no descriptor is kept."""

import errno
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from skep.kernel import commands
from skep.kernel.bpf import Door
from skep.kernel.commands import Command

_PROGRAM = struct.Struct("<II8sIIQQQIIQ16s")
_COUNTERS = struct.Struct("<QQQIII")
_COUNTERS_AT = 192
PROGRAM_SIZE = 232
"""Bytes of struct bpf_prog_info that are asked for."""
_MAP = struct.Struct("<IIIIII16s")
_MAP_TYPES = struct.Struct("<III")
_MAP_TYPES_AT = 64
_MAP_SIZE = 88
_LINK = struct.Struct("<III")
_LINK_SIZE = 104

T = TypeVar("T")


class ProgramInfo(NamedTuple):
    """A program as the kernel sees it: sizes in bytes, times in ns.

    ``run_cnt`` and ``run_time_ns`` count while statistics are enabled; ``recursion_misses`` always: runs that were left
    out because the program was already running on that CPU. ``verified_insns`` since Linux 5.16.
    """

    id: int
    type: int
    name: str
    tag: str
    xlated_size: int
    jited_size: int
    load_time_ns: int
    uid: int
    run_time_ns: int
    run_cnt: int
    recursion_misses: int
    verified_insns: int


class MapInfo(NamedTuple):
    """A map as the kernel sees it: sizes in bytes; ``btf_id`` 0 where it does not know the types in it."""

    id: int
    type: int
    name: str
    key_size: int
    value_size: int
    entries: int
    flags: int
    btf_id: int = 0
    key_type: int = 0
    value_type: int = 0


class LinkInfo(NamedTuple):
    """A link as the kernel sees it: its type is a number of ``enum bpf_link_type``."""

    id: int
    type: int
    program_id: int


def _text(name: bytes) -> str:
    return name.split(b"\0", 1)[0].decode("utf-8", "replace")


def program_info(door: Door, fd: int) -> ProgramInfo:
    """The info of a program; OSError where the descriptor is none of a program."""
    data = commands.info(door, fd, PROGRAM_SIZE)
    kind, number, tag, jited, xlated, _, _, loaded, uid, _, _, name = _PROGRAM.unpack_from(data)
    time, count, misses, verified, _, _ = _COUNTERS.unpack_from(data, _COUNTERS_AT)
    text = _text(name)
    return ProgramInfo(
        number, kind, text, tag.hex(), xlated, jited, loaded, uid, time, count, misses, verified
    )


def map_info(door: Door, fd: int) -> MapInfo:
    """The info of a map."""
    data = commands.info(door, fd, _MAP_SIZE)
    kind, number, key, value, entries, flags, name = _MAP.unpack_from(data)
    types = _MAP_TYPES.unpack_from(data, _MAP_TYPES_AT)
    return MapInfo(number, kind, _text(name), key, value, entries, flags, *types)


def btf_blob(door: Door, number: int) -> bytes:
    """The bytes of a BTF object, by its id; needs CAP_SYS_ADMIN."""
    fd = commands.by_id(door, Command.BTF_BY_ID, number)
    try:
        return commands.btf_data(door, fd)
    finally:
        door.close(fd)


def link_info(door: Door, fd: int) -> LinkInfo:
    """The info of a link."""
    kind, number, program = _LINK.unpack_from(commands.info(door, fd, _LINK_SIZE))
    return LinkInfo(number, kind, program)


PASSING = (errno.ENOENT, errno.EAGAIN)
"""An object that is gone since, or (a link) that is still being made."""


def ids(door: Door, command: Command) -> Iterator[int]:
    """All ids of PROG_NEXT_ID, MAP_NEXT_ID or LINK_NEXT_ID; needs CAP_SYS_ADMIN."""
    number = 0
    while True:
        try:
            number = commands.next_id(door, command, number)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return
            raise
        yield number


def each(
    door: Door, following: Command, opening: Command, read: Callable[[Door, int], T]
) -> Iterator[T]:
    """What ``read`` makes of each object; one that is gone meanwhile is passed over."""
    for number in ids(door, following):
        try:
            fd = commands.by_id(door, opening, number)
        except OSError as error:
            if error.errno in PASSING:
                continue
            raise
        try:
            yield read(door, fd)
        finally:
            door.close(fd)


def programs(door: Door) -> Iterator[ProgramInfo]:
    """Every program of the machine, whoever loaded it."""
    return each(door, Command.PROG_NEXT_ID, Command.PROG_BY_ID, program_info)


def maps(door: Door) -> Iterator[MapInfo]:
    """Every map of the machine."""
    return each(door, Command.MAP_NEXT_ID, Command.MAP_BY_ID, map_info)


def links(door: Door) -> Iterator[LinkInfo]:
    """Every link of the machine."""
    return each(door, Command.LINK_NEXT_ID, Command.LINK_BY_ID, link_info)
