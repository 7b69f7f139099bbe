"""Python values to bytes, exactly: what does not fit a type is refused, never cut, wrapped around or filled up.

The counterpart of ``struct.pack``, which follows the arithmetic of programs. This is for what people write into live
maps: an error says which field, what it takes, and what was given.
"""

from collections.abc import Sequence
from operator import index
from typing import Any

from skep.lang.raw_text import RawText, stored
from skep.lang.struct import Field, StructType, Union, pack
from skep.lang.types import ArrayType, IntType, char


def exact(kind: Any, value: Any, place: str) -> bytes:
    """The bytes of ``value`` as ``kind``; ``place`` names it in errors.

    TypeError for a value of another kind; ValueError for a number out of range, text that is too long or holds a NUL,
    an array of another length.
    """
    checked(kind, value, place)
    return pack(kind, value)


def checked(kind: Any, value: Any, place: str) -> None:
    """Refuse a value that ``kind`` does not hold as it is. TypeError, ValueError."""
    if isinstance(kind, IntType):
        _integer(kind, value, place)
    elif isinstance(kind, StructType):
        _struct(kind, value, place)
    elif kind.element is char:
        _text(kind, value, place)
    else:
        _array(kind, value, place)


def _integer(kind: IntType, value: Any, place: str) -> None:
    try:
        number = index(value)
    except TypeError as error:
        raise TypeError(f"{place} is a {kind!r}, an integer, not {_given(value)}") from error
    if not kind.low <= number <= kind.high:
        raise ValueError(f"{place} is a {kind!r}, from {kind.low} to {kind.high}, not {number}")


def _struct(kind: StructType, value: Any, place: str) -> None:
    if type(value) is not kind:
        raise TypeError(
            f"{place} is a {kind.__name__}, not {_given(value)}; make one: {_made(kind)}"
        )
    if issubclass(kind, Union):  # it is made of its bytes already
        return
    for field in kind.fields:
        member(field, getattr(value, field.name), f"{place}.{field.name}")


def member(field: Field, value: Any, place: str) -> None:
    """Refuse a value that a field does not hold as it is. TypeError, ValueError."""
    checked(field.type, value, place)
    if field.bits is None:
        return
    width = field.bits.width
    low = -(1 << (width - 1)) if field.type.signed else 0
    if not low <= value < low + (1 << width):
        top = low + (1 << width) - 1
        raise ValueError(f"{place} has {width} bits, from {low} to {top}, not {value}")


def _made(kind: StructType) -> str:
    return f"{kind.__name__}({', '.join(f'{field.name}=...' for field in kind.fields)})"


def _text(kind: ArrayType, value: Any, place: str) -> None:
    if not isinstance(value, str | bytes):
        raise TypeError(
            f"{place} is text of {kind.count} bytes, a str or bytes, not {_given(value)}"
        )
    raw = stored(value, kind.count) if isinstance(value, str) else value
    if len(raw) > kind.count:
        raise ValueError(f"{place} takes {kind.count} bytes of text, not {len(raw)}")
    if b"\0" in raw.rstrip(b"\0") and not isinstance(value, RawText):
        raise ValueError(
            f"{place} is text that ends at the first NUL; there is one within {value!r}"
        )


def _array(kind: ArrayType, value: Any, place: str) -> None:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError(f"{place} is a {kind!r}, a sequence of {kind.count}, not {_given(value)}")
    if len(value) != kind.count:
        raise ValueError(f"{place} is a {kind!r}: it takes {kind.count} elements, not {len(value)}")
    if isinstance(kind.element, IntType) and _within(kind.element, value):
        return
    for at, item in enumerate(value):
        checked(kind.element, item, f"{place}[{at}]")


def _within(kind: IntType, values: Sequence[Any]) -> bool:
    """Whether all of them are plain numbers of that type: the quick way through a large array."""
    if not isinstance(values, bytes | bytearray) and any(type(one) is not int for one in values):
        return False
    return not values or (kind.low <= min(values) and max(values) <= kind.high)


def _given(value: Any) -> str:
    """A value in words, as an error shows it."""
    if isinstance(value, type):
        return f"the type {value.__name__}"
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
