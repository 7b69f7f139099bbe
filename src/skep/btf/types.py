"""The types of BTF as values, one class for each kind.

A type names others by id; id 0 is ``void``. Offsets and widths of members are in **bits**, sizes in bytes, as BTF has
them. Source: include/uapi/linux/btf.h and Documentation/bpf/btf.rst of the kernel.

They are named tuples, not dataclasses: making these classes takes 2 ms of a start instead of 12. Tell them apart by
class, for two types of different kinds with equal fields are equal.
"""

from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """``BTF_KIND_*``."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


class Void(NamedTuple):
    """Type 0."""


class Int(NamedTuple):
    """An integer of ``size`` bytes; ``bits`` of them count."""

    name: str
    size: int
    bits: int
    signed: bool
    char: bool = False
    bool: bool = False


class Ptr(NamedTuple):
    """A pointer to ``type_id``."""

    type_id: int


class Array(NamedTuple):
    """``length`` elements of type ``element``; 0 where the array is flexible."""

    element: int
    index_type: int
    length: int


class Member(NamedTuple):
    """A member of a struct or union: ``name`` is "" where anonymous, ``bitfield_size`` 0 where it is no bit field."""

    name: str
    type_id: int
    bit_offset: int
    bitfield_size: int = 0


class Struct(NamedTuple):
    """A structure of ``size`` bytes."""

    name: str
    size: int
    members: tuple[Member, ...]


class Union(NamedTuple):
    """A union of ``size`` bytes."""

    name: str
    size: int
    members: tuple[Member, ...]


class Enum(NamedTuple):
    """An enumeration of ``size`` bytes: pairs of name and value."""

    name: str
    size: int
    signed: bool
    values: tuple[tuple[str, int], ...]


class Enum64(NamedTuple):
    """As Enum, with values of 64 bits."""

    name: str
    size: int
    signed: bool
    values: tuple[tuple[str, int], ...]


class Fwd(NamedTuple):
    """A struct or union that is declared and not defined."""

    name: str
    union: bool


class Typedef(NamedTuple):
    """Another name of ``type_id``."""

    name: str
    type_id: int


class Volatile(NamedTuple):
    """A qualified type."""

    type_id: int


class Const(NamedTuple):
    """A qualified type."""

    type_id: int


class Restrict(NamedTuple):
    """A qualified type."""

    type_id: int


class Func(NamedTuple):
    """A function: ``type_id`` is its FuncProto; linkage 0 static, 1 global, 2 extern."""

    name: str
    type_id: int
    linkage: int


class Param(NamedTuple):
    """A parameter; ``name`` is "" where BTF has none (the arguments of ``btf_trace_*``)."""

    name: str
    type_id: int


class FuncProto(NamedTuple):
    """A signature; ``variadic`` where it ends in ``...``."""

    result: int
    params: tuple[Param, ...]
    variadic: bool = False


class Var(NamedTuple):
    """A variable; linkage 0 static, 1 global, 2 extern."""

    name: str
    type_id: int
    linkage: int


class Section(NamedTuple):
    """A variable's place in a DataSec: offset and size in bytes."""

    type_id: int
    offset: int
    size: int


class DataSec(NamedTuple):
    """An ELF section of variables."""

    name: str
    size: int
    variables: tuple[Section, ...]


class Float(NamedTuple):
    """A floating-point number of ``size`` bytes."""

    name: str
    size: int


class DeclTag(NamedTuple):
    """A note on a declaration; ``component`` is the member or parameter, -1 the whole."""

    name: str
    type_id: int
    component: int


class TypeTag(NamedTuple):
    """A note on a type (``user``, ``percpu``, ``rcu``)."""

    name: str
    type_id: int


Type = (
    Void
    | Int
    | Ptr
    | Array
    | Struct
    | Union
    | Enum
    | Fwd
    | Typedef
    | Volatile
    | Const
    | Restrict
    | Func
    | FuncProto
    | Var
    | DataSec
    | Float
    | DeclTag
    | TypeTag
    | Enum64
)


class Field(NamedTuple):
    """A member as seen from the whole: ``bit_offset`` counts from the outermost struct, through anonymous members."""

    name: str
    type_id: int
    bit_offset: int
    bitfield_size: int = 0

    @property
    def offset(self) -> int:
        """Bytes from the start; of a bit field, the byte in which it begins."""
        return self.bit_offset // 8
