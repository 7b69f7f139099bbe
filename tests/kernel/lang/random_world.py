"""What random programs work on, and what it holds by the rules: maps, variables, a packet's last bytes.

The ``World`` outlives a run: it is the maps as the rules have them, beside which live ones and fakes are held.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import skep
from skep import Array, Global, Hash, Queue, Record, Ring, Struct, Union
from skep.lang.maps import Declaration
from skep.lang.struct import pack, unpack
from skep.lang.types import IntType, be16, char, s16, s32, u8, u16, u32, u64
from tests.kernel.lang import random_kept as more
from tests.kernel.lang.reference import OUT_OFFSET, Env, Out

T = TypeVar("T")
NAMES = ("", "a", "ab", "abc", "ba", "abcdefg")
TAIL_OFFSET = OUT_OFFSET + Out.size
ENTRIES, FULL, ABSENT, PRESENT, INVALID = 4, -7, -2, -17, -22


class Inner(Struct):
    """A struct in another one."""

    a: u32
    b: s16
    c: u16


class Value(Struct):
    """The value of maps, the variables, and a struct on the stack."""

    big: u64
    number: s32
    small: u8
    port: be16
    inner: Inner
    name: char[8]
    cells: u16[4]


class Both(Union):
    """The same bytes, as one number and as four."""

    word: u32
    raw: u8[4]


class Event(Record):
    """What programs tell."""

    number: u64
    more: s32


table = Hash(u32, u64, ENTRIES)
values = Hash(u16, Value, ENTRIES)
cells = Array(u32, ENTRIES)
jobs = Queue(u32, ENTRIES)
state = Global(Value)
ring = Ring(Event, size=1 << 15)
CHOICES = (3, 5, 8, 250)
NEAR = range(2, 90)


def bump(place, by):  # type: ignore[no-untyped-def]
    """A function that is given memory."""
    place.number += s32(by)
    place.cells[by & 3] += 1
    return place.inner.a


@skep.noinline
def bumped(place: Value, by: u32):  # type: ignore[no-untyped-def]
    """The same, called."""
    place.number += s32(by)
    place.cells[by & 3] += 1
    return place.inner.a


def found(held, key):  # type: ignore[no-untyped-def]
    """A function of a map, that gives a pointer or None."""
    return held.lookup(key)


Held = dict[str, Any]
PATHS: dict[str, IntType] = {
    "big": u64,
    "number": s32,
    "small": u8,
    "port": be16,
    "inner.a": u32,
    "inner.b": s16,
    "inner.c": u16,
    **{f"cells[{i}]": u16 for i in range(4)},
}


def empty() -> Held:
    """A Value of zeros, by the paths to its numbers, and its text."""
    return dict.fromkeys(PATHS, 0) | {"name": ""}


def value_of(held: Held) -> Value:
    """The Struct itself."""
    plain = {name: held[name] for name in ("big", "number", "small", "port", "name")}
    inner = Inner(*(held[f"inner.{name}"] for name in "abc"))
    return Value(**plain, inner=inner, cells=[held[f"cells[{i}]"] for i in range(4)])


@dataclass
class World:
    """What outlives a run. A number that a lookup may give is a list of one, so that pointers share it."""

    table: dict[int, list[int]] = field(default_factory=dict)
    values: dict[int, Held] = field(default_factory=dict)
    cells: list[list[int]] = field(default_factory=lambda: [[0] for _ in range(ENTRIES)])
    jobs: list[int] = field(default_factory=list)
    state: Held = field(default_factory=empty)
    events: list[tuple[int, int, int]] = field(default_factory=list)
    attempts: int = 0
    kept: more.Kept = field(default_factory=more.Kept)

    def contents(self) -> dict[Any, Any]:
        """What each map holds, as ``content`` reads it from a live one, or a fake."""
        return {
            table: {key: cell[0] for key, cell in self.table.items()},
            values: {key: value_of(held) for key, held in self.values.items()},
            cells: {key: cell[0] for key, cell in enumerate(self.cells)},
            jobs: self.jobs,
            state: value_of(self.state),
            ring: self.events,
            **self.kept.contents(),
        }


def content(declared: Declaration, face: Any) -> Any:  # noqa: ANN401 - of any map
    """What a live map, or a fake, holds; a ring and a queue are emptied."""
    if declared in more.READ:
        return more.READ[declared](face)
    if declared is ring:
        return [(e.seq, e.number, e.more) for e in face.poll()]
    if declared is jobs:
        return list(face)
    if declared is state:
        return Value.from_bytes(face[0].to_bytes())
    return dict(face.items())


class Tail:
    """A number in the last bytes of the packet."""

    def __init__(self, env: Env, at: int, kind: IntType) -> None:
        self.bytes, self.at, self.kind = env["tail"], at, kind

    def __getitem__(self, _: int) -> int:
        return int(unpack(self.kind, self.bytes[self.at : self.at + self.kind.size]))

    def __setitem__(self, _: int, value: int) -> None:
        self.bytes[self.at : self.at + self.kind.size] = pack(self.kind, value)


def kept(held: dict[int, T], key: int, value: T) -> dict[int, T]:
    """A table with one more entry, where there is room."""
    return held if key not in held and len(held) >= ENTRIES else held | {key: value}


def cell_of(world: World, name: str, key: int) -> list[int] | None:
    if name == "table":
        return world.table.get(key)
    return world.cells[key] if key < ENTRIES else None


def updated(world: World, key: int, number: int, flags: int) -> int:
    if (key in world.table and flags == 1) or (key not in world.table and flags == 2):
        return PRESENT if flags == 1 else ABSENT
    if key not in world.table and len(world.table) >= ENTRIES:
        return FULL
    world.table = kept(world.table, key, [number])
    return 0


def array_updated(world: World, key: int, number: int, flags: int) -> int:
    """An update of an array, or where the flags are -1 a deletion."""
    if flags == -1:
        return INVALID
    if key >= ENTRIES:
        return FULL
    if flags == 1:
        return PRESENT
    world.cells[key][0] = number
    return 0


ATOMICS: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda old, new, _: old + new,
    "and": lambda old, new, _: old & new,
    "or": lambda old, new, _: old | new,
    "xor": lambda old, new, _: old ^ new,
    "xchg": lambda _old, new, _: new,
    "cmpxchg": lambda old, new, expected: new if old == expected else old,
}
