"""Where the members of a Struct lie: as C lays them out, bit fields and unions included.

Bit fields are those of GCC on a little-endian machine: they fill a unit of their type from the lowest bit on, and one
that does not fit into what is left of the unit begins the next. Of a packed Struct nothing is aligned.
"""

from collections.abc import Iterator
from typing import Any

from skep.base.frozen import distinct, frozen
from skep.lang.types import IntType


@frozen
class Bits:
    """``width`` bits of a number; ``shift`` is that of the lowest one in its unit."""

    width: int
    shift: int = 0

    def get(self, kind: IntType, unit: int) -> int:
        """The number in a unit of memory."""
        value = (unit >> self.shift) & ((1 << self.width) - 1)
        return value - (1 << self.width) if kind.signed and value >> (self.width - 1) else value

    def put(self, unit: int, value: int) -> int:
        """The unit with another number; it wraps around."""
        mask = ((1 << self.width) - 1) << self.shift
        return (unit & ~mask) | ((value << self.shift) & mask)


@distinct
class Bitfield:
    """Bits of a member: shift right by ``shift`` within a unit of ``size`` bytes, then ``width`` bits."""

    shift: int
    width: int
    size: int


def bits(width: int) -> Any:
    """Makes a member of a Struct a bit field of so many bits.

    ``version: u8 = bits(4)`` takes 4 bits of a unit of one byte.
    """
    return Bits(width)


@frozen
class Field:
    """A member: its name, type and offset in bytes; of a bit field, those of its unit."""

    name: str
    type: Any
    offset: int
    bits: Bits | None = None


def align(offset: int, alignment: int) -> int:
    """The next multiple of ``alignment``."""
    return (offset + alignment - 1) // alignment * alignment


class Layout:
    """Members one after the other; ``end`` is the first free bit. In a union, each begins at 0."""

    def __init__(self, fields: tuple[Field, ...], *, union: bool, packed: bool = False) -> None:
        self.fields, self._union, self._packed = list(fields), union, packed
        self.end = max((_end(field) for field in fields), default=0)

    def add(self, name: str, kind: Any, part: Bits | None) -> None:
        """Place a member. TypeError where a bit field has no such width."""
        if part is not None and not (
            isinstance(kind, IntType) and not kind.big_endian and 0 < part.width <= kind.bits
        ):
            raise TypeError(f"{name}: {kind!r} has no bit field of {part.width} bits")
        if part is not None and self._packed and kind.size > 1:
            raise TypeError(f"{name}: the bit fields of a packed Struct are parts of a u8")
        start = 0 if self._union else self.end
        if part is None:
            made = Field(name, kind, align(-(-start // 8), 1 if self._packed else kind.align))
        else:
            made = _part(name, kind, start, part)
        self.fields.append(made)
        self.end = max(self.end, _end(made))

    @property
    def align(self) -> int:
        """What its address is a multiple of."""
        return 1 if self._packed else max((field.type.align for field in self.fields), default=1)

    @property
    def size(self) -> int:
        """Bytes, without what follows the last member."""
        return -(-self.end // 8)


def _part(name: str, kind: IntType, start: int, part: Bits) -> Field:
    unit = start // kind.bits
    if start - unit * kind.bits + part.width > kind.bits:
        unit, start = unit + 1, (unit + 1) * kind.bits
    return Field(name, kind, unit * kind.size, Bits(part.width, start - unit * kind.bits))


def _end(field: Field) -> int:
    """The first bit behind a member."""
    if field.bits is None:
        return 8 * (field.offset + int(field.type.size))
    return 8 * field.offset + field.bits.shift + field.bits.width


def units(fields: tuple[Field, ...]) -> Iterator[Field]:
    """The members as numpy sees them: of bit fields, their units, once each, as ``_bitsOFFSET``."""
    seen: set[int] = set()
    for field in fields:
        if field.bits is None:
            yield field
        elif field.offset not in seen:
            seen.add(field.offset)
            yield Field(f"_bits{field.offset}", field.type, field.offset)
