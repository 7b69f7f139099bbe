"""The value types of the language: fixed-width integers, text and arrays of them.

Types are immutable and compare by identity. In plain Python an integer type is a cast: ``u8(300) == 44``.
They know their C layout and nothing of a kernel.
"""

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self


class IntType(type):
    """The class of the integer types; ``u8[16]`` is an array type."""

    bits: int
    signed: bool
    big_endian: bool

    def __getitem__(cls, count: int) -> "ArrayType":
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise TypeError(
                f"{cls.__name__}[...] takes a positive number of elements, not {count!r}"
            )
        return ArrayType(cls, count)

    @property
    def size(cls) -> int:
        """Bytes."""
        return cls.bits // 8

    @property
    def align(cls) -> int:
        """Bytes."""
        return cls.bits // 8

    @property
    def low(cls) -> int:
        """The smallest value."""
        return -(1 << (cls.bits - 1)) if cls.signed else 0

    @property
    def high(cls) -> int:
        """The largest value."""
        return (1 << (cls.bits - int(cls.signed))) - 1

    @property
    def format(cls) -> str:
        """The letter of the struct module."""
        letter = {8: "b", 16: "h", 32: "i", 64: "q"}[cls.bits]
        return letter if cls.signed else letter.upper()

    @property
    def code(cls) -> str:
        """The numpy dtype code, with byte order."""
        return f"{'>' if cls.big_endian else '<'}{'i' if cls.signed else 'u'}{cls.size}"

    def wrap(cls, value: int) -> int:
        """``value`` modulo the width, in range."""
        value &= (1 << cls.bits) - 1
        return value - (1 << cls.bits) if cls.signed and value >> (cls.bits - 1) else value

    def __repr__(cls) -> str:
        return cls.__name__


class Int(int, metaclass=IntType):
    """What the integer types share; not itself a type of the language."""

    bits: ClassVar[int] = 64
    signed: ClassVar[bool] = True
    big_endian: ClassVar[bool] = False

    def __new__(cls, value: int = 0) -> Self:
        """The value, wrapped around to the width."""
        return int.__new__(cls, cls.wrap(int(value)))


class u8(Int):
    """Unsigned, 8 bits."""

    bits, signed = 8, False


class u16(Int):
    """Unsigned, 16 bits."""

    bits, signed = 16, False


class u32(Int):
    """Unsigned, 32 bits."""

    bits, signed = 32, False


class u64(Int):
    """Unsigned, 64 bits."""

    bits, signed = 64, False


class s8(Int):
    """Signed, 8 bits."""

    bits = 8


class s16(Int):
    """Signed, 16 bits."""

    bits = 16


class s32(Int):
    """Signed, 32 bits."""

    bits = 32


class s64(Int):
    """Signed, 64 bits."""


class be16(Int):
    """Unsigned, 16 bits, big-endian in memory; read and written as an ordinary number."""

    bits, signed, big_endian = 16, False, True


class be32(Int):
    """Unsigned, 32 bits, big-endian in memory; read and written as an ordinary number."""

    bits, signed, big_endian = 32, False, True


class be64(Int):
    """Unsigned, 64 bits, big-endian in memory; read and written as an ordinary number."""

    bits, signed, big_endian = 64, False, True


class char(Int):
    """A byte of text; ``char[16]`` reads as a string that ends at the first NUL."""

    bits, signed = 8, False


class ArrayType:
    """A fixed array: ``count`` elements of ``element`` (an integer type or a Struct class)."""

    __slots__ = ("count", "element")

    def __init__(self, element: Any, count: int) -> None:
        self.element, self.count = element, count

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.element.size) * self.count

    @property
    def align(self) -> int:
        """Bytes."""
        return int(self.element.align)

    if TYPE_CHECKING:

        def __call__(self) -> Any:
            """An array of zeros, in a program only: ``skep.testing.mypy`` knows the type of what it has."""

    def __getitem__(self, count: int) -> NoReturn:
        raise TypeError(
            f"{self!r}[{count}]: an array of arrays is written as a Struct that holds {self!r}, and an array of those"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayType) and (self.element, self.count) == (
            other.element,
            other.count,
        )

    def __hash__(self) -> int:
        return hash((self.element, self.count))

    def __repr__(self) -> str:
        element = getattr(self.element, "__name__", None) or getattr(self.element, "name", "")
        return f"{element}[{self.count}]"


INTEGERS: tuple[IntType, ...] = (u8, u16, u32, u64, s8, s16, s32, s64, be16, be32, be64, char)
