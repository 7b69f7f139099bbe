"""The rules of integers in plain Python, as ``docs/language.md`` has them, and the memory of random programs."""

import operator
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from skep.lang.struct import Struct, StructType
from skep.lang.types import (
    IntType,
    be16,
    be32,
    be64,
    s8,
    s16,
    s32,
    s64,
    u8,
    u16,
    u32,
    u64,
)

KINDS: tuple[IntType, ...] = (u8, u16, u32, u64, s8, s16, s32, s64)
LOADED: dict[IntType, IntType] = {be16: u16, be32: u32, be64: u64}
EDGES = (0, 1, 2, 3, 5, 7, 8, 31, 32, 63, 64, 100, 127, 128, 255, 256, 32767, 65535, 65536, 1 << 31)
SCRATCH = 8


class In(Struct):
    """What a program reads."""

    a: u64
    b: s64
    c: u32
    d: s32
    e: u16
    f: s16
    g: u8
    h: s8
    i: be16
    j: be32
    k: be64


class Out(Struct):
    """What a program writes."""

    a: u64
    b: s64
    c: u32
    d: s32
    e: u16
    f: s16
    g: u8
    h: s8
    i: be16
    j: be32
    k: be64


OUT_OFFSET = In.size
TAIL = 32
"""Bytes at the end of a packet that programs reach at places which they work out."""
HEADER = """import skep
from skep import be16, be32, s8, s16, s32, s64, u8, u16, u32, u64
from tests.kernel.lang.random_constructs import Odd
from tests.kernel.lang.random_kept import NUMBER, Cell, Deep, Level, Prefix4, applied, lowered
from tests.kernel.lang.random_kept import by_cpu, cpu_table, deep, deeps, guarded, heap, known
from tests.kernel.lang.random_kept import limits, lines, nested, noted, raised, recent, routes, says
from tests.kernel.lang.random_kept import searched, stack, steps, summed
from tests.kernel.lang.random_kept import touch, touched, touched_alone
from tests.kernel.lang.random_world import CHOICES, NEAR, Both, Inner, Value, bump, bumped, found
from tests.kernel.lang.random_world import cells, jobs, ring, state, table, values
from tests.kernel.lang.reference import In, Out
"""

Env = dict[str, Any]


class Return(NamedTuple):
    """How a block ended: by a return."""

    value: int


Ended = Return | str | None  # how a block ended: "break", "continue"; None: at its end


class E(NamedTuple):
    """An expression: its text, its type (None: a literal, or a truth value), and its value in an environment."""

    text: str
    kind: IntType | None
    value: Callable[[Env], int]


class S(NamedTuple):
    """A statement: its lines, and its effect, which tells how it ended."""

    lines: list[str]
    run: Callable[[Env], Ended]


def promoted(kind: IntType) -> IntType:
    """At least 32 bits."""
    if kind.bits >= 32:
        return kind
    return s32 if kind.signed else u32


def met(left: IntType, right: IntType) -> IntType | None:
    """The type of an operation on both."""
    left, right = promoted(left), promoted(right)
    if left.signed == right.signed:
        return max(left, right, key=lambda t: t.bits)
    signed, unsigned = (left, right) if left.signed else (right, left)
    return signed if signed.bits > unsigned.bits else None


def with_literal(kind: IntType, value: int) -> IntType:
    """The type of an operation on a number and a literal."""
    kind = promoted(kind)
    wide = s64 if kind.signed else u64
    if kind.signed and not kind.low <= value <= kind.high:
        return wide
    return wide if value > kind.high else kind


def divided(op: str, left: int, right: int) -> int:
    """Division that rounds down, and is defined for 0."""
    if right == 0:
        return 0 if op == "//" else left
    return left // right if op == "//" else left % right


EXACT: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "//": lambda a, b: divided("//", a, b),
    "%": lambda a, b: divided("%", a, b),
}
ORDER: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def arithmetic(op: str, kind: IntType, left: E, right: E) -> E:
    """Both sides as ``kind``, then the operation, then as ``kind``."""
    exact = EXACT[op]

    def value(env: Env) -> int:
        return kind.wrap(exact(kind.wrap(left.value(env)), kind.wrap(right.value(env))))

    return E(f"({left.text} {op} {right.text})", kind, value)


def literal(value: int) -> E:
    """A constant."""
    return E(str(value) if value >= 0 else f"({value})", None, lambda _: value)


def cast(kind: IntType, e: E) -> E:
    """A conversion that wraps around."""
    return E(f"{kind!r}({e.text})", kind, lambda env: kind.wrap(e.value(env)))


@dataclass
class Sub:
    """A function that the program calls."""

    name: str
    parameters: list[tuple[str, IntType]]
    result: IntType
    lines: list[str]
    run: Callable[[list[int]], int]


@dataclass(frozen=True)
class Program:
    """A program's source, and what it must give for a packet: the verdict, and the packet it leaves.

    What outlives a run is in the world that is given. ``plain``: plain Python gives the same.
    """

    name: str
    source: str
    run: Callable[[bytes, object], tuple[int, bytes]]
    plain: bool


def packet(rng: random.Random, struct: StructType = In) -> bytes:
    """Random input, full of edges, then the space of the output, then any bytes."""
    values = {}
    for one in struct.fields:
        roll = rng.random()
        if roll < 0.4:
            value = rng.choice(EDGES) * rng.choice((1, -1))
        elif roll < 0.6:
            value = rng.choice((one.type.low, one.type.high, one.type.high - 1, one.type.low + 1))
        else:
            value = rng.getrandbits(one.type.bits)
        values[one.name] = one.type.wrap(value)
    made: bytes = struct(**values).to_bytes()
    return made + bytes(Out.size) + rng.randbytes(TAIL)


def variable(name: str, kind: IntType) -> E:
    """A variable."""
    return E(name, kind, lambda env: env[name])


def sequence(made: list[S]) -> S:
    """Statements one after the other."""

    def run(env: Env) -> Ended:
        for one in made:
            ended = one.run(env)
            if ended is not None:
                return ended
        return None

    return S([line for one in made for line in one.lines], run)


def used(memory: list[str], lines: list[str]) -> list[str]:
    """The lines that make memory which other lines name."""
    words = set(re.findall(r"\w+", "\n".join(lines)))
    return [line for line in memory if line.partition(" ")[0] in words]


def indented(lines: list[str]) -> list[str]:
    """Lines of a block."""
    return [f"    {line}" for line in lines]


def constant(side: E) -> int | None:
    """The value of a literal; None of anything else."""
    text = side.text.strip("()")
    return int(text) if side.kind is None and text.lstrip("-").isdigit() else None


def fitting(side: E, kind: IntType) -> E:
    """A literal that the compiler takes as ``kind`` without a cast; anything else as it is."""
    value = constant(side)
    return literal(abs(value) % (kind.high + 1)) if value is not None else side


def comparable(side: E, kind: IntType) -> E:
    """A literal whose comparison has more than one result."""
    value = constant(side)
    return literal(abs(value) % kind.high or 1) if value is not None else side
