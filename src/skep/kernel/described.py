"""The types of the language that BTF describes: how a map that somebody made before is read, and in what it differs.

The counterpart of ``layouts``. Structs are made anew, with the names and places that BTF has; what the language has no
type for (pointers, members without a name) gives None.
"""

from collections.abc import Iterator

from skep.btf.reader import Btf
from skep.btf.types import Array, Int, Member, Ptr, Struct, Typedef, TypeTag
from skep.btf.types import Union as BtfUnion
from skep.kernel.layouts import KEPT, Kind
from skep.lang.layout import Bits
from skep.lang.special import REFERENCES, SINGLE
from skep.lang.struct import Field, StructType, Union
from skep.lang.struct import Struct as Layout
from skep.lang.types import ArrayType, IntType, be16, be32, be64, char
from skep.lang.values import BY_SHAPE

_BIG_ENDIAN: dict[str, IntType] = {"__be16": be16, "__be32": be32, "__be64": be64}
_KEPT = {kind.__dict__["btf_name"]: kind for kind in SINGLE}


def kind_of(btf: Btf, type_id: int) -> Kind | None:
    """The type of the language that a type of BTF is, None where there is none or the type is 0."""
    found = btf.type(type_id)
    if isinstance(found, Typedef) and found.name in _BIG_ENDIAN:
        return _BIG_ENDIAN[found.name]
    found = btf.type(btf.resolve(type_id))
    match found:
        case Int():
            return _integer(found)
        case Array(element=element, length=length) if length:
            inner = kind_of(btf, element)
            return None if inner is None else ArrayType(inner, length)
        case Ptr(type_id=target):
            return _reference(btf, target)
        case Struct() | BtfUnion():
            return _KEPT.get(found.name) or _struct(btf, found)
    return None


def _integer(found: Int) -> IntType | None:
    if found.char and found.size == 1:
        return char
    return BY_SHAPE.get((found.bits, found.signed)) if found.bits == found.size * 8 else None


def _reference(btf: Btf, target: int) -> StructType | None:
    """The reference to a kernel object that a pointer is by its note."""
    note = btf.type(target)
    if not isinstance(note, TypeTag) or note.name != KEPT:
        return None
    name = btf.name(note.type_id)
    return next((kind for kind in REFERENCES if kind.kernel == name), None)


def _struct(btf: Btf, found: Struct | BtfUnion) -> StructType | None:
    fields = []
    for member in found.members:
        field = _field(member, kind_of(btf, member.type_id))
        if field is None:
            return None
        fields.append(field)
    made = StructType(
        found.name or "Struct", (Union if isinstance(found, BtfUnion) else Layout,), {}
    )
    made.fields, made.size = tuple(fields), found.size
    made.align = max((field.type.align for field in fields), default=1)
    return made


def _field(member: Member, kind: Kind | None) -> Field | None:
    """A member as a field, None where the language has none such."""
    if kind is None or not member.name:
        return None
    if not member.bitfield_size:
        return None if member.bit_offset % 8 else Field(member.name, kind, member.bit_offset // 8)
    if not isinstance(kind, IntType):
        return None
    unit, shift = divmod(member.bit_offset, kind.bits)
    return Field(member.name, kind, unit * kind.size, Bits(member.bitfield_size, shift))


def differences(live: Kind | None, wanted: Kind | None, place: str) -> Iterator[str]:
    """In what a live layout is not the one that is wanted, by field; names of Structs do not count."""
    if isinstance(live, StructType) and isinstance(wanted, StructType):
        if issubclass(live, Union) != issubclass(wanted, Union):
            yield f"{place} is {_sort(live)} instead of {_sort(wanted)}"
        else:
            yield from _fields(live, wanted, place)
    elif not _same(live, wanted):
        yield f"{place} is {live!r} instead of {wanted!r}"


def _fields(live: StructType, wanted: StructType, place: str) -> Iterator[str]:
    for field in live.fields:
        other = wanted.field(field.name)
        if other is None:
            yield f"{place} has a field {field.name!r} ({field.type!r}) too many"
            continue
        if field.offset != other.offset:
            yield f"{place}.{field.name} is at byte {field.offset} instead of {other.offset}"
        elif field.bits != other.bits:
            yield f"{place}.{field.name} is {_bits(field)} instead of {_bits(other)}"
        yield from differences(field.type, other.type, f"{place}.{field.name}")
    for field in wanted.fields:
        if live.field(field.name) is None:
            yield f"{place} lacks the field {field.name!r} ({field.type!r})"
    if live.size != wanted.size and [f.name for f in live.fields] == [
        f.name for f in wanted.fields
    ]:
        yield f"{place} has {live.size} bytes instead of {wanted.size}"


def _sort(kind: StructType) -> str:
    return "a union" if issubclass(kind, Union) else "a struct"


def _bits(field: Field) -> str:
    part = field.bits
    return f"{part.width} bits from bit {part.shift} on" if part else "a whole number"


def _same(live: Kind | None, wanted: Kind | None) -> bool:
    """Whether two types are equal; of arrays of Structs their fields, not their names, count."""
    if isinstance(live, ArrayType) and isinstance(wanted, ArrayType):
        inner = differences(live.element, wanted.element, "")
        return live.count == wanted.count and not any(True for _ in inner)
    return live == wanted
