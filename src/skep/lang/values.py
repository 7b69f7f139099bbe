"""The types of expressions while a program is compiled: what a value is, and in what memory it lies.

Integer, array and Struct types are those of the language (``types``, ``struct``); here is what only the compiler sees.
All are immutable and compared by value.
"""

from dataclasses import replace
from enum import Enum
from typing import Any

from skep.base.frozen import frozen
from skep.lang.types import (
    ArrayType,
    Int,
    IntType,
    be16,
    be32,
    be64,
    char,
    s8,
    s16,
    s32,
    s64,
    u8,
    u16,
    u32,
    u64,
)


class be16_of_32(Int):  # noqa: N801 - named as the types of the language are
    """A port in a context: 16 bits in network order, in the lower half of 32."""

    bits, signed, big_endian = 32, False, True


REGISTER: dict[IntType, IntType] = {be16: u16, be32: u32, be64: u64, be16_of_32: u16, char: u8}
BY_SHAPE: dict[tuple[int, bool], IntType] = {
    (t.bits, t.signed): t for t in (u8, u16, u32, u64, s8, s16, s32, s64)
}

LADDER: tuple[IntType, ...] = (u8, u16, u32, s32, u64, s64)


def register(kind: IntType) -> IntType:
    """The type that a number of memory type ``kind`` has once it is loaded."""
    return REGISTER.get(kind, kind)


class Memory(Enum):
    """Where a pointer points, which decides how it may be read and written."""

    STACK = "the program's stack"
    VALUE = "a map value"
    RECORD = "a reserved record"
    PACKET = "a packet"
    KERNEL = "a kernel object"
    PROBE = "untyped kernel memory"
    CONTEXT = "the program's context"
    USER = "user memory"
    MAP = "a map of maps"
    CONSTANT = "constant memory"
    ARENA = "an arena"
    OBJECT = "an allocated object"
    KEPT = "an object that is kept"
    PER_CPU = "an object of each CPU"


OWN = frozenset({Memory.STACK, Memory.VALUE, Memory.RECORD})
"""Memory of the program's own that the verifier hands on as bytes of a known size.

It would hand on a view of a packet too, and then forget that it is one: a tc program would write into bytes that other
holders of the packet share, and nobody would know when they move.
"""
WRITABLE = frozenset(
    {
        *(Memory.STACK, Memory.VALUE, Memory.RECORD, Memory.PACKET),
        *(Memory.ARENA, Memory.CONTEXT, Memory.OBJECT, Memory.KEPT),
    }
)
ALLOCATED = frozenset({Memory.OBJECT, Memory.KEPT})
"""Memory of objects of the program's own, of which the verifier follows each field."""
BELONGING = frozenset({Memory.OBJECT, Memory.PER_CPU})
"""Objects that are the program's, to be given back or kept."""


@frozen
class Literal:
    """An integer whose width is still open: it takes the type of what it meets. ``names`` are the variables in it."""

    low: int | None
    high: int | None
    names: frozenset[str] = frozenset()

    def joined(self, other: "Literal") -> "Literal":
        """A literal that may be either."""
        known = None not in (self.low, self.high, other.low, other.high)
        low = min(self.low, other.low) if known else None  # type: ignore[type-var]
        high = max(self.high, other.high) if known else None  # type: ignore[type-var]
        return Literal(low, high, self.names | other.names)


class Simple(Enum):
    """Types without parameters."""

    BOOL = "bool"
    NONE = "None"
    VOID = "nothing"
    UNKNOWN = "unknown"


BOOL, NONE, VOID, UNKNOWN = Simple.BOOL, Simple.NONE, Simple.VOID, Simple.UNKNOWN


@frozen
class KernelStruct:
    """A struct or union of the kernel's BTF; ``module`` is the one among whose own types it is, "" where in none's."""

    id: int
    name: str
    size: int
    align: int = 8
    module: str = ""


@frozen
class KernelPointer:
    """A pointer as it lies in memory: 8 bytes. ``target`` None: ``void *``."""

    target: Any
    user: bool = False
    size: int = 8
    align: int = 8


@frozen
class Pointer:
    """An address in a register. ``what`` names it in messages ("a map lookup"); ``owner`` is a record's ring.

    ``align``: what the address is a multiple of, if what it leads into is. ``buffer``: the memory that it is once a
    view gives it a type.
    """

    target: Any
    memory: Memory
    nullable: bool = False
    what: str = ""
    owner: Any = None
    align: int = 8
    buffer: Memory | None = None

    def checked(self) -> "Pointer":
        """The same, known not to be None."""
        return replace(self, nullable=False)


@frozen
class Static:
    """A Python object that is known while compiling: a map, a helper, a function, a class, a module, a type."""

    value: Any


@frozen
class Several:
    """The results of a function that gives more than one."""

    items: tuple[Any, ...]

    @property
    def size(self) -> int:
        """Bytes in memory: each takes a word."""
        return 8 * len(self.items)


Type = Any
GIVEN = "an argument of a global function"
"""What names a pointer that any caller may have passed."""


def describe(kind: Type) -> str:
    """The type in words, for messages."""
    match kind:
        case Literal():
            return "an integer"
        case Pointer(target=target, memory=memory):
            inner = getattr(target, "__name__", None) or getattr(target, "name", None)
            inner = inner or (repr(target) if isinstance(target, ArrayType) else "memory")
            maybe = " or None" if kind.nullable else ""
            return f"a pointer to {inner} in {memory.value}{maybe}"
        case KernelStruct(name=name):
            return f"struct {name}"
        case Several(items=items):
            return f"{len(items)} values"
        case Static(value=value):
            return _described(value)
        case Simple():
            return str(kind.value)
        case _:
            return repr(kind)


def _described(value: Any) -> str:
    """A Python object in words, by what it is to a program; never by where it lies."""
    if isinstance(value, IntType | ArrayType):
        return f"the type {value!r}"
    if isinstance(value, list | set | dict | str | bytes):
        return f"a Python {type(value).__name__}"
    name = getattr(value, "__name__", "")
    kind = "class" if isinstance(value, type) else type(value).__name__
    return f"the {kind} {name!r}" if name else f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


def fits(value: int, kind: IntType) -> bool:
    """Whether ``value`` is in the range of ``kind``."""
    return bool(kind.low <= value <= kind.high)


def promote(kind: IntType) -> IntType:
    """As in C, arithmetic happens at 32 bits at least; unlike in C, the sign stays."""
    kind = register(kind)
    return kind if kind.bits >= 32 else BY_SHAPE[32, kind.signed]


def common(left: IntType, right: IntType) -> IntType | None:
    """The type of an operation on both: the wider; signed and unsigned mix only where the signed type holds both."""
    left, right = promote(left), promote(right)
    if left.signed == right.signed:
        return left if left.bits >= right.bits else right
    signed, unsigned = (left, right) if left.signed else (right, left)
    return signed if signed.bits > unsigned.bits else None


def join(left: Type, right: Type) -> Type:
    """The type of a variable that gets values of both types; None where there is none."""
    if left is UNKNOWN or left == right:
        return right
    if right is UNKNOWN:
        return left
    match left, right:
        case (Literal(), Literal()):
            return left.joined(right)
        case (Literal() | IntType() | Simple.BOOL, Literal() | IntType() | Simple.BOOL):
            return _join_numbers(left, right)
        case (Several(items=a), Several(items=b)) if len(a) == len(b):
            joined = tuple(join(x, y) for x, y in zip(a, b, strict=True))
            return None if None in joined else Several(joined)
        case (Pointer(), Pointer()):
            same = all(getattr(left, k) == getattr(right, k) for k in ("target", "memory", "owner"))
            kept = left if left.nullable else right
            return replace(kept, align=min(left.align, right.align)) if same else None
        case (Pointer(), Simple.NONE) | (Simple.NONE, Pointer()):
            return replace(left if right is NONE else right, nullable=True)
    return None


def _join_numbers(left: Type, right: Type) -> Type:
    if BOOL in (left, right):
        return right if left is BOOL else left
    if isinstance(left, IntType) and isinstance(right, IntType):
        return register(left) if register(left) is register(right) else common(left, right)
    return _join_literal(*((left, right) if isinstance(left, Literal) else (right, left)))


def _join_literal(literal: Literal, kind: IntType) -> IntType | None:
    kind = register(kind)
    if literal.low is None or literal.high is None:
        return promote(kind)
    fitting = (t for t in LADDER if fits(literal.low, t) and fits(literal.high, t))
    if fits(literal.low, kind) and fits(literal.high, kind):
        return kind
    return next((wide for t in fitting if (wide := common(kind, t)) is not None), None)


def literal_type(value: Literal) -> IntType:
    """The type of a literal that met no other type: s64, or u64 where only that holds it."""
    if (
        value.high is not None
        and value.low is not None
        and value.low >= 0
        and value.high > s64.high
    ):
        return u64
    return s64
