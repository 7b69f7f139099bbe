"""Programs and libraries on disk: where a function lies in the file, and which static probes there are.

A ``Binary`` maps a file while it is open and trusts nothing in it: what is malformed is BadInput. Only 64-bit
little-endian ELF is read, regular files only. Which file a name means is ``kernel.libraries``' business.
Source: the ELF-64 object file format.
"""

import os
import stat
import struct
from collections.abc import Iterator
from fnmatch import fnmatchcase
from mmap import ACCESS_READ, mmap
from typing import NamedTuple, Self

from skep.base.errors import BadInput
from skep.base.similar import similar

_IDENT = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_LOAD, _SYMTAB, _DYNSYM, _NOTE = 1, 2, 11, 7
_FUNC, _IFUNC = 2, 10
_EXECUTABLE, _PAGE = 1, 4096
_WILD = frozenset("*?[")
_MOST = 4096  # of sections and of segments


class Section(NamedTuple):
    """A section: its place in memory (``address``) and in the file."""

    name: str
    kind: int
    address: int
    offset: int
    size: int
    link: int


class Symbol(NamedTuple):
    """A function by name; ``indirect`` ones choose the real one when the file is loaded. ``size`` 0 is not known."""

    name: str
    address: int
    indirect: bool = False
    size: int = 0


class Binary:
    """An ELF file. ``with Binary.open("/lib/x86_64-linux-gnu/libc.so.6") as binary: binary.place("malloc")``."""

    def __init__(self, path: str, data: mmap | bytes) -> None:
        self.path, self._data = path, data
        if data[: len(_IDENT)] != _IDENT:
            raise BadInput(path, "it is no 64-bit little-endian ELF file")
        header = self._unpack(_HEADER, 0)
        self._segments = self._table(header[5], header[10], header[9], _SEGMENT)
        self.sections = self._named(
            self._table(header[6], header[12], header[11], _SECTION), header[13]
        )

    @classmethod
    def open(cls, path: str) -> Self:
        """The binary at ``path``. BadInput where there is none."""
        try:
            return cls(path, _mapped(path))
        except OSError as error:
            raise BadInput(path, f"it cannot be read ({error.strerror})") from error

    def _unpack(self, layout: struct.Struct, at: int) -> tuple[int, ...]:
        if not 0 <= at <= len(self._data) - layout.size:
            raise BadInput(self.path, "the ELF file is cut off")
        return layout.unpack_from(self._data, at)

    def _table(
        self, at: int, count: int, size: int, layout: struct.Struct
    ) -> list[tuple[int, ...]]:
        if count > _MOST or (count and size < layout.size):
            raise BadInput(self.path, "the ELF file is malformed")
        return [self._unpack(layout, at + i * size) for i in range(count)]

    def _named(self, rows: list[tuple[int, ...]], names: int) -> tuple[Section, ...]:
        if not rows:
            return ()
        if names >= len(rows):
            raise BadInput(self.path, "the ELF file is malformed")
        text = rows[names][4]
        return tuple(
            Section(self._string(text + row[0]), row[1], row[3], row[4], row[5], row[6])
            for row in rows
        )

    def _string(self, at: int) -> str:
        end = self._data.find(b"\0", at)
        if not 0 <= at < len(self._data) or end < 0:
            raise BadInput(self.path, "the ELF file is cut off")
        return self._data[at:end].decode("utf-8", "replace")

    def content(self, section: Section) -> bytes:
        """The bytes of a section."""
        if section.offset + section.size > len(self._data):
            raise BadInput(self.path, f"section {section.name} is cut off")
        return self._data[section.offset : section.offset + section.size]

    def functions(self) -> Iterator[Symbol]:
        """The functions that the file defines, of both its symbol tables."""
        for names, entries in self._tables():
            for name, indirect, address, size in entries:
                yield Symbol(self._string(names.offset + name), address, indirect, size)

    def named(self, function: str) -> Iterator[Symbol]:
        """Those of one name; other names are not even decoded."""
        wanted = function.encode() + b"\0"
        for names, entries in self._tables():
            places = set(self._occurrences(wanted, names))
            for name, indirect, address, size in entries if places else ():
                if name in places:
                    yield Symbol(function, address, indirect, size)

    def _tables(self) -> Iterator[tuple[Section, Iterator[tuple[int, bool, int, int]]]]:
        """The string section of each symbol table, and its functions: name's place, whether indirect, address, size."""
        for section in self.sections:
            if section.kind in (_SYMTAB, _DYNSYM) and section.link < len(self.sections):
                yield self.sections[section.link], self._entries(self.content(section))

    def _entries(self, data: bytes) -> Iterator[tuple[int, bool, int, int]]:
        for name, info, _, home, address, size in _SYMBOL.iter_unpack(_whole(data, _SYMBOL.size)):
            if home and address and info & 15 in (_FUNC, _IFUNC):
                yield name, info & 15 == _IFUNC, address, size

    def _occurrences(self, wanted: bytes, names: Section) -> Iterator[int]:
        """Where in a string section a name stands, also as the end of a longer one."""
        end = names.offset + names.size
        at = self._data.find(wanted, names.offset, end)
        while at >= 0:
            yield at - names.offset
            at = self._data.find(wanted, at + 1, end)

    def matching(self, patterns: tuple[str, ...]) -> dict[str, int]:
        """Places in the file of functions by name or pattern; BadInput where one matches nothing."""
        known = [one for pattern in patterns for one in self._like(pattern)]
        indirect = {symbol.name for symbol in known if symbol.indirect}
        found: dict[str, int] = {}
        for symbol in known:
            if symbol.name not in indirect:
                found.setdefault(symbol.name, self.offset(symbol.address))
        for pattern in patterns:
            if not any(name == pattern or fnmatchcase(name, pattern) for name in found):
                self.place(pattern)
        return found

    def _like(self, pattern: str) -> Iterator[Symbol]:
        if not _WILD & set(pattern):
            return self.named(pattern)
        return (one for one in self.functions() if fnmatchcase(one.name, pattern))

    def place(self, function: str) -> int:
        """Where a function begins in the file. BadInput where there is none, with the nearest name."""
        found = list(self.named(function))
        if found and not any(symbol.indirect for symbol in found):
            return self.offset(found[0].address)
        if found:
            problem = f"{function} is chosen when the library is loaded (IFUNC)"
            raise BadInput(self.path, problem, "name the function that is chosen")
        near = similar(function, (symbol.name for symbol in self.functions()))
        expected = (
            f"did you mean {near!r}?" if near else "a stripped file keeps exported names only"
        )
        raise BadInput(self.path, f"it has no function {function!r}", expected)

    def offset(self, address: int) -> int:
        """Where the byte lies in the file that is at ``address`` once the file is mapped."""
        for kind, _, offset, start, _, size, _, _ in self._segments:
            if kind == _LOAD and start <= address < start + size:
                return address - start + offset
        raise BadInput(self.path, f"the address {address:#x} is in no segment of the file")

    def code_address(self, offset: int) -> int:
        """The address of what lies at ``offset`` of the file, in code, which is mapped from its page on."""
        for kind, flags, start, address, _, size, _, _ in self._segments:
            if kind == _LOAD and flags & _EXECUTABLE and start & -_PAGE <= offset < start + size:
                return offset - start + address
        raise BadInput(self.path, f"there is no code at {offset:#x} of the file")

    def mapped(self) -> Iterator[range]:
        """The addresses at which parts of the file lie once it is mapped."""
        for kind, _, offset, start, _, size, _, _ in self._segments:
            if kind == _LOAD:
                yield range(start, start + max(0, min(size, len(self._data) - offset)))

    def section(self, name: str) -> Section | None:
        """The section of that name."""
        return next((one for one in self.sections if one.name == name), None)

    def close(self) -> None:
        """Gives the mapping back."""
        if isinstance(self._data, mmap):
            self._data.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _mapped(path: str) -> mmap:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size < _HEADER.size:
            raise BadInput(path, "it is no program or library")
        return mmap(fd, 0, access=ACCESS_READ)
    finally:
        os.close(fd)


def _whole(data: bytes, size: int) -> bytes:
    return data[: len(data) // size * size]
