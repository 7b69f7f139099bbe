"""Key and value types of a map as BTF, so that the kernel knows the layout and other tools print fields by name."""

from functools import partial
from typing import Any

from skep.btf.types import Member
from skep.btf.writer import Builder
from skep.lang.spec import MapType
from skep.lang.special import Reference
from skep.lang.struct import Field, StructType, Union
from skep.lang.types import ArrayType, IntType, char

Kind = IntType | ArrayType | StructType
"""A type of the language."""


KEPT = "kptr"
"""The note on a pointer by which the kernel knows a reference (Linux 6.4)."""

TYPED = frozenset(
    {
        MapType.HASH,
        MapType.ARRAY,
        MapType.PERCPU_HASH,
        MapType.PERCPU_ARRAY,
        MapType.LRU_HASH,
        MapType.LRU_PERCPU_HASH,
        MapType.LPM_TRIE,
        MapType.BLOOM_FILTER,
        MapType.SK_STORAGE,
        MapType.INODE_STORAGE,
        MapType.TASK_STORAGE,
        MapType.CGRP_STORAGE,
    }
)
"""The map types of which the kernel takes BTF; the others hold its own objects, or bytes that it does not look at."""


def layout_of(key: Kind | None, value: Kind | None) -> tuple[bytes, int, int]:
    """A BTF blob and the ids of both types in it, 0 where the map has no key; (b"", 0, 0) where it has no value."""
    if value is None:
        return b"", 0, 0
    builder, known = Builder(), dict[Any, int]()
    encode = partial(_encode, builder, known)
    key_id, value_id = encode(key) if key is not None else 0, encode(value)
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
    if isinstance(kind, StructType) and issubclass(kind, Reference):
        target = builder.struct(kind.kernel, 0, ())
        return builder.ptr(builder.type_tag(KEPT, target))
    if isinstance(kind, StructType):
        members = [_member(f, _encode(builder, known, f.type)) for f in kind.fields]
        add = builder.union if issubclass(kind, Union) else builder.struct
        return add(kind.__dict__.get("btf_name", kind.__name__), kind.size, members)
    raise TypeError(f"{kind!r} has no layout in BTF")


def _member(field: Field, type_id: int) -> Member:
    """A member; of a bit field its place in bits, counted from the lowest of its unit."""
    if field.bits is None:
        return Member(field.name, type_id, field.offset * 8)
    return Member(field.name, type_id, field.offset * 8 + field.bits.shift, field.bits.width)


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
