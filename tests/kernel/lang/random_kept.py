"""More of what random programs work on: structs in arrays, and a map of each kind that keeps numbers.

As in ``random_world``, what maps hold by the rules is beside what live ones and fakes hold.
"""

import copy
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import skep
from skep import Array, Global, Hash, Lpm, LruHash, PerCpuArray, PerCpuHash, Prefix4, Record, Struct
from skep.lang.maps import Declaration
from skep.lang.types import IntType, be32, s16, s32, s64, u8, u16, u32, u64

ENTRIES, ROOM = 4, 64


class Cell(Struct):
    """A struct in an array."""

    a: u8
    b: s16
    c: be32
    d: s32


class Deep(Struct):
    """Arrays of structs and numbers."""

    cells: Cell[4]  # type: ignore[type-arg, valid-type]
    signed: s16[4]
    wide: s64[3]
    count: u32


class Limits(Struct):
    """Constants of a load."""

    most: u64
    low: s16


class Heap(Struct):
    """What lies in an arena."""

    counts: u32[16]
    cells: Cell[8]  # type: ignore[type-arg, valid-type]


class Guarded(Struct):
    """A value under a lock."""

    total: u64
    count: s32
    lock: skep.SpinLock


class Line(Record):
    """A record with a tail."""

    number: u32


class Level(IntEnum):
    """Constants by name."""

    LOW = 2
    HIGH = 9


NUMBER = 300
deep: Any = Global(Deep)
deeps = Hash(u16, Deep, ENTRIES)
recent = LruHash(u32, u64, ROOM)
by_cpu = PerCpuArray(u64, ENTRIES)
cpu_table = PerCpuHash(u32, u32, ENTRIES)
stack = skep.Stack(u32, ENTRIES)
known = skep.Bloom(u32, 4096)
routes = Lpm(Prefix4, u32, ENTRIES)
limits = Global(Limits, Limits(most=1 << 33, low=-5), constant=True)
heap = skep.Arena(Heap)
guarded = Array(Guarded, ENTRIES)
inner = Hash(u32, u64, ENTRIES)
nested = skep.ArrayOfMaps(inner, 2)
steps = skep.ProgArray(4)
lines = skep.VariableRing(Line)


# --- functions that programs call -------------------------------------------------------------------------------------


def noted(place, by: u32):  # type: ignore[no-untyped-def]
    """A function with an effect: the order of calls shows."""
    place.big = place.big * 31 + by
    return place.big


def says(place, by: u32):  # type: ignore[no-untyped-def]
    """The same, of a truth value."""
    place.big = place.big * 31 + by
    return place.big & 2 == 0


def raised(number):  # type: ignore[no-untyped-def]
    """A function that changes the number behind a pointer."""
    number += 5
    return number[0]


def touch(cell, by: u32):  # type: ignore[no-untyped-def]
    """A function that is given a struct in an array."""
    cell.a += by
    cell.d -= s32(by)
    return cell.c + cell.a


@skep.noinline
def touched(cell: Cell, by: u32):  # type: ignore[no-untyped-def]
    """The same, called."""
    cell.a += by
    cell.d -= s32(by)
    return cell.c + cell.a


@skep.global_function
def touched_alone(cell: Cell, by: u32) -> u32:
    """The same, checked by itself."""
    cell.a += by
    cell.d -= s32(by)
    return cell.c + cell.a


def lowered(numbers, by: u32):  # type: ignore[no-untyped-def]
    """A function that is given an array."""
    numbers[by & 7] = min(numbers[by & 7], by)
    return numbers[(by + 1) & 7]


def applied(function, one, other):  # type: ignore[no-untyped-def]
    """A function of a function."""
    return function(other) ^ function(one)


def summed(key, value):  # type: ignore[no-untyped-def]
    """What is done with each entry of a map, in any order."""
    deep.wide[1] += s64(value) + s64(key)


def searched(key, value):  # type: ignore[no-untyped-def]
    """The same of an array, until one is found."""
    deep.wide[2] = deep.wide[2] * 3 + s64(value)
    return value & 3 == key


@skep.xdp
def landing(ctx):  # type: ignore[no-untyped-def]
    """What a program goes on in."""
    deep.count += 3
    return s32(deep.count & 255)


# --- what maps hold by the rules --------------------------------------------------------------------------------------

Held = dict[str, int]
CELL: dict[str, IntType] = {"a": u8, "b": s16, "c": be32, "d": s32}
DEEP: dict[str, IntType] = {
    **{f"cells[{i}].{name}": kind for i in range(4) for name, kind in CELL.items()},
    **{f"signed[{i}]": s16 for i in range(4)},
    **{f"wide[{i}]": s64 for i in range(3)},
    "count": u32,
}
HEAP: dict[str, IntType] = {
    **{f"counts[{i}]": u32 for i in range(16)},
    **{f"cells[{i}].{name}": kind for i in range(8) for name, kind in CELL.items()},
}
TABLES: dict[str, tuple[Declaration, IntType, int, bool]] = {
    "recent": (recent, u64, ROOM, False),
    "by_cpu": (by_cpu, u64, ENTRIES, True),
    "cpu_table": (cpu_table, u32, ENTRIES, False),
}
"""Tables of numbers by a u32: their declaration, the type of a value, how many fit, and whether all are there."""


def _cells(held: Held, count: int) -> list[Cell]:
    return [Cell(*(held[f"cells[{i}].{name}"] for name in CELL)) for i in range(count)]


def deep_of(held: Held) -> Deep:
    """The Struct itself."""
    signed, wide = ([held[f"{n}[{i}]"] for i in range(c)] for n, c in (("signed", 4), ("wide", 3)))
    return Deep(cells=_cells(held, 4), signed=signed, wide=wide, count=held["count"])


@dataclass
class Kept:
    """What outlives a run, as in ``World``."""

    deep: Held = field(default_factory=lambda: dict.fromkeys(DEEP, 0))
    deeps: dict[int, Held] = field(default_factory=dict)
    tables: dict[str, dict[int, list[int]]] = field(
        default_factory=lambda: {
            name: {i: [0] for i in range(room)} if whole else {}
            for name, (_, _, room, whole) in TABLES.items()
        }
    )
    stack: list[int] = field(default_factory=list)
    known: set[int] = field(default_factory=set)
    routes: dict[tuple[int, int], int] = field(default_factory=dict)
    heap: Held = field(default_factory=lambda: dict.fromkeys(HEAP, 0))
    guarded: list[list[int]] = field(default_factory=lambda: [[0, 0] for _ in range(ENTRIES)])
    nested: dict[int, list[int]] = field(default_factory=dict)
    lines: list[tuple[int, int, bytes]] = field(default_factory=list)
    attempts: int = 0

    def contents(self) -> dict[Any, Any]:
        """What each map holds, as ``READ`` reads it from a live one, or a fake."""
        return {
            deep: deep_of(self.deep),
            deeps: {key: deep_of(held) for key, held in self.deeps.items()},
            **{
                declared: {key: cell[0] for key, cell in self.tables[name].items()}
                for name, (declared, *_) in TABLES.items()
            },
            stack: self.stack[::-1],
            known: None,
            routes: {
                ipaddress.IPv4Network((address, bits)): value
                for (bits, address), value in self.routes.items()
            },
            limits: (1 << 33, -5),
            heap: ([self.heap[f"counts[{i}]"] for i in range(16)], _cells(self.heap, 8)),
            guarded: {key: tuple(value) for key, value in enumerate(self.guarded)},
            nested: {key: cell[0] for key, cell in self.nested.items()},
            steps: None,
            lines: self.lines,
        }


def _sums(face: Any) -> dict[int, int]:  # noqa: ANN401 - live, or a fake
    """A map of each CPU: programs run on one of them."""
    return {key: sum(values) for key, values in face.items()}


READ: dict[Any, Callable[[Any], Any]] = {
    deep: lambda face: Deep.from_bytes(copy.copy(face).to_bytes()),
    deeps: lambda face: dict(face.items()),
    recent: lambda face: dict(face.items()),
    by_cpu: _sums,
    cpu_table: _sums,
    stack: list,
    known: lambda _: None,
    routes: lambda face: dict(face.items()),
    limits: lambda face: (face.most, face.low),
    heap: lambda face: (list(face.counts), [Cell.from_bytes(bytes_of(one)) for one in face.cells]),
    guarded: lambda face: {key: (one.total, one.count) for key, one in face.items()},
    nested: lambda face: dict(face[0].items()),
    steps: lambda _: None,
    lines: lambda face: [(line.seq, line.number, bytes(tail)) for line, tail in face.poll()],
}


def bytes_of(cell: Any) -> bytes:  # noqa: ANN401 - live, or a fake
    """A Cell in memory, as bytes."""
    return Cell(cell.a, cell.b, cell.c, cell.d).to_bytes()
