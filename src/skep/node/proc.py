"""Processes as /proc tells of them: what an iterator program leaves out, or all where there is none.

Reads; what vanishes meanwhile is passed over. A start is known to a clock tick only (``images.TICK``).
Events have the pids of the initial namespace: a /proc of another one tells nothing of them.
"""

import os
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple, Protocol

from skep.node.cgroups import unified_path
from skep.node.images import TICK, Row

_LARGEST = 65_536
_KTHREADD, _FLAGS, _KERNEL_THREAD = 2, 6, 1 << 21
_OVER = b"ZX"


class Stat(NamedTuple):
    """Fields of /proc/PID/stat (proc(5)): 1, 2, 4, 22 and 3; ``start`` in boot ns, a whole tick."""

    pid: int
    comm: bytes
    ppid: int
    start: int
    state: bytes = b""


class CgroupIds(Protocol):
    """Where a cgroup's id comes from: ``CgroupFiles``."""

    def id_of(self, path: str) -> int:
        """The id of a path, 0 where there is none."""


def parse_stat(data: bytes) -> Stat:
    """Read /proc/PID/stat. A comm may hold blanks and parentheses: ``(a) b)``. ValueError if cut."""
    begin, end = data.index(b"("), data.rindex(b")")
    rest = data[end + 2 :].split(b" ")
    if len(rest) < 20:
        raise ValueError("stat is cut short")
    start = int(rest[19]) * TICK
    return Stat(int(data[:begin]), data[begin + 1 : end], int(rest[1]), start, rest[0])


def parse_uid(data: bytes) -> int:
    """The real uid in /proc/PID/status, in the reader's user namespace. ValueError without one."""
    begin = data.index(b"\nUid:\t") + 6
    return int(data[begin : data.index(b"\t", begin)])


def of_initial_namespace(proc: str = "/proc") -> bool:
    """Whether ``proc`` shows the pids that events have: there, pid 2 is the kernel's thread of threads."""
    try:
        data = _read(f"{proc}/{_KTHREADD}/stat")
        flags = int(data[data.rindex(b")") + 2 :].split(b" ")[_FLAGS])
    except (OSError, ValueError, IndexError):
        return False
    return bool(flags & _KERNEL_THREAD)


def alive(cgroups: CgroupIds, proc: str = "/proc") -> Iterator[Row]:
    """A row for every process that lives now, no threads; none from another pid namespace."""
    if of_initial_namespace(proc):
        yield from _rows(cgroups, proc)


def completed(rows: Iterable[Row], cgroups: CgroupIds, proc: str = "/proc") -> Iterator[Row]:
    """``rows``, and one for each process that lives and is not among them.

    A host may keep processes of its own, such as pid 1, from programs that iterate over tasks.
    """
    told = set()
    for row in rows:
        told.add(row.pid)
        yield row
    if of_initial_namespace(proc):
        yield from _rows(cgroups, proc, told, over=_OVER)


def _rows(
    cgroups: CgroupIds, proc: str, without: Container[int] = (), over: bytes = b""
) -> Iterator[Row]:
    """Rows of all but some processes, and but those in one of the states ``over``."""
    ids: dict[str, int] = {}
    for name in os.listdir(proc):
        if name.isdigit() and int(name) not in without:
            row = _row(f"{proc}/{name}", cgroups, ids, over)
            if row is not None:
                yield row


def _row(directory: str, cgroups: CgroupIds, ids: dict[str, int], over: bytes) -> Row | None:
    try:
        stat = parse_stat(_read(f"{directory}/stat"))
        if stat.state in over:
            return None
        uid = parse_uid(_read(f"{directory}/status"))
        path = unified_path(os.fsdecode(_read(f"{directory}/cgroup")))
    except (OSError, ValueError):
        return None
    if path not in ids:
        ids[path] = cgroups.id_of(path) if path else 0
    return Row(stat.pid, stat.ppid, uid, ids[path], stat.start, stat.comm)


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, _LARGEST)
    finally:
        os.close(fd)
