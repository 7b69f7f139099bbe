"""Bytes as values, by a type of BTF: what lies in a map of anybody, as numbers, text, lists and objects by field name.

A pure function of a type and its bytes. Values are those of JSON: integers as they are, arrays of ``char`` as text up
to the first NUL, ``__be16`` and its like as what they stand for, enumerations by the name of the value where it has
one, pointers as hexadecimal text, unions as all their readings.
"""

from collections.abc import Callable

from skep.btf.reader import Btf
from skep.btf.types import (
    Array,
    DataSec,
    Enum,
    Enum64,
    Float,
    Int,
    Member,
    Ptr,
    Struct,
    Type,
    Union,
    Var,
)

Value = int | str | bool | None | list["Value"] | dict[str, "Value"]
_POINTER = 8
_NETWORK = frozenset({"__be16", "__be32", "__be64"})
"""The kernel's names of integers that are big-endian."""


def value_of(btf: Btf, type_id: int, data: bytes) -> Value:
    """The value of ``data``, bytes of a little-endian machine; None for what has no value (void, a function)."""
    found = btf.type(btf.resolve(type_id))
    if isinstance(found, Int) and not _NETWORK.isdisjoint(btf.aliases(type_id)):
        return int.from_bytes(data[: found.size], "big")
    decode = _DECODERS.get(type(found))
    return None if decode is None else decode(btf, found, data)


def _int(_btf: Btf, found: Type, data: bytes) -> Value:
    if not isinstance(found, Int):
        return None
    number = int.from_bytes(data[: found.size], "little", signed=found.signed)
    return bool(number) if found.bool else number


def _pointer(_btf: Btf, _found: Type, data: bytes) -> Value:
    return hex(int.from_bytes(data[:_POINTER], "little"))


def _enum(_btf: Btf, found: Type, data: bytes) -> Value:
    if not isinstance(found, Enum | Enum64):
        return None
    number = int.from_bytes(data[: found.size], "little", signed=found.signed)
    return next((name for name, value in found.values if value == number), number)


def _float(_btf: Btf, found: Type, data: bytes) -> Value:
    return data[: found.size].hex() if isinstance(found, Float) else None


def _array(btf: Btf, found: Type, data: bytes) -> Value:
    if not isinstance(found, Array):
        return None
    element = btf.type(btf.resolve(found.element))
    if isinstance(element, Int) and element.size == 1 and (element.char or _is_char(btf, found)):
        return data[: found.length].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    size = btf.size(found.element)
    return [
        value_of(btf, found.element, data[at : at + size])
        for at in range(0, size * found.length, size or 1)
    ]


def _is_char(btf: Btf, found: Array) -> bool:
    """Compilers mark no ``char`` in BTF: its name tells it."""
    return btf.name(btf.resolve(found.element)) == "char"


def _compound(btf: Btf, found: Type, data: bytes) -> Value:
    values: dict[str, Value] = {}
    for member in found.members if isinstance(found, Struct | Union) else ():
        value = _member(btf, member, data)
        if member.name:
            values[member.name] = value
        elif isinstance(value, dict):
            values |= value
    return values


def _section(btf: Btf, found: Type, data: bytes) -> Value:
    """The variables of a section of an object file, which libbpf keeps in one map, by name."""
    variables = found.variables if isinstance(found, DataSec) else ()
    values: dict[str, Value] = {}
    for place in variables:
        variable = btf.type(place.type_id)
        if isinstance(variable, Var):
            part = data[place.offset : place.offset + place.size]
            values[variable.name] = value_of(btf, variable.type_id, part)
    return values


def _member(btf: Btf, member: Member, data: bytes) -> Value:
    at, bit = divmod(member.bit_offset, 8)
    size = btf.size(member.type_id)
    if not member.bitfield_size:
        return value_of(btf, member.type_id, data[at : at + size])
    word = int.from_bytes(data[at : at + size + 1], "little") >> bit
    number = word & ((1 << member.bitfield_size) - 1)
    kind = btf.type(btf.resolve(member.type_id))
    if getattr(kind, "signed", False) and number >> (member.bitfield_size - 1):
        number -= 1 << member.bitfield_size
    return value_of(btf, member.type_id, (number % (1 << 8 * size)).to_bytes(size, "little"))


_DECODERS: dict[type[Type], Callable[[Btf, Type, bytes], Value]] = {
    Int: _int,
    Ptr: _pointer,
    Enum: _enum,
    Enum64: _enum,
    Float: _float,
    Array: _array,
    Struct: _compound,
    Union: _compound,
    DataSec: _section,
}
