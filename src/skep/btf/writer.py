"""``Builder``: a BTF blob made type by type, as BPF_BTF_LOAD takes it.

Each method adds a type and gives its id. The same bytes come from the same calls. It does not check that the kernel
likes the result: the kernel does.
"""

import struct
from collections.abc import Iterable

from skep.btf.types import Kind, Member, Param, Section

_MAGIC = 0xEB9F
_SIGNED, _CHAR, _BOOL = 1, 2, 4


class Builder:
    """Types in the making; ``build()`` gives the blob. ``first`` and ``strings`` continue a base BTF (split BTF)."""

    def __init__(self, first: int = 1, string_start: int = 0) -> None:
        self._types: list[bytes] = []
        self._strings = bytearray(b"" if string_start else b"\0")
        self._offsets: dict[str, int] = {"": 0}
        self._first, self._string_start = first, string_start

    def string(self, text: str) -> int:
        """The offset of a string, added once."""
        if text not in self._offsets:
            self._offsets[text] = self._string_start + len(self._strings)
            self._strings += text.encode() + b"\0"
        return self._offsets[text]

    def _add(
        self, kind: Kind, name: str, third: int, body: bytes = b"", *, vlen: int = 0, flag: int = 0
    ) -> int:
        info = flag << 31 | kind << 24 | vlen
        self._types.append(struct.pack("<III", self.string(name), info, third) + body)
        return self._first + len(self._types) - 1

    def integer(
        self, name: str, size: int, *, signed: bool = False, char: bool = False, bits: int = 0
    ) -> int:
        """An integer of ``size`` bytes."""
        encoding = _SIGNED * signed | _CHAR * char
        return self._add(
            Kind.INT, name, size, struct.pack("<I", encoding << 24 | (bits or size * 8))
        )

    def boolean(self, name: str = "bool") -> int:
        """A truth value of one byte."""
        return self._add(Kind.INT, name, 1, struct.pack("<I", _BOOL << 24 | 8))

    def floating(self, name: str, size: int) -> int:
        """A floating-point number of ``size`` bytes."""
        return self._add(Kind.FLOAT, name, size)

    def ptr(self, type_id: int) -> int:
        """A pointer."""
        return self._add(Kind.PTR, "", type_id)

    def array(self, element: int, index: int, count: int) -> int:
        """``count`` elements, indexed by the integer type ``index``."""
        return self._add(Kind.ARRAY, "", 0, struct.pack("<III", element, index, count))

    def struct(self, name: str, size: int, members: Iterable[Member]) -> int:
        """A structure; offsets of members are in bits."""
        return self._compound(Kind.STRUCT, name, size, tuple(members))

    def union(self, name: str, size: int, members: Iterable[Member]) -> int:
        """A union."""
        return self._compound(Kind.UNION, name, size, tuple(members))

    def _compound(self, kind: Kind, name: str, size: int, members: tuple[Member, ...]) -> int:
        flag = int(any(member.bitfield_size for member in members))
        body = b"".join(
            struct.pack(
                "<III", self.string(m.name), m.type_id, m.bitfield_size << 24 | m.bit_offset
            )
            for m in members
        )
        return self._add(kind, name, size, body, vlen=len(members), flag=flag)

    def enum(
        self, name: str, values: Iterable[tuple[str, int]], *, size: int = 4, signed: bool = False
    ) -> int:
        """An enumeration of values of 32 bits."""
        pairs = tuple(values)
        body = b"".join(struct.pack("<II", self.string(n), v & 0xFFFFFFFF) for n, v in pairs)
        return self._add(Kind.ENUM, name, size, body, vlen=len(pairs), flag=int(signed))

    def enum64(self, name: str, values: Iterable[tuple[str, int]], *, signed: bool = False) -> int:
        """An enumeration of values of 64 bits."""
        pairs = tuple(values)
        body = b"".join(struct.pack("<IQ", self.string(n), v & (1 << 64) - 1) for n, v in pairs)
        return self._add(Kind.ENUM64, name, 8, body, vlen=len(pairs), flag=int(signed))

    def fwd(self, name: str, *, union: bool = False) -> int:
        """A declaration without a definition."""
        return self._add(Kind.FWD, name, 0, flag=int(union))

    def typedef(self, name: str, type_id: int) -> int:
        """Another name of a type."""
        return self._add(Kind.TYPEDEF, name, type_id)

    def qualified(self, kind: Kind, type_id: int) -> int:
        """CONST, VOLATILE or RESTRICT of a type."""
        return self._add(kind, "", type_id)

    def type_tag(self, text: str, type_id: int) -> int:
        """A note on a type."""
        return self._add(Kind.TYPE_TAG, text, type_id)

    def decl_tag(self, text: str, type_id: int, component: int = -1) -> int:
        """A note on a declaration."""
        return self._add(Kind.DECL_TAG, text, type_id, struct.pack("<i", component))

    def prototype(self, result: int, params: Iterable[Param]) -> int:
        """A signature; a last ``Param("", 0)`` makes it variadic."""
        listed = tuple(params)
        body = b"".join(struct.pack("<II", self.string(p.name), p.type_id) for p in listed)
        return self._add(Kind.FUNC_PROTO, "", result, body, vlen=len(listed))

    def func(self, name: str, prototype: int, *, linkage: int = 0) -> int:
        """A function."""
        return self._add(Kind.FUNC, name, prototype, vlen=linkage)

    def var(self, name: str, type_id: int, *, linkage: int = 1) -> int:
        """A variable."""
        return self._add(Kind.VAR, name, type_id, struct.pack("<I", linkage))

    def datasec(self, name: str, size: int, variables: Iterable[Section]) -> int:
        """An ELF section of variables."""
        listed = tuple(variables)
        body = b"".join(struct.pack("<III", v.type_id, v.offset, v.size) for v in listed)
        return self._add(Kind.DATASEC, name, size, body, vlen=len(listed))

    def build(self) -> bytes:
        """The blob: header, types, strings."""
        types, strings = b"".join(self._types), bytes(self._strings)
        header = struct.pack("<HBBIIIII", _MAGIC, 1, 0, 24, 0, len(types), len(types), len(strings))
        return header + types + strings
