"""Programs and libraries as the unwinder knows them: a number, a table, and names of functions."""

import os
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from examples.large.unwinder.mappings import VDSO, Mapped
from examples.large.unwinder.table import Table, table
from skep.base.errors import BadInput
from skep.kernel.binaries import Binary


class Names:
    """The functions of a file by address."""

    def __init__(self, binary: Binary) -> None:
        found = sorted({(one.address, -one.size, one.name) for one in binary.functions()})
        self._starts = [start for start, _, _ in found]
        self._functions = [(start - size, name) for start, size, name in found]

    def __getitem__(self, address: int) -> str:
        """The function that an address belongs to; "" where the file names none."""
        at = bisect_right(self._starts, address) - 1
        end, name = self._functions[at] if at >= 0 else (0, "")
        return name if address < end else ""


@dataclass
class File:
    """A file with code; ``problem`` says why it has no table, if that is so.

    It is mapped as long as somebody holds it, such as a frame that was sampled in it.
    """

    number: int
    binary: Binary
    table: Table
    problem: str = ""
    pids: set[int] = field(default_factory=set)

    @cached_property
    def names(self) -> Names:
        """Its functions."""
        return Names(self.binary)

    def name(self, address: int) -> str:
        """The function at an address, or the file and the address."""
        return self.names[address] or f"{os.path.basename(self.binary.path)}+{address:#x}"


def opened(number: int, pid: int, one: Mapped) -> File:
    """The file that a process has mapped. BadInput where it cannot be read, or is none."""
    binary = _binary(pid, one)
    try:
        return File(number, binary, table(binary))
    except BadInput as error:
        return File(number, binary, Table([], []), str(error))


def _binary(pid: int, one: Mapped) -> Binary:
    if one.path == VDSO:
        return Binary(VDSO, _memory(pid, one.start, one.end))
    binary = Binary.open(f"/proc/{pid}/map_files/{one.start:x}-{one.end:x}")
    binary.path = one.path
    return binary


def _memory(pid: int, start: int, end: int) -> bytes:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(start)
        return memory.read(end - start) or b""


def bias(file: File, one: Mapped) -> int:
    """What lies between the addresses of a file and those of a process that has mapped it, modulo 2**64."""
    return (one.start - file.binary.code_address(one.offset)) % (1 << 64)
