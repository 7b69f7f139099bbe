"""Specs and a fake kernel for the tests of ``kernel``."""

import struct
from typing import Any

from skep.kernel.maps import Map
from skep.lang.kinds import KINDS
from skep.lang.spec import KfuncReference, MapReference, MapSpec, MapType, ProgramSpec
from skep.lang.struct import Struct
from skep.lang.types import be16, char, u8, u32, u64
from skep.testing.door import FakeDoor


class Key(Struct):
    address: u32
    port: be16


class Value(Struct):
    packets: u64
    name: char[6]


class Prefix(Struct):
    length: u32
    address: u8[4]


def insn(op: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    """An instruction, as bpf.h has it."""
    return struct.pack("<BBhi", op, src << 4 | dst, off, imm)


RETURN = insn(0xB7) + insn(0x95)
HASH = MapSpec("flows", MapType.HASH, Key, Value, 100)


def program(
    kind: str = "raw_tp",
    target: str = "sys_enter",
    insns: bytes = RETURN,
    *,
    references: tuple[MapReference, ...] = (),
    kfuncs: tuple[KfuncReference, ...] = (),
    maps: tuple[MapSpec, ...] = (),
    options: tuple[tuple[str, int | str], ...] = (),
) -> ProgramSpec:
    """A program of that kind, of two instructions unless given."""
    empty = (b"", b"", b"")
    return ProgramSpec(
        "probe", KINDS[kind], target, "GPL", insns, references, kfuncs, maps, *empty, options
    )


Kind = Any


def live(
    door: FakeDoor, kind: MapType, key: Kind, value: Kind, *, entries: int = 8, flags: int = 0
) -> Map:
    """A map of the fake kernel."""
    return Map.create(MapSpec("m", kind, key, value, entries, flags), door=door)
