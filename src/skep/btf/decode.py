"""One type of BTF from its words: a table of one decoder for each kind."""

from collections.abc import Callable

from skep.btf.index import Words
from skep.btf.types import (
    Array,
    Const,
    DataSec,
    DeclTag,
    Enum,
    Enum64,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Param,
    Ptr,
    Restrict,
    Section,
    Struct,
    Type,
    Typedef,
    TypeTag,
    Union,
    Var,
    Volatile,
)

Name = Callable[[int], str]


def decode(words: Words, at: int, name: Name) -> Type:
    """The type at word ``at`` of an indexed section; ``name`` gives the string at an offset."""
    info = words[at + 1]
    return _DECODERS[info >> 24 & 31](words, at, info, name)


def _signed(value: int, bits: int = 32) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _int(words: Words, at: int, _info: int, name: Name) -> Int:
    data = words[at + 3]
    encoding = data >> 24 & 15
    return Int(
        name(words[at]),
        words[at + 2],
        data & 0xFF,
        bool(encoding & 1),
        bool(encoding & 2),
        bool(encoding & 4),
    )


def _array(words: Words, at: int, _info: int, _name: Name) -> Array:
    return Array(words[at + 3], words[at + 4], words[at + 5])


def _members(words: Words, at: int, info: int, name: Name) -> tuple[Member, ...]:
    bitfields = info >> 31
    found = []
    for member in range(at + 3, at + 3 + 3 * (info & 0xFFFF), 3):
        place = words[member + 2]
        offset, width = (place & 0xFFFFFF, place >> 24) if bitfields else (place, 0)
        found.append(Member(name(words[member]), words[member + 1], offset, width))
    return tuple(found)


def _struct(words: Words, at: int, info: int, name: Name) -> Struct:
    return Struct(name(words[at]), words[at + 2], _members(words, at, info, name))


def _union(words: Words, at: int, info: int, name: Name) -> Union:
    return Union(name(words[at]), words[at + 2], _members(words, at, info, name))


def _enum(words: Words, at: int, info: int, name: Name) -> Enum:
    signed = bool(info >> 31)
    convert = _signed if signed else int
    places = range(at + 3, at + 3 + 2 * (info & 0xFFFF), 2)
    values = tuple((name(words[place]), convert(words[place + 1])) for place in places)
    return Enum(name(words[at]), words[at + 2], signed, values)


def _enum64(words: Words, at: int, info: int, name: Name) -> Enum64:
    signed = bool(info >> 31)
    values = []
    for place in range(at + 3, at + 3 + 3 * (info & 0xFFFF), 3):
        value = words[place + 1] | words[place + 2] << 32
        values.append((name(words[place]), _signed(value, 64) if signed else value))
    return Enum64(name(words[at]), words[at + 2], signed, tuple(values))


def _proto(words: Words, at: int, info: int, name: Name) -> FuncProto:
    places = range(at + 3, at + 3 + 2 * (info & 0xFFFF), 2)
    params = [Param(name(words[place]), words[place + 1]) for place in places]
    variadic = bool(params) and params[-1] == Param("", 0)
    return FuncProto(words[at + 2], tuple(params[:-1] if variadic else params), variadic)


def _datasec(words: Words, at: int, info: int, name: Name) -> DataSec:
    places = range(at + 3, at + 3 + 3 * (info & 0xFFFF), 3)
    variables = tuple(Section(words[p], words[p + 1], words[p + 2]) for p in places)
    return DataSec(name(words[at]), words[at + 2], variables)


_DECODERS: dict[int, Callable[[Words, int, int, Name], Type]] = {
    1: _int,
    2: lambda w, at, _info, _name: Ptr(w[at + 2]),
    3: _array,
    4: _struct,
    5: _union,
    6: _enum,
    7: lambda w, at, info, name: Fwd(name(w[at]), bool(info >> 31)),
    8: lambda w, at, _info, name: Typedef(name(w[at]), w[at + 2]),
    9: lambda w, at, _info, _name: Volatile(w[at + 2]),
    10: lambda w, at, _info, _name: Const(w[at + 2]),
    11: lambda w, at, _info, _name: Restrict(w[at + 2]),
    12: lambda w, at, info, name: Func(name(w[at]), w[at + 2], info & 0xFFFF),
    13: _proto,
    14: lambda w, at, _info, name: Var(name(w[at]), w[at + 2], w[at + 3]),
    15: _datasec,
    16: lambda w, at, _info, name: Float(name(w[at]), w[at + 2]),
    17: lambda w, at, _info, name: DeclTag(name(w[at]), w[at + 2], _signed(w[at + 3])),
    18: lambda w, at, _info, name: TypeTag(name(w[at]), w[at + 2]),
    19: _enum64,
}
