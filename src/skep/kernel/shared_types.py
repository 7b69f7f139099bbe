"""The types that programs have in common with the maps whose lists and trees they use: one BTF object for all of them.

The verifier takes an object for one of a list where both are of one type of one BTF object. So the types of programs
that are loaded together are put one behind the other, those of such maps behind them, and what refers to a type or to a
string is moved along. Pure functions of bytes, but for ``SharedTypes``, which owns the descriptor.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from skep.btf.reader import Btf
from skep.btf.types import Func, Kind
from skep.btf.writer import Builder
from skep.kernel import commands
from skep.kernel.bpf import DOOR, Door
from skep.kernel.commands import Layout
from skep.kernel.layouts import add_layout, add_object
from skep.kernel.programs import Types
from skep.kernel.refusal import refused
from skep.lang.debuginfo import FUNC_INFO, LINE_INFO, split
from skep.lang.objects import objects_of
from skep.lang.spec import MapSpec, ProgramSpec

_HEAD = struct.Struct("<III")
STATIC = 0
"""The linkage of a function that the verifier follows from where it is called."""
_TO_TYPE = frozenset(
    {
        *(Kind.PTR, Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.FUNC),
        *(Kind.FUNC_PROTO, Kind.VAR, Kind.TYPE_TAG, Kind.DECL_TAG),
    }
)
"""The kinds whose third word is a type; that of the others is a size."""
_ROWS: dict[int, tuple[int, tuple[int, ...], tuple[int, ...]]] = {
    Kind.STRUCT: (3, (0,), (1,)),
    Kind.UNION: (3, (0,), (1,)),
    Kind.ENUM: (2, (0,), ()),
    Kind.ENUM64: (3, (0,), ()),
    Kind.FUNC_PROTO: (2, (0,), (1,)),
    Kind.ARRAY: (3, (), (0, 1)),
}
"""Of what follows a type: the words of a row, and which of them are strings and types."""


@dataclass(slots=True)
class _Joined:
    """The types and strings of several blobs, one behind the other."""

    records: list[bytes] = field(default_factory=list)
    strings: bytearray = field(default_factory=lambda: bytearray(b"\0"))

    def add(self, spec: ProgramSpec) -> ProgramSpec:
        """The types of a program; the program with its records of functions and lines moved along."""
        records, strings = split(spec.btf, spec.name)
        ids, names = len(self.records), len(self.strings)
        self.records += [_moved(one, ids, names) for one in records]
        self.strings += strings
        functions = _each(spec.func_info, FUNC_INFO, {1: ids})
        lines = _each(spec.line_info, LINE_INFO, {1: names, 2: names})
        return replace(spec, func_info=functions, line_info=lines)

    def blob(self, builder: Builder) -> bytes:
        """All of it, with what a builder added behind."""
        records, strings = split(builder.build(), "")
        types = b"".join((*self.records, *records))
        named = bytes(self.strings) + strings
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(named))
        return head + types + named


def _moved(record: bytes, ids: int, names: int) -> bytes:
    """A type whose ids and strings lie further behind."""
    name, info, third = _HEAD.unpack_from(record)
    kind = info >> 24 & 0x1F
    third += ids if kind in _TO_TYPE and third else 0
    head = _HEAD.pack(name + names if name else 0, info, third)
    if kind not in _ROWS:
        return head + record[_HEAD.size :]
    words, strings, types = _ROWS[kind]
    return head + _each(
        record[_HEAD.size :], 4 * words, dict.fromkeys(strings, names) | dict.fromkeys(types, ids)
    )


def _each(data: bytes, size: int, more: dict[int, int]) -> bytes:
    """Rows of ``size`` bytes, with more added to some of their words where those are not 0."""
    rows = bytearray(data)
    for at in range(0, len(rows), size):
        for word, by in more.items():
            value = int.from_bytes(rows[at + 4 * word : at + 4 * word + 4], "little")
            if value:
                struct.pack_into("<I", rows, at + 4 * word, value + by)
    return bytes(rows)


class SharedTypes:
    """The types of programs and maps that are loaded together. Owns the descriptor; ``specs`` are the programs.

    What the kernel was told stays as it is. A program that comes later is loaded with these types, by their numbers:
    its functions are all described by one that takes nothing, and its lines by nothing.
    """

    def __init__(
        self, fd: int, specs: Sequence[ProgramSpec], known: "_Known", *, door: Door = DOOR
    ) -> None:
        self.fd, self.specs, self._known, self._door = fd, tuple(specs), known, door

    @classmethod
    def make(cls, specs: Sequence[ProgramSpec], *, door: Door = DOOR) -> Self:
        """Tells the kernel the types of ``specs``, and of the maps in them that link objects."""
        joined = _Joined()
        moved = [joined.add(spec) for spec in specs]
        builder = Builder(len(joined.records) + 1, len(joined.strings))
        known: dict[Any, Any] = {}
        ids = {
            (one.key, one.value): add_layout(builder, known, one.key, one.value)
            for spec in specs
            for one in spec.maps
            if objects_of(one.value)
        }
        classes = [one.type for spec in specs for one in spec.types]
        linked = [kind for _, value in ids for kind in objects_of(value)]
        objects = {kind: add_object(builder, known, kind) for kind in (*classes, *linked)}
        number = builder.integer("int", 4, signed=True)
        later = builder.func("later", builder.prototype(number, ()), linkage=STATIC)
        blob = joined.blob(builder)
        with refused("BPF_BTF_LOAD", specs[0].name, door=door):
            fd = commands.btf_load(door, blob)
        told = [replace(_numbered(spec, objects), btf=blob) for spec in moved]
        return cls(fd, told, _Known(ids, objects, later), door=door)

    def join(self, spec: ProgramSpec) -> ProgramSpec | None:
        """A program that came later, with the numbers of its classes of objects; None where not all of it is here."""
        maps = [one for one in spec.maps if objects_of(one.value)]
        here = all(self.layout(one) for one in maps)
        if not here or any(one.type not in self._known.objects for one in spec.types):
            return None
        if _globals(spec):
            return None
        made = _numbered(spec, self._known.objects)
        self.specs = (*self.specs, made)
        return made

    def types(self, spec: ProgramSpec) -> Types:
        """What one of ``specs`` is loaded with: where the types were not made of it, without its own functions."""
        data = spec.func_info
        if spec.btf == self.specs[0].btf:
            return Types(self.fd)
        rows = range(0, len(data), FUNC_INFO)
        later = self._known.later
        return Types(self.fd, b"".join(data[at : at + 4] + struct.pack("<I", later) for at in rows))

    def layout(self, spec: MapSpec) -> Layout | None:
        """The types of a map, None where it links nothing."""
        ids = self._known.ids.get((spec.key, spec.value))
        return None if ids is None else Layout(self.fd, *ids)

    def close(self) -> None:
        """Gives the descriptor back; programs and maps keep the types."""
        if self.fd >= 0:
            self._door.close(self.fd)
            self.fd = -1


class _Known(NamedTuple):
    """Numbers: of keys and values of maps, of classes of objects, of what describes the functions of later programs."""

    ids: dict[Any, tuple[int, int]]
    objects: dict[Any, int]
    later: int


def _globals(spec: ProgramSpec) -> bool:
    """Whether a program has functions that the verifier checks by themselves, of which it has to be told."""
    types = Btf(spec.btf)
    rows = range(FUNC_INFO, len(spec.func_info), FUNC_INFO)
    found = (types.type(int.from_bytes(spec.func_info[at + 4 : at + 8], "little")) for at in rows)
    return any(isinstance(one, Func) and one.linkage != STATIC for one in found)


def _numbered(spec: ProgramSpec, objects: dict[Any, int]) -> ProgramSpec:
    """A program with the numbers of its classes of objects in its instructions."""
    code = bytearray(spec.insns)
    for reference in spec.types:
        struct.pack_into("<I", code, 8 * reference.insn + 4, objects[reference.type])
    return replace(spec, insns=bytes(code))
