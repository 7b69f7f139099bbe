"""Reads an ELF object, of BPF unless another machine is named: sections, symbols, relocations.

A pure function of bytes. The bytes may be anybody's: every offset and count is checked against the
file before it is used, and whatever is wrong ends as one BadInput that names the object and the
place in it. It knows nothing of what the sections mean; ``link`` does.
"""

import struct
from enum import IntEnum

from skep.base.errors import BadInput
from skep.base.frozen import frozen

MAX_SECTIONS = 4096
MAX_NAME = 512
MACHINE_BPF = 247
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQ")
_ALLOCATED, _WRITABLE, _EXECUTABLE = 2, 1, 4


class SectionType(IntEnum):
    """``sh_type`` values that matter here."""

    PROGBITS = 1
    SYMTAB = 2
    STRTAB = 3
    RELA = 4
    NOBITS = 8
    REL = 9


class SymbolKind(IntEnum):
    """``st_info & 15``."""

    NOTYPE = 0
    OBJECT = 1
    FUNC = 2
    SECTION = 3
    FILE = 4


@frozen
class Section:
    """A section. ``data`` is empty where the file holds no bytes of it (.bss), ``size`` is not."""

    index: int
    name: str
    type: int
    flags: int
    size: int
    link: int
    info: int
    align: int
    data: bytes

    @property
    def code(self) -> bool:
        """Whether it holds instructions."""
        return self.type == SectionType.PROGBITS and bool(self.flags & _EXECUTABLE)

    @property
    def constant(self) -> bool:
        """Whether it holds data that a program may only read."""
        return bool(self.flags & _ALLOCATED) and not self.flags & (_WRITABLE | _EXECUTABLE)


@frozen
class Symbol:
    """A symbol; ``section`` is an index, 0 where another object defines it."""

    name: str
    kind: int
    section: int
    value: int
    size: int


@frozen
class Relocation:
    """``offset`` in its section (bytes) is to be changed as ``type`` says, by ``symbol``."""

    offset: int
    type: int
    symbol: Symbol


@frozen
class Elf:
    """An object, called ``place`` by errors; ``relocations`` by the section that they change."""

    place: str
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    relocations: dict[int, tuple[Relocation, ...]]

    def section(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((section for section in self.sections if section.name == name), None)


def read(data: bytes, place: str = "the object", *, machine: int = MACHINE_BPF) -> Elf:
    """The object in ``data``: ELF64, little-endian, relocatable, for ``machine`` (``e_machine``).

    Raises ``BadInput`` for anything else, and for offsets or counts that leave the file.
    """
    reader = _Reader(data, place, machine)
    sections = reader.sections()
    tables = [section for section in sections if section.type == SectionType.SYMTAB]
    if len(tables) > 1:
        raise reader.bad("two symbol tables")
    symbols = reader.symbols(sections, tables[0]) if tables else ()
    relocations: dict[int, tuple[Relocation, ...]] = {}
    for section in sections:
        if section.type == SectionType.REL:
            if section.info in relocations:
                raise reader.bad(f"two relocation sections for section {section.info}")
            relocations[section.info] = reader.relocations(sections, section, symbols)
    return Elf(place, sections, symbols, relocations)


class _Reader:
    def __init__(self, data: bytes, place: str, machine: int) -> None:
        self.data, self.place, self.machine = data, place, machine

    def bad(self, problem: str) -> BadInput:
        return BadInput(self.place, f"not a usable BPF object: {problem}")

    def sections(self) -> tuple[Section, ...]:
        offset, count, names = self.header()
        headers = [
            _SECTION.unpack_from(self.data, offset + i * _SECTION.size) for i in range(count)
        ]
        strings = self.cut(headers[names][4], headers[names][5], "the section names")
        return tuple(self.one(i, header, strings) for i, header in enumerate(headers))

    def header(self) -> tuple[int, int, int]:
        """Offset and count of section headers, and the section that holds their names."""
        if len(self.data) < _HEADER.size:
            raise self.bad(f"{len(self.data)} bytes, shorter than an ELF header")
        ident, kind, machine, _, _, _, offset, _, _, _, _, size, count, names = _HEADER.unpack_from(
            self.data
        )
        if ident[:6] != b"\x7fELF\x02\x01":
            raise self.bad("no ELF of 64 bits, little-endian")
        if (kind, machine) != (1, self.machine):
            raise self.bad(f"type {kind} and machine {machine}, not 1 and {self.machine}")
        if size != _SECTION.size or not 0 < count <= MAX_SECTIONS or names >= count:
            raise self.bad(f"{count} section headers of {size} bytes, names in number {names}")
        if offset + count * size > len(self.data):
            raise self.bad(f"section headers at {offset} leave the file of {len(self.data)} bytes")
        return offset, count, names

    def one(self, index: int, header: tuple[int, ...], strings: bytes) -> Section:
        name, kind, flags, _, offset, size, link, info, align, _ = header
        label = self.text(strings, name, "a section name")
        empty = kind in (0, SectionType.NOBITS)
        data = b"" if empty else self.cut(offset, size, f"section {label or index}")
        return Section(index, label, kind, flags, size, link, info, align, data)

    def symbols(self, sections: tuple[Section, ...], table: Section) -> tuple[Symbol, ...]:
        strings = self.linked(sections, table, SectionType.STRTAB).data
        self.whole(table, _SYMBOL.size)
        return tuple(
            Symbol(self.text(strings, name, "a symbol name"), info & 15, section, value, size)
            for name, info, _, section, value, size in _SYMBOL.iter_unpack(table.data)
        )

    def relocations(
        self, sections: tuple[Section, ...], table: Section, symbols: tuple[Symbol, ...]
    ) -> tuple[Relocation, ...]:
        self.linked(sections, table, SectionType.SYMTAB)
        self.whole(table, _RELOCATION.size)
        if table.info >= len(sections):
            raise self.bad(f"{table.name} is for section {table.info} of {len(sections)}")
        target = sections[table.info]
        found = []
        for offset, info in _RELOCATION.iter_unpack(table.data):
            if info >> 32 >= len(symbols):
                raise self.bad(f"{table.name} names symbol {info >> 32} of {len(symbols)}")
            if offset >= target.size:
                raise self.bad(f"{table.name} has an offset of {offset} in {target.size} bytes")
            found.append(Relocation(offset, info & 0xFFFFFFFF, symbols[info >> 32]))
        return tuple(found)

    def linked(self, sections: tuple[Section, ...], section: Section, kind: SectionType) -> Section:
        if section.link >= len(sections) or sections[section.link].type != kind:
            raise self.bad(f"{section.name} is linked to section {section.link}, no {kind.name}")
        return sections[section.link]

    def whole(self, section: Section, size: int) -> None:
        if len(section.data) % size:
            raise self.bad(f"{section.name} has {len(section.data)} bytes, no multiple of {size}")

    def cut(self, offset: int, size: int, what: str) -> bytes:
        if offset + size > len(self.data):
            raise self.bad(f"{what}: {size} bytes at {offset} leave the file of {len(self.data)}")
        return self.data[offset : offset + size]

    def text(self, strings: bytes, offset: int, what: str) -> str:
        end = strings.find(b"\0", offset, offset + MAX_NAME)
        if end < 0:
            raise self.bad(f"{what} at {offset} has no end within {MAX_NAME} bytes")
        return strings[offset:end].decode("utf-8", "backslashreplace")
