"""What a process has mapped: files with code, and prefixes of addresses. Text of ``/proc/PID/maps`` to values."""

from collections.abc import Iterator
from dataclasses import dataclass

from examples.large.unwinder.state import ADDRESS_BITS, Place

VDSO = "[vdso]"
BITS = 64


@dataclass(frozen=True, slots=True)
class Mapped:
    """Code from ``start`` to ``end``: what lies at ``offset`` of a file, which is named by its device and inode."""

    start: int
    end: int
    offset: int
    file: tuple[str, int]
    path: str


def mapped(text: str) -> Iterator[Mapped]:
    """The mappings of ``/proc/PID/maps`` that have code of a file, or of the vDSO."""
    for line in text.splitlines():
        where, permissions, offset, device, inode, *path = line.split(None, 5)
        name = path[0] if path else ""
        if "x" in permissions and (int(inode) or name == VDSO):
            start, _, end = where.partition("-")
            file = (device, int(inode)) if int(inode) else (VDSO, 0)
            yield Mapped(int(start, 16), int(end, 16), int(offset, 16), file, name)


def prefixes(pid: int, start: int, end: int) -> Iterator[Place]:
    """The addresses from ``start`` to ``end`` of a process as the fewest prefixes."""
    while start < end:
        size = min(start & -start or 1 << BITS, 1 << (end - start).bit_length() - 1)
        yield Place(ADDRESS_BITS - size.bit_length() + 1, pid, start)
        start += size
