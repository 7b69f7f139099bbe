"""``Btf``: the types in a BTF blob, decoded when they are asked for.

It lives as long as the buffer under it (bytes, or a mapping of /sys/kernel/btf/vmlinux) and never copies its types. It
opens no file and knows no kernel: ``kernel.vmlinux`` brings the blob and the saved index.
"""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from mmap import mmap

from skep.base.errors import BadInput
from skep.btf import index as indexing
from skep.btf.decode import decode
from skep.btf.index import Index, Words
from skep.btf.types import (
    Array,
    Const,
    Enum,
    Enum64,
    Field,
    Func,
    FuncProto,
    Kind,
    Member,
    Ptr,
    Restrict,
    Struct,
    Type,
    Typedef,
    TypeTag,
    Union,
    Var,
    Void,
    Volatile,
)

Buffer = bytes | bytearray | memoryview | mmap
_MAGIC = 0xEB9F
_HEADER = struct.Struct("<HBBIIIII")
_POINTER, _WORD = 8, 4
_DEEPEST = 64  # types in types
_NAME = 64  # bytes that most names fit into
_QUALIFIERS = (Typedef, Const, Volatile, Restrict, TypeTag)


def _sections(data: memoryview) -> tuple[memoryview, memoryview]:
    """The type and string sections."""
    if len(data) < _HEADER.size:
        raise BadInput("BTF", f"{len(data)} bytes are no BTF", f"its header has {_HEADER.size}")
    magic, _, _, length, types, type_size, strings, string_size = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise BadInput(
            "BTF", f"begins with {magic:#06x}", f"little-endian BTF begins with {_MAGIC:#06x}"
        )
    end = length + max(types + type_size, strings + string_size)
    if end > len(data):
        raise BadInput("BTF", f"a section ends at byte {end}", f"there are {len(data)} bytes")
    if type_size % 4:
        raise BadInput("BTF", f"types of {type_size} bytes", "they come in words of 4 bytes")
    start = length + types
    return data[start : start + type_size], data[length + strings : length + strings + string_size]


class Btf:
    """The types of a blob; with ``base`` (the kernel's), those of a module, whose ids and names go on from the base's.

    ``index`` is a saved index of this very blob, else one is built. Ids are as the kernel counts them: 0 is void.
    What was looked up is remembered. Threads may share a Btf.
    """

    def __init__(self, data: Buffer, base: "Btf | None" = None, index: Index | None = None) -> None:
        types, strings = _sections(memoryview(data))
        self._data = types
        self._words: Words = types.cast("I") if _aligned(types) else array("I", types.tobytes())
        self._strings, self._text = strings, b""
        self._base = base
        self._first = base.count if base else 1
        self._string_start = base.string_end if base else 0
        self.index = index or indexing.build(self._words)
        self._found: dict[tuple[int, str], int | None] = {}
        self._types: dict[int, Type] = {}
        self._named: dict[int, dict[str, Field]] = {}

    @property
    def count(self) -> int:
        """One more than the highest id."""
        return self._first + len(self.index.offsets)

    @property
    def string_end(self) -> int:
        """Where the names of a split BTF on top of this one begin."""
        return self._string_start + len(self._strings)

    def string(self, offset: int) -> str:
        """The name at ``offset`` of the string section."""
        if offset < self._string_start and self._base:
            return self._base.string(offset)
        start, room = offset - self._string_start, _NAME
        while True:
            chunk = bytes(self._strings[start : start + room])
            end = chunk.find(b"\0")
            if end >= 0:
                return chunk[:end].decode("utf-8", "replace")
            if len(chunk) < room:
                raise BadInput("BTF", f"no string at {offset}")
            room *= 4

    def is_own(self, type_id: int) -> bool:
        """Whether a type is in this blob, and not in the base."""
        return type_id >= self._first

    def _at(self, type_id: int) -> int:
        """The word at which the type begins."""
        if not self._first <= type_id < self.count:
            raise BadInput("BTF", f"no type {type_id}", f"ids end at {self.count - 1}")
        return int(self.index.offsets[type_id - self._first])

    def kind(self, type_id: int) -> Kind:
        """The kind of a type."""
        if type_id == 0:
            return Kind.VOID
        if type_id < self._first and self._base:
            return self._base.kind(type_id)
        return Kind(self._words[self._at(type_id) + 1] >> 24 & 31)

    def type(self, type_id: int) -> Type:
        """The type of that id; BadInput where there is none."""
        if type_id == 0:
            return Void()
        if type_id < self._first and self._base:
            return self._base.type(type_id)
        if type_id not in self._types:
            self._types[type_id] = decode(self._words, self._at(type_id), self.string)
        return self._types[type_id]

    def name(self, type_id: int) -> str:
        """The name of a type, "" where it has none."""
        if type_id == 0:
            return "void"
        if type_id < self._first and self._base:
            return self._base.name(type_id)
        return self.string(self._words[self._at(type_id)])

    def find(self, kind: Kind, name: str) -> int | None:
        """The first id of that kind and name, None where there is none; the base is looked at first."""
        key = (int(kind), name)
        if key not in self._found:
            inherited = self._base.find(kind, name) if self._base else None
            self._found[key] = self.find_own(kind, name) if inherited is None else inherited
        return self._found[key]

    def find_own(self, kind: Kind, name: str) -> int | None:
        """The first id of that kind and name in this blob, whatever the base has; None where there is none."""
        for offset in self.name_offsets(name):
            for number in self.index.named(offset, self._words):
                if self._words[self.index.offsets[number] + 1] >> 24 & 31 == kind:
                    return number + self._first
        return None

    def name_offsets(self, name: str) -> Iterator[int]:
        """Where the string section has ``name``: once, where BTF is deduplicated; also in the base of a split BTF."""
        if self._base:
            yield from self._base.name_offsets(name)
        if not self._text:
            # Searching bytes takes half the time of searching a mapping. A module's strings begin without a NUL.
            self._text = b"".join((b"\0", self._strings))
        text = b"\0" + name.encode() + b"\0"
        at = self._text.find(text)
        while at >= 0:
            yield self._string_start + at
            at = self._text.find(text, at + 1)

    def names(self, kind: Kind) -> Iterator[str]:
        """All names of a kind, in the order of ids (walks the whole blob: for "did you mean", not for looking up)."""
        if self._base:
            yield from self._base.names(kind)
        yield from self.own_names(kind)

    def own_names(self, kind: Kind) -> Iterator[str]:
        """The same without those of the base."""
        words = self._words
        for offset in self.index.offsets:
            if words[offset + 1] >> 24 & 31 == kind and words[offset]:
                yield self.string(words[offset])

    def resolve(self, type_id: int) -> int:
        """The id behind typedefs, qualifiers and type tags."""
        for _ in range(_DEEPEST):
            found = self.type(type_id)
            if not isinstance(found, _QUALIFIERS):
                return type_id
            type_id = found.type_id
        raise BadInput("BTF", f"type {type_id} names itself")

    def aliases(self, type_id: int) -> Iterator[str]:
        """The names of the typedefs that stand before a type."""
        for _ in range(_DEEPEST):
            found = self.type(type_id)
            if not isinstance(found, _QUALIFIERS):
                return
            if isinstance(found, Typedef):
                yield found.name
            type_id = found.type_id

    def size(self, type_id: int) -> int:
        """Bytes; 0 for void, functions and what is only declared."""
        length = 1
        for _ in range(_DEEPEST):
            found = self.type(self.resolve(type_id))
            if isinstance(found, Array):
                length, type_id = length * found.length, found.element
            elif isinstance(found, Var):
                type_id = found.type_id
            else:
                return length * (_POINTER if isinstance(found, Ptr) else getattr(found, "size", 0))
        raise BadInput("BTF", f"type {type_id} contains itself")

    def fields(self, type_id: int) -> Iterator[Field]:
        """The named members of a struct or union, those of anonymous members in their place."""
        yield from self._fields(type_id, 0, 0)

    def _fields(self, type_id: int, base: int, depth: int) -> Iterator[Field]:
        if depth > _DEEPEST:
            raise BadInput("BTF", f"type {type_id} contains itself")
        for member in self._members(type_id):
            offset = base + member.bit_offset
            if member.name:
                yield Field(member.name, member.type_id, offset, member.bitfield_size)
            elif self._is_compound(member.type_id):
                yield from self._fields(member.type_id, offset, depth + 1)

    def field(self, type_id: int, name: str) -> Field | None:
        """The member of that name, looked for through anonymous members; None where there is none."""
        if type_id not in self._named:
            fields = reversed(list(self.fields(type_id)))  # of two of one name the first counts
            self._named[type_id] = {field.name: field for field in fields}
        return self._named[type_id].get(name)

    def _members(self, type_id: int) -> tuple[Member, ...]:
        found = self.type(self.resolve(type_id))
        if not isinstance(found, Struct | Union):
            raise BadInput("BTF", f"type {type_id} ({self.name(type_id)!r}) has no members")
        return found.members

    def _is_compound(self, type_id: int) -> bool:
        return self.kind(self.resolve(type_id)) in (Kind.STRUCT, Kind.UNION)

    def prototype(self, type_id: int) -> FuncProto:
        """The signature of a function, of a pointer to one, or of a typedef of either."""
        found = self.type(self.resolve(type_id))
        if isinstance(found, Ptr | Func):
            found = self.type(self.resolve(found.type_id))
        if not isinstance(found, FuncProto):
            raise BadInput("BTF", f"type {type_id} ({self.name(type_id)!r}) is no function")
        return found

    def enum(self, name: str) -> dict[int, str]:
        """The values of an enumeration and their names, of two for one value the first; empty where there is none."""
        type_id = self.find(Kind.ENUM, name) or self.find(Kind.ENUM64, name)
        found = self.type(type_id) if type_id else None
        if not isinstance(found, Enum | Enum64):
            return {}
        return {value: text for text, value in reversed(found.values)}

    def enumerators(self, name: str) -> Iterator[tuple[str, int]]:
        """Where enumerations have a number of that name: the name of each, "" where it has none, and the number."""
        if self._base:
            yield from self._base.enumerators(name)
        data = bytes(self._data)
        for offset in self.name_offsets(name):
            word = array("I", [offset]).tobytes()
            at, before = data.find(word), -1
            while at >= 0:
                number = bisect_right(self.index.offsets, at // _WORD) - 1
                if number != before:
                    yield from self._enumerators(self._first + number, name)
                at, before = data.find(word, at + 1), number

    def _enumerators(self, type_id: int, name: str) -> Iterator[tuple[str, int]]:
        found = self.type(type_id) if self.kind(type_id) in (Kind.ENUM, Kind.ENUM64) else None
        if isinstance(found, Enum | Enum64):
            yield from ((found.name, value) for text, value in found.values if text == name)


def _aligned(view: memoryview) -> bool:
    return view.contiguous and len(view) % 4 == 0
