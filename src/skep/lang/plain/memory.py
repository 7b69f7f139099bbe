"""Memory as a program sees it: views of bytes by type, that write through. A view is what a pointer is in the kernel.

A view of a number is a ``Reference``, of a Struct a ``StructView``, of an array an ``ArrayView``. What a view
gives is a Number that knows its place, so that an atomic operation on a field finds it.
"""

import operator
from collections.abc import Callable, Iterator
from typing import Any, Self

from skep.lang.layout import Bits, Field
from skep.lang.plain.numbers import Number, arithmetic, operate, value_of
from skep.lang.raw_text import read, text_of
from skep.lang.special import SpinLock
from skep.lang.struct import StructType, pack, unpack
from skep.lang.types import ArrayType, IntType, char, s32

BITWISE: dict[str, Callable[[int, int], int]] = {
    "|": operator.or_,
    "&": operator.and_,
    "^": operator.xor,
}


class Cell:
    """A number in memory."""

    def __init__(self, kind: IntType, memory: memoryview) -> None:
        self.kind, self.memory = kind, memory

    def load(self) -> Number:
        """What stands there now."""
        return Number(self.kind, unpack(self.kind, self.memory), self)

    def store(self, value: int) -> None:
        """Write a number; it wraps around."""
        self.memory[:] = pack(self.kind, value)


class BitCell(Cell):
    """Bits of a number in memory."""

    def __init__(self, kind: IntType, memory: memoryview, part: Bits) -> None:
        super().__init__(kind, memory)
        self.part = part

    def load(self) -> Number:
        """What stands there now; it has no address."""
        return Number(self.kind, self.part.get(self.kind, unpack(self.kind, self.memory)))

    def store(self, value: int) -> None:
        """Write a number; it wraps around."""
        super().store(self.part.put(unpack(self.kind, self.memory), int(value)))


class Reference:
    """A pointer to a number: it reads as the number, ``+=`` changes it in place, and it is true for it is not None."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    @property
    def value(self) -> Number:
        """The number that stands there now."""
        return self.cell.load()

    @property
    def place(self) -> Cell:
        """Where it stands."""
        return self.cell

    def __int__(self) -> int:
        return int(self.value)

    __index__ = __int__

    def __getitem__(self, index: int) -> Number:
        _within(index, 1)
        return self.value

    def __setitem__(self, index: int, value: int) -> None:
        _within(index, 1)
        self.cell.store(value)

    def view(self, kind: Any) -> "View":
        """The same memory as another type."""
        return seen_as(kind, self.cell.memory)

    def __neg__(self) -> Number:
        return -self.value

    def __invert__(self) -> Number:
        return ~self.value

    def __eq__(self, other: object) -> bool:
        return bool(self.value == other)

    def __lt__(self, other: Any) -> bool:
        return self.value < int(other)

    def __le__(self, other: Any) -> bool:
        return self.value <= int(other)

    def __gt__(self, other: Any) -> bool:
        return self.value > int(other)

    def __ge__(self, other: Any) -> bool:
        return self.value >= int(other)

    __hash__ = None  # type: ignore[assignment]

    def __format__(self, spec: str) -> str:
        return format(int(self), spec)

    def __repr__(self) -> str:
        return f"<{self.cell.kind!r} {int(self)}>"


def in_place(op: str, target: Any, was: Any, other: Any) -> Any:
    """``target op= other``: what a Reference refers to, and ``was`` read from, changes; a number is made anew."""
    if isinstance(target, ArrayView):
        return target.changed(op, other)
    made = operate(op, was, other)
    if not isinstance(target, Reference):
        return made
    target.cell.store(made)
    return target


def number_now(value: Any) -> Any:
    """The number that stands behind a pointer to one; anything else as it is."""
    return value.value if isinstance(value, Reference) else value


arithmetic(Reference)


class StructView:
    """A Struct in memory: ``view.field`` reads, ``view.field = value`` writes."""

    def __init__(self, kind: StructType, memory: memoryview) -> None:
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_memory", memory)

    def _field(self, name: str) -> tuple[Field, memoryview]:
        field = self._kind.field(name)
        if field is None:
            raise AttributeError(f"{self._kind.__name__} has no field {name!r}")
        return field, self._memory[field.offset : field.offset + field.type.size]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "view" and self._kind.field(name) is None:
            return lambda kind: seen_as(kind, self._memory)
        field, memory = self._field(name)
        if field.bits is not None:
            return BitCell(field.type, memory, field.bits).load()
        return at(field.type, memory)

    def __setattr__(self, name: str, value: Any) -> None:
        field, memory = self._field(name)
        if field.bits is not None:
            BitCell(field.type, memory, field.bits).store(value)
        else:
            put(field.type, memory, value)

    def __getitem__(self, index: int) -> "StructView":
        _within(index, 1)
        return self

    def __setitem__(self, index: int, value: Any) -> None:
        _within(index, 1)
        put(self._kind, self._memory, value)

    def __bytes__(self) -> bytes:
        return bytes(self._memory)

    def __repr__(self) -> str:
        return f"<view of {self._kind.from_bytes(self._memory)!r}>"


class LockView(StructView):
    """A lock: plain Python runs one program at a time, so that only its balance can go wrong."""

    def __enter__(self) -> None:
        if any(bytes(self)):
            raise RuntimeError("this lock is held already")
        self.val = 1

    def __exit__(self, *_: object) -> None:
        self.val = 0


class ArrayView:
    """An array in memory; an index outside it is an IndexError. ``char[N]`` is text up to its first NUL."""

    def __init__(self, kind: ArrayType, memory: memoryview) -> None:
        self.kind, self.memory = kind, memory

    def __len__(self) -> int:
        return self.kind.count

    def view(self, kind: Any) -> "View":
        """The same memory as another type."""
        return seen_as(kind, self.memory)

    def _element(self, index: int) -> memoryview:
        if not isinstance(index, Number) and -self.kind.count <= index < 0:
            index += self.kind.count  # written out: counted from the end
        _within(index, self.kind.count)
        size = self.kind.element.size
        return self.memory[int(index) * size : (int(index) + 1) * size]

    def _part(self, index: slice) -> tuple[ArrayType, memoryview]:
        first, last, _ = index.indices(self.kind.count)
        size = self.kind.element.size
        kind = ArrayType(self.kind.element, last - first)
        return kind, self.memory[first * size : last * size]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return ArrayView(*self._part(index))
        return at(self.kind.element, self._element(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            put(*self._part(index), value)
        else:
            put(self.kind.element, self._element(index), value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def changed(self, op: str, other: Any) -> Self:
        """Each element changes: ``|=``, ``&=`` and ``^=`` with an array alike. TypeError at anything else."""
        alike = isinstance(other, ArrayView) and len(other.memory) == len(self.memory)
        if op not in BITWISE or not alike:
            raise TypeError(
                f"{self.kind!r} is changed as a whole by |=, &= and ^= and an array like it"
            )
        self.memory[:] = bytes(
            BITWISE[op](a, b) for a, b in zip(self.memory, other.memory, strict=True)
        )
        return self

    def __ior__(self, other: Any) -> Self:
        return self.changed("|", other)

    def __iand__(self, other: Any) -> Self:
        return self.changed("&", other)

    def __ixor__(self, other: Any) -> Self:
        return self.changed("^", other)

    def __bytes__(self) -> bytes:
        return bytes(self.memory)

    def __str__(self) -> str:
        text = self.kind.element is char
        return text_of(bytes(self.memory)) if text else repr(self)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def content(self) -> bytes:
        """What it compares by."""
        data = bytes(self.memory)
        return data.split(b"\0", 1)[0] if self.kind.element is char else data

    def _beside(self, other: object) -> bytes:
        """The bytes of text, bytes, or another array."""
        if isinstance(other, ArrayView):
            return other.content()
        if isinstance(other, str if self.kind.element is char else bytes):
            return read(other) if isinstance(other, str) else bytes(other)
        if isinstance(other, list):
            return pack(self.kind, other)
        raise TypeError(f"{self.kind!r} does not go with {other!r}")

    def __eq__(self, other: object) -> bool:
        return self.content() == self._beside(other)

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, other: object) -> bool:
        if isinstance(other, int | Reference) and self.kind.element is not char:
            return any(value == other for value in self)
        return self._beside(other) in self.content()

    def startswith(self, other: object) -> bool:
        """Whether it begins with text or bytes."""
        return self.content().startswith(self._beside(other))

    def endswith(self, other: object) -> bool:
        """Whether it ends with text or bytes."""
        return self.content().endswith(self._beside(other))

    def find(self, other: object) -> Number:
        """Where text or bytes begin in it; -1: nowhere."""
        return Number(s32, self.content().find(self._beside(other)))

    def __repr__(self) -> str:
        return f"<view of {unpack(self.kind, self.memory)!r}>"


View = Reference | StructView | ArrayView


def raw(place: Any) -> memoryview:
    """The bytes of memory that a program hands to a helper: of a view, of a number that stands somewhere, of text."""
    if isinstance(place, Number) and isinstance(place.place, Cell):
        return place.place.memory
    if isinstance(place, Reference):
        return place.cell.memory
    if isinstance(place, StructView):
        found: memoryview = object.__getattribute__(place, "_memory")
        return found
    if isinstance(place, ArrayView):
        return place.memory
    if isinstance(place, str | bytes):
        return memoryview(place.encode() + b"\0" if isinstance(place, str) else place)
    raise TypeError(f"memory is wanted here (a field, an array or a struct), not {place!r}")


def kind_of_memory(place: Any) -> Any:
    """A type as it is named, or that of memory. TypeError at anything else: only a kernel knows its types."""
    match place:
        case Kind() | ArrayView() | Number():
            return place.kind
        case Reference():
            return place.cell.kind
        case StructView():
            return object.__getattribute__(place, "_kind")
    raise TypeError(f"{place!r} has no size in plain Python; a type of the program's own has")


def _within(index: int, count: int) -> None:
    if not 0 <= int(index) < count:
        raise IndexError(f"index {int(index)} is outside 0..{count - 1}")


def pointer(kind: Any, memory: memoryview) -> View:
    """A pointer to ``kind`` in memory of its size."""
    if isinstance(kind, IntType):
        return Reference(Cell(kind, memory))
    if kind is SpinLock:
        return LockView(kind, memory)
    return StructView(kind, memory) if isinstance(kind, StructType) else ArrayView(kind, memory)


def seen_as(kind: Any, memory: memoryview) -> View:
    """Memory as another type. TypeError where it is too short for that."""
    wanted = type_of(kind)
    if wanted.size > len(memory):
        raise TypeError(f"{wanted!r} takes {wanted.size} bytes, and this memory has {len(memory)}")
    return pointer(wanted, memory[: wanted.size])


def at(kind: Any, memory: memoryview) -> Any:
    """What a field or element gives: a number, or a view of a struct or array."""
    return Cell(kind, memory).load() if isinstance(kind, IntType) else pointer(kind, memory)


def put(kind: Any, memory: memoryview, value: Any) -> None:
    """Store a number, or copy a struct, an array or text. TypeError where the shapes differ."""
    memory[:] = encoded(kind, value)


def encoded(kind: Any, value: Any) -> bytes:
    """The bytes of a value as ``kind``: a number, a view, a Struct, text, or a list."""
    if isinstance(kind, IntType):
        return pack(kind, int(value))
    if isinstance(value, StructView | ArrayView):
        data = bytes(value)
        if len(data) != kind.size:
            raise TypeError(f"{len(data)} bytes cannot be copied into {kind!r} of {kind.size}")
        return data
    if isinstance(kind, ArrayType) and kind.element is not char and len(value) > kind.count:
        raise TypeError(f"{len(value)} elements cannot be copied into {kind!r}")
    return pack(kind, value)


def fresh(kind: Any, /, *values: Any, **named: Any) -> View:
    """Memory of its own, zero but for the fields that are given."""
    made = pointer(kind, memoryview(bytearray(kind.size)))
    if len(values) > len(getattr(kind, "fields", ())):
        raise TypeError(f"{kind!r} does not take {len(values)} values")
    for field, value in zip(getattr(kind, "fields", ()), values, strict=False):
        setattr(made, field.name, value)
    for name, value in named.items():
        setattr(made, name, value)
    return made


def kept(value: Any) -> Any:
    """A value as it is now: a copy, where it is memory."""
    if not isinstance(value, StructView | ArrayView):
        return number_now(value)
    kind = value.kind if isinstance(value, ArrayView) else object.__getattribute__(value, "_kind")
    return pointer(kind, memoryview(bytearray(bytes(value))))


class Kind:
    """A type as a function uses it: a cast, a constructor, ``u8[16]``, an argument of ``view`` and ``reserve``."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def __call__(self, /, *values: Any, **named: Any) -> Any:
        """A number cast, or memory made."""
        if isinstance(self.kind, IntType):
            return Number(self.kind, value_of(*values))
        return fresh(self.kind, *values, **named)

    def __getitem__(self, count: int) -> "Kind":
        return Kind(self.kind[count])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kind, name)


def type_of(kind: Any) -> Any:
    """The type itself, where a function has its stand-in."""
    return kind.kind if isinstance(kind, Kind) else kind
