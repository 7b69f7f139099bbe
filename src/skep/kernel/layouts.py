"""Key and value types of a map as BTF, so that the kernel knows the layout and other tools print fields by name."""

from functools import partial
from typing import Any

from skep.btf.types import Member
from skep.btf.writer import Builder
from skep.lang.struct import StructType
from skep.lang.types import ArrayType, IntType, char

Kind = IntType | ArrayType | StructType
"""A type of the language."""


def layout_of(key: Kind | None, value: Kind | None) -> tuple[bytes, int, int]:
    """A BTF blob and the ids of both types in it; (b"", 0, 0) where the map has no key or no value."""
    if key is None or value is None:
        return b"", 0, 0
    builder, known = Builder(), dict[Any, int]()
    encode = partial(_encode, builder, known)
    key_id, value_id = encode(key), encode(value)
    return builder.build(), key_id, value_id


def _encode(builder: Builder, known: dict[Any, int], kind: Kind) -> int:
    """The id of a type, added once."""
    if kind not in known:
        known[kind] = _add(builder, known, kind)
    return known[kind]


def _add(builder: Builder, known: dict[Any, int], kind: Kind) -> int:
    if isinstance(kind, IntType):
        return _integer(builder, kind)
    if isinstance(kind, ArrayType):
        element = _encode(builder, known, kind.element)
        return builder.array(element, _index(builder, known), kind.count)
    if isinstance(kind, StructType):
        members = [
            Member(f.name, _encode(builder, known, f.type), f.offset * 8) for f in kind.fields
        ]
        return builder.struct(kind.__name__, kind.size, members)
    raise TypeError(f"{kind!r} has no layout in BTF")


def _integer(builder: Builder, kind: IntType) -> int:
    """Big-endian integers are typedefs, as the kernel's own ``__be16``."""
    number = builder.integer(
        f"u{kind.bits}" if kind.big_endian else kind.__name__,
        kind.size,
        signed=kind.signed,
        char=kind is char,
    )
    return builder.typedef(f"__{kind.__name__}", number) if kind.big_endian else number


def _index(builder: Builder, known: dict[Any, int]) -> int:
    """The type that indexes arrays."""
    if "index" not in known:
        known["index"] = builder.integer("__ARRAY_SIZE_TYPE__", 4)
    return known["index"]
