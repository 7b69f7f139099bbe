"""One event as people and clients read it: its fields in the forms of its record. Without numpy, for few events.

It says what the batches' ``Formatter`` says, field by field; a test compares them.
"""

import socket
from collections.abc import Callable
from typing import Any, Protocol

from skep.lang.forms import (
    Address,
    Bytes,
    Form,
    Frames,
    Given,
    Hex,
    Hidden,
    Marks,
    Names,
    Symbol,
    Unless,
    Words,
)
from skep.lang.struct import Field, Struct
from skep.lang.types import ArrayType, u8

INET, INET6 = 2, 10
IPV4, IPV6 = 4, 16
"""Bytes of addresses."""
Shown = dict[str, Any]


class Namer(Protocol):
    """Who knows names that only live things have."""

    def number(self, enum: str, number: int) -> str | int:
        """The name of a number in an enumeration of the kernel's, or itself."""

    def symbol(self, form: Symbol, address: int, pid: int) -> str:
        """The function that an address lies in."""

    def frames(self, form: Frames, number: int, pid: int) -> list[str]:
        """The functions of a stack, by its number and the process that it is of, 0 for the kernel's."""


def shown(event: Struct, namer: Namer | None = None) -> Shown:
    """The fields of a Struct by name as JSON has them; of a Record without its header.

    Without a ``namer``, stacks and numbers of the kernel's are shown as numbers.
    """
    found: Shown = {}
    for field in type(event).fields:
        _add(found, event, field, type(event).forms.get(field.name), namer)
    return found


def value(given: Any, namer: Namer | None = None) -> Any:  # noqa: ANN401 - of the language, of JSON
    """A value that has no form itself: the parts of a Struct have theirs."""
    if isinstance(given, Struct):
        return shown(given, namer)
    return [value(part, namer) for part in given] if isinstance(given, list) else given


def readable(raw: bytes) -> str:
    """Bytes as text: UTF-8, and what is not as backslash escapes."""
    return raw.decode("utf-8", "backslashreplace")


def is_octets(kind: Any) -> bool:  # noqa: ANN401 - a type of the language
    """Whether a type is an array of bytes that are no text."""
    return isinstance(kind, ArrayType) and kind.element is u8


def address(family: int, raw: bytes) -> str | None:
    """The text of an address; None where the family is another."""
    if family not in (INET, INET6):
        return None
    return socket.inet_ntop(family, raw[:IPV4] if family == INET else raw[:IPV6])


def _add(found: Shown, event: Struct, field: Field, form: Form | None, namer: Namer | None) -> None:
    match form:
        case Hidden():
            return
        case Given(form=own, by=by) | Unless(form=own, by=by):
            value = getattr(event, by or field.name)
            if (any(value) if isinstance(value, list) else bool(value)) is isinstance(form, Given):
                _add(found, event, field, own, namer)
        case Marks(bits=bits):
            value = getattr(event, field.name)
            found.update({name: True for bit, name in bits if value & bit})
        case Frames(pid=pid) if namer:
            process = getattr(event, pid) if pid else 0
            found[field.name] = namer.frames(form, getattr(event, field.name), process)
        case Names(enum=enum) if enum and namer:
            found[field.name] = namer.number(enum, getattr(event, field.name))
        case Symbol(pid=pid) if namer:
            process = getattr(event, pid) if pid else 0
            found[field.name] = namer.symbol(form, getattr(event, field.name), process)
        case None | Frames():
            found[field.name] = _plain(event, field, namer)
        case _:
            found[field.name] = _SHOWS[type(form)](event, field, form)


def _raw(event: Struct, field: Field) -> bytes:
    size = int(field.type.size)
    return event.to_bytes()[field.offset : field.offset + size]


def _plain(event: Struct, field: Field, namer: Namer | None) -> Any:  # noqa: ANN401 - a value of JSON
    if is_octets(field.type):
        return _raw(event, field).hex()
    return value(getattr(event, field.name), namer)


def _hex(event: Struct, field: Field, _: Any) -> str:  # noqa: ANN401 - a form
    return f"{getattr(event, field.name):#x}"


def _names(event: Struct, field: Field, form: Names) -> str | int:
    value: int = getattr(event, field.name)
    return dict(form.table).get(value, value)


def _address(event: Struct, field: Field, form: Address) -> str | None:
    otherwise = INET if field.type.size == IPV4 else INET6
    family = getattr(event, form.family) if form.family else otherwise
    if is_octets(field.type):
        return address(family, _raw(event, field))
    value = getattr(event, field.name)
    words = value if isinstance(value, list) else [value]
    return address(family, b"".join(word.to_bytes(IPV4, "big") for word in words))


def _words(event: Struct, field: Field, form: Words) -> list[str]:
    raw = _raw(event, field)[: getattr(event, form.used)]
    return [readable(part) for part in raw.removesuffix(b"\0").split(b"\0")] if raw else []


def _bytes(event: Struct, field: Field, _: Any) -> str:  # noqa: ANN401 - a form
    return readable(_raw(event, field).partition(b"\0")[0])


_SHOWS: dict[type, Callable[[Struct, Field, Any], Any]] = {
    Hex: _hex,
    Symbol: _hex,
    Names: _names,
    Address: _address,
    Words: _words,
    Bytes: _bytes,
}
