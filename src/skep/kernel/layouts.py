"""Key and value types of a map as BTF, so that the kernel knows the layout and other tools print fields by name."""

from functools import partial
from typing import Any

from skep.btf.types import Member
from skep.btf.writer import Builder
from skep.lang.objects import Keeper, data_of, heads_of, is_head, is_kernels
from skep.lang.spec import MapType
from skep.lang.special import Reference
from skep.lang.struct import Field, StructType, Union
from skep.lang.types import ArrayType, IntType, char, u8

Kind = IntType | ArrayType | StructType
"""A type of the language."""


KEPT = "kptr"
"""The note on a pointer by which the kernel knows a reference (Linux 6.4)."""
LINKS = "contains"
"""The note on a list or tree that names the objects in it, and the field by which they are linked."""
OBJECT, NAME = "object", "name"
"""Under what the number and the name of a class of objects are noted."""

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
        MapType.CGROUP_STORAGE,
        MapType.PERCPU_CGROUP_STORAGE,
    }
)
"""The map types of which the kernel takes BTF; the others hold its own objects, or bytes that it does not look at."""


def layout_of(key: Kind | None, value: Kind | None) -> tuple[bytes, int, int]:
    """A BTF blob and the ids of both types in it, 0 where the map has no key; (b"", 0, 0) where it has no value."""
    if value is None:
        return b"", 0, 0
    builder, known = Builder(), dict[Any, Any]()
    ids = add_layout(builder, known, key, value)
    return builder.build(), *ids


def add_layout(
    builder: Builder, known: dict[Any, Any], key: Kind | None, value: Kind
) -> tuple[int, int]:
    """The ids of a map's key and value types among others, each added once; 0 where the map has no key."""
    encode = partial(_encode, builder, known)
    return encode(key) if key is not None else 0, encode(value)


def add_object(builder: Builder, known: dict[Any, Any], kind: StructType) -> int:
    """The id of a class of objects, added once.

    Fields of the program's own are bytes there, for the verifier keeps each access within one member. The name is one
    that no Struct has, for lists and trees are told of it by name.
    """
    if (OBJECT, kind) not in known:
        byte, name = _encode(builder, known, u8), f"{kind.__name__}__{len(known)}"
        members = [
            Member(f"data{at}", builder.array(byte, _index(builder, known), size), at * 8)
            for at, size in data_of(kind)
        ]
        kernels = [field for field in kind.fields if is_kernels(field.type)]
        members += [_member(f, _encode(builder, known, f.type)) for f in kernels]
        members.sort(key=lambda member: member.bit_offset)
        names = [member.name for member in members]
        heads = [(names.index(field.name), field.type) for field in heads_of(kind)]
        for _, head in heads:
            add_object(builder, known, head.element)
        known[OBJECT, kind] = builder.struct(name, kind.size, members)
        known[NAME, kind] = name
        _note_heads(builder, known, known[OBJECT, kind], heads)
    return int(known[OBJECT, kind])


def _encode(builder: Builder, known: dict[Any, Any], kind: Kind) -> int:
    """The id of a type, added once."""
    if kind not in known:
        known[kind] = _add(builder, known, kind)
    return int(known[kind])


def _add(builder: Builder, known: dict[Any, Any], kind: Kind) -> int:
    if isinstance(kind, IntType):
        return _integer(builder, kind)
    if isinstance(kind, ArrayType):
        element = _encode(builder, known, kind.element)
        return builder.array(element, _index(builder, known), kind.count)
    if isinstance(kind, StructType) and issubclass(kind, Reference):
        target = builder.struct(kind.kernel, 0, ())
        return builder.ptr(builder.type_tag(KEPT, target))
    if isinstance(kind, StructType) and issubclass(kind, Keeper):
        return builder.ptr(builder.type_tag(kind.note, add_object(builder, known, kind.element)))
    if isinstance(kind, StructType):
        members = [_member(f, _encode(builder, known, f.type)) for f in kind.fields]
        add = builder.union if issubclass(kind, Union) else builder.struct
        heads = [(at, f.type) for at, f in enumerate(kind.fields) if is_head(f.type)]
        for _, head in heads:
            add_object(builder, known, head.element)
        made = add(kind.__dict__.get("btf_name", kind.__name__), kind.size, members)
        _note_heads(builder, known, made, heads)
        return made
    raise TypeError(f"{kind!r} has no layout in BTF")


def _note_heads(
    builder: Builder, known: dict[Any, Any], made: int, heads: list[tuple[int, Any]]
) -> None:
    """Tell of what the lists and trees of a struct are, by the number of the member."""
    for at, head in heads:
        builder.decl_tag(f"{LINKS}:{known[NAME, head.element]}:{head.node.name}", made, at)


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


def _index(builder: Builder, known: dict[Any, Any]) -> int:
    """The type that indexes arrays."""
    if "index" not in known:
        known["index"] = builder.integer("__ARRAY_SIZE_TYPE__", 4)
    return int(known["index"])
