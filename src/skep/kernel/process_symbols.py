"""Names of addresses in a process, by its mappings and the symbol tables of the files that are mapped.

The mappings are those of the moment when ``ProcessSymbols`` is made; of a process that is gone by then nothing is
known. A file's table is read when an address in it is asked for, as the process itself sees the file, and is kept.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from skep.base.errors import BadInput
from skep.kernel.binaries import Binary, Symbol

PROC = "/proc"
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) \S+ \d+ +(\S.*)")


class Mapping(NamedTuple):
    """A part of a file, executable in memory from ``start`` to ``end``."""

    start: int
    end: int
    offset: int
    path: str


class _Table(NamedTuple):
    """A file's functions by address; ``binary`` is closed, and tells places still."""

    begins: list[int]
    functions: list[Symbol]

    def holding(self, address: int) -> Symbol | None:
        """The function that an address lies in; one without a size reaches up to the next."""
        at = bisect_right(self.begins, address) - 1
        found = self.functions[at] if at >= 0 else None
        return found if found and address - found.address < (found.size or 1 << 20) else None


class ProcessSymbols:
    """``skep.ProcessSymbols(pid).name(address)`` is ``"malloc+0x1c [libc.so.6]"``.

    Where the file has no function there, it is ``"libc.so.6+0x2a1c0"``, a place in the file; where nothing is mapped,
    the address. A stripped file names what it exports.
    """

    def __init__(self, pid: int, proc: str = PROC) -> None:
        self._root = f"{proc}/{pid}/root"
        self.mappings = _mappings(f"{proc}/{pid}/maps")
        self._begins = [one.start for one in self.mappings]
        self._files: dict[str, tuple[Binary, _Table] | None] = {}

    def name(self, address: int) -> str:
        """The function, the offset in it, and the file."""
        place = self._place(address)
        if place is None:
            return f"{address:#x}"
        mapping, offset, function = place
        file = mapping.path.rpartition("/")[2]
        return f"{function[0]}+{function[1]:#x} [{file}]" if function else f"{file}+{offset:#x}"

    def stacks(self, stacks: Iterable[Iterable[int]]) -> list[list[str]]:
        """The functions of each stack, innermost first, as a StackTraces map has it: zeros are no frames.

        Where no function is known, it is the file, or the address.
        """
        return [[self._short(number, one) for number, one in _frames(stack)] for stack in stacks]

    def _short(self, number: int, address: int) -> str:
        """A frame's function: of all but the innermost, the one that made the call."""
        called = address - (number > 0)
        known = self._place(called) is not None
        return self.name(called).partition("+")[0] if known else f"{address:#x}"

    def _place(self, address: int) -> tuple[Mapping, int, tuple[str, int] | None] | None:
        at = bisect_right(self._begins, address) - 1
        if at < 0 or address >= self.mappings[at].end:
            return None
        mapping = self.mappings[at]
        offset = address - mapping.start + mapping.offset
        return mapping, offset, self._function(mapping.path, offset)

    def _function(self, path: str, offset: int) -> tuple[str, int] | None:
        if path not in self._files:
            self._files[path] = _read(self._root + path)
        file = self._files[path]
        if file is None:
            return None
        binary, table = file
        try:
            address = binary.code_address(offset)
        except BadInput:
            return None
        found = table.holding(address)
        return (found.name, address - found.address) if found else None


def _frames(stack: Iterable[int]) -> Iterable[tuple[int, int]]:
    return enumerate(filter(None, stack))


def _mappings(path: str) -> list[Mapping]:
    """The executable mappings of files, by address."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            found = [match.groups() for match in map(_MAPPING.match, file) if match]
    except OSError:
        return []
    return [Mapping(int(a, 16), int(b, 16), int(at, 16), name) for a, b, at, name in found]


def _rank(function: Symbol) -> tuple[int, int, bool]:
    """The order of functions; of several at one address the last one counts: the largest, by the name for users."""
    return function.address, function.size, not function.name.startswith("_")


def _read(path: str) -> tuple[Binary, _Table] | None:
    """A file and its functions; None where it is none, or is gone: ``[vdso]``, ``/tmp/x (deleted)``."""
    try:
        with Binary.open(path) as binary:
            known = sorted(binary.functions(), key=_rank)
    except BadInput:
        return None
    return binary, _Table([one.address for one in known], known)
