"""How a field is written in JSON: for a column, a list of what fills a place of the template.

A ``Show`` is made of a field's type and form. What repeats (names, addresses, words) is escaped
once and remembered, in a memory that is emptied when it is full.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from skep.base.frozen import frozen
from skep.events.columns import Kind
from skep.events.shown import INET, INET6, IPV4, IPV6, address, is_octets, readable, value
from skep.lang.forms import Address, Bytes, Form, Given, Hex, Marks, Names, Symbol, Unless, Words
from skep.lang.types import ArrayType, IntType, be32, char, u8, u32

if TYPE_CHECKING:
    import numpy as np

    from skep.events.batch import Batch
    from skep.lang.struct import Field

REMEMBERED = 4096


class Memo(dict[Any, bytes]):
    """A function's results by argument, at most ``REMEMBERED`` of them."""

    def __init__(self, function: Callable[[Any], bytes]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, key: object) -> bytes:
        if len(self) >= REMEMBERED:
            self.clear()
        value = self[key] = self._function(key)
        return value


def escaped(text: str) -> bytes:
    """``text`` as a JSON string."""
    quoted: str = encode_basestring(text)
    return quoted.encode()


def text(raw: bytes) -> bytes:
    """Bytes up to the first NUL as a JSON string."""
    return escaped(readable(raw.partition(b"\0")[0]))


def words(raw: bytes) -> bytes:
    """NUL-ended words as a JSON list of strings."""
    if not raw:
        return b"[]"
    parts = raw.removesuffix(b"\0").split(b"\0")
    return b"[" + b",".join([escaped(readable(part)) for part in parts]) + b"]"


@frozen
class Show:
    """``place`` is the template's place; ``column(batch, field name)`` lists what goes there."""

    place: bytes
    column: Callable[[Batch, str], list[Any]]


def show(field: Field, form: Form | None) -> Show:
    """How ``field`` is shown; TypeError where its form does not go with its type."""
    _refuse_mismatch(field, form)
    match form:
        case Hex() | Symbol():
            return Show(b'"0x%x"', _numbers)
        case Names(table=table):
            return named(dict(table).get)
        case Marks(bits=bits):
            return _remembered(lambda value: b"".join(_mark(value, *bit) for bit in bits))
        case Address(family=family):
            return Show(b"%b", _addresses(field.type, family))
        case Words(used=used):
            return Show(b"%b", _words(used))
        case Bytes():
            return Show(b"%b", _texts(octets=True))
        case Given(form=own, by=by) | Unless(form=own, by=by):
            wanted = isinstance(form, Given)
            return _where(show(field, own), field.name, by or field.name, wanted=wanted)
        case _:
            return _plain(field.type)


def key(name: str) -> bytes:
    """What stands before a value."""
    return b"," + escaped(name) + b":"


def _where(shown: Show, name: str, by: str, *, wanted: bool) -> Show:
    """Key and value where the field ``by`` is (``wanted``) or is not another than 0, or zeroes, else nothing."""
    piece = key(name) + shown.place

    def column(batch: Batch, name: str) -> list[bytes]:
        other = batch[by] != 0
        tests = (other if other.ndim == 1 else other.any(axis=1)).tolist()
        values = shown.column(batch, name)
        return [piece % v if test is wanted else b"" for v, test in zip(values, tests, strict=True)]

    return Show(b"%b", column)


def named(name: Callable[[int], str | None]) -> Show:
    """An integer as the text that ``name`` gives, or as itself."""

    def one(value: int) -> bytes:
        known = name(value)
        return b"%d" % value if known is None else escaped(known)

    return _remembered(one)


def _refuse_mismatch(field: Field, form: Form | None) -> None:
    integer = isinstance(field.type, IntType)
    octets = is_octets(field.type)
    words = isinstance(field.type, ArrayType) and field.type.element in (u32, be32)
    address = integer or octets or words
    wants = {
        Hex: integer,
        Symbol: integer,
        Names: integer,
        Marks: integer,
        Address: address and field.type.size in ((IPV6,) if _family(form) else (IPV4, IPV6)),
        Words: octets,
        Bytes: octets,
    }
    if not wants.get(type(form), True):
        raise TypeError(f"{field.name}: {field.type!r} cannot be shown as {type(form).__name__}")


def _family(form: Form | None) -> str:
    return form.family if isinstance(form, Address) else ""


def _plain(kind: Kind) -> Show:
    if isinstance(kind, IntType):
        return Show(b"%d", _numbers)
    if isinstance(kind, ArrayType) and kind.element is char:
        return Show(b"%b", _texts(octets=False))
    if isinstance(kind, ArrayType) and kind.element is u8:
        return Show(
            b'"%b"', lambda batch, name: [raw.hex().encode() for raw in _octets(batch[name])]
        )
    return Show(b"%b", _objects)


def _numbers(batch: Batch, name: str) -> list[Any]:
    values: list[Any] = batch[name].tolist()
    return values


def _remembered(function: Callable[[Any], bytes]) -> Show:
    memo = Memo(function)
    return Show(b"%b", lambda batch, name: [memo[value] for value in batch[name].tolist()])


def _mark(value: int, bit: int, name: str) -> bytes:
    return key(name) + b"true" if value & bit else b""


def _octets(column: np.ndarray[Any, Any]) -> list[bytes]:
    """The rows of an array of bytes as objects, NULs at the end kept."""
    raw: list[bytes] = column.view(f"V{column[:1].nbytes}").ravel().tolist() if len(column) else []
    return raw


def _texts(*, octets: bool) -> Callable[[Batch, str], list[Any]]:
    memo = Memo(text)

    def column(batch: Batch, name: str) -> list[Any]:
        values = _octets(batch[name]) if octets else batch[name].tolist()
        return _replaced([memo[raw] for raw in values], batch, name, text)

    return column


def _words(used: str) -> Callable[[Batch, str], list[Any]]:
    memo = Memo(words)

    def column(batch: Batch, name: str) -> list[Any]:
        pairs = zip(_octets(batch[name]), batch[used].tolist(), strict=True)
        return _replaced([memo[raw[:size]] for raw, size in pairs], batch, name, words)

    return column


def _replaced(
    shown: list[Any], batch: Batch, name: str, function: Callable[[bytes], bytes]
) -> list[Any]:
    for row, whole in batch.longer.get(name, {}).items():
        shown[row] = function(whole)
    return shown


def _addresses(kind: Kind, family: str) -> Callable[[Batch, str], list[Any]]:
    """Addresses of the family that a field says, or where none does, of one."""
    otherwise = INET if kind.size == IPV4 else INET6
    memo = Memo(lambda key: b"null" if (text := address(*key)) is None else escaped(text))

    def column(batch: Batch, name: str) -> list[Any]:
        values = batch[name]
        raw = _octets(values if is_octets(kind) else values.astype(">u4"))
        families = batch[family].tolist() if family else [otherwise] * len(raw)
        return [memo[key] for key in zip(families, raw, strict=True)]

    return column


def _objects(batch: Batch, name: str) -> list[bytes]:
    """Arrays and nested structs, by way of objects: for what no record of ours has in a hurry."""
    return [json.dumps(value(getattr(event, name))).encode() for event in batch.rows()]
