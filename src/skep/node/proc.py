"""Processes as /proc tells of them: the fallback where no iterator program can say who lives.

Reads; what vanishes meanwhile is passed over. A start is known to a clock tick only (``images.TICK``).
"""

import os
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from skep.node.cgroups import unified_path
from skep.node.images import TICK, Row

_LARGEST = 65_536


class Stat(NamedTuple):
    """Fields of /proc/PID/stat (proc(5)): 1, 2, 4 and 22; ``start`` in boot ns, a whole tick."""

    pid: int
    comm: bytes
    ppid: int
    start: int


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
    return Stat(int(data[:begin]), data[begin + 1 : end], int(rest[1]), int(rest[19]) * TICK)


def parse_uid(data: bytes) -> int:
    """The real uid in /proc/PID/status, in the reader's user namespace. ValueError without one."""
    begin = data.index(b"\nUid:\t") + 6
    return int(data[begin : data.index(b"\t", begin)])


def alive(cgroups: CgroupIds, proc: str = "/proc") -> Iterator[Row]:
    """A row for every process that lives now, of the reader's pid namespace; no threads."""
    ids: dict[str, int] = {}
    for name in os.listdir(proc):
        if name.isdigit():
            row = _row(f"{proc}/{name}", cgroups, ids)
            if row is not None:
                yield row


def _row(directory: str, cgroups: CgroupIds, ids: dict[str, int]) -> Row | None:
    try:
        stat = parse_stat(_read(f"{directory}/stat"))
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
