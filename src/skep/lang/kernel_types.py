"""The kernel's BTF as types of the compiler: structs, members, arguments of tracepoints."""

from dataclasses import dataclass

from skep.btf import types as btf
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.lang.tree import Bitfield
from skep.lang.types import ArrayType, char
from skep.lang.values import BY_SHAPE, KernelPointer, KernelStruct, Type

WORD = 8
TRACEPOINT = "btf_trace_"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a kernel struct: type, offset in bytes, and its bits where it is a bit field."""

    type: Type
    offset: int
    bits: Bitfield | None = None


class KernelTypes:
    """Types by name and id over one kernel's BTF; holds nothing but the reader."""

    def __init__(self, reader: Btf) -> None:
        self.btf = reader

    def struct(self, name: str) -> KernelStruct | None:
        """``struct name`` or ``union name``."""
        for kind in (Kind.STRUCT, Kind.UNION):
            found = self.btf.find(kind, name)
            if found is not None:
                return KernelStruct(found, name, self.btf.size(found))
        return None

    def convert(self, type_id: int) -> Type:
        """The compiler's type of a BTF type; None where it has none (a function, a float)."""
        user = self._is_user(type_id)
        type_id = self.btf.resolve(type_id)
        match self.btf.type(type_id):
            case btf.Int(name=name, size=size, signed=signed):
                return char if name == "char" else BY_SHAPE.get((size * 8, signed))
            case btf.Enum(size=size, signed=signed) | btf.Enum64(size=size, signed=signed):
                return BY_SHAPE[size * 8, signed]
            case btf.Ptr(type_id=target):
                return KernelPointer(
                    self.convert(target) if target else None, self._is_user(target) or user
                )
            case btf.Array(element=element, length=count):
                inner = self.convert(element)
                return ArrayType(inner, count) if inner is not None and count else None
            case btf.Struct(name=name, size=size) | btf.Union(name=name, size=size):
                return KernelStruct(type_id, name or "(anonymous)", size)
            case _:
                return None

    def _is_user(self, type_id: int) -> bool:
        kind = self.btf.type(type_id) if type_id else None
        while isinstance(kind, btf.TypeTag | btf.Const | btf.Volatile):
            if isinstance(kind, btf.TypeTag) and kind.name == "user":
                return True
            kind = self.btf.type(kind.type_id) if kind.type_id else None
        return False

    def member(self, struct: KernelStruct, name: str) -> Member | None:
        """The member of that name, looked for through anonymous members too."""
        field = self.btf.field(struct.id, name)
        if field is None:
            return None
        kind = self.convert(field.type_id)
        if not field.bitfield_size:
            return Member(kind, field.bit_offset // 8)
        size = self.btf.size(field.type_id)
        start = field.bit_offset // 8 // size * size
        while field.bit_offset - start * 8 + field.bitfield_size > size * 8:
            start += 1
        return Member(
            kind, start, Bitfield(field.bit_offset - start * 8, field.bitfield_size, size)
        )

    def members(self, struct: KernelStruct) -> list[str]:
        """The names of all members, for "did you mean"."""
        return [field.name for field in self.btf.fields(struct.id)]

    def tracepoints(self) -> list[str]:
        """The tracepoints with typed arguments."""
        names = self.btf.names(Kind.TYPEDEF)
        return [n.removeprefix(TRACEPOINT) for n in names if n.startswith(TRACEPOINT)]

    def numbers(self, enum: str) -> dict[str, int]:
        """The numbers of an enumeration by name; empty where there is none."""
        found = self.btf.find(Kind.ENUM, enum) or self.btf.find(Kind.ENUM64, enum)
        kind = self.btf.type(found) if found else None
        return dict(kind.values) if isinstance(kind, btf.Enum | btf.Enum64) else {}

    def arguments(self, typedef: str) -> list[Type] | None:
        """The types of a tracepoint's arguments, from its ``btf_trace_NAME``; None where there is none."""
        found = self.btf.find(Kind.TYPEDEF, typedef)
        if found is None:
            return None
        pointer = self.btf.type(self.btf.resolve(found))
        if not isinstance(pointer, btf.Ptr):
            return None
        proto = self.btf.type(self.btf.resolve(pointer.type_id))
        if not isinstance(proto, btf.FuncProto):
            return None
        return [self.convert(parameter.type_id) for parameter in proto.params[1:]]
