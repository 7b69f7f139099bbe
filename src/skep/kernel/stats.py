"""Run statistics, and who holds which program, map and link of this machine.

Statistics cost about 20 ns for each run of each program of the machine while they are on, so they are
on for the time of a ``with`` block. Listing needs CAP_SYS_ADMIN, reading others' descriptors too.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from skep.kernel import commands
from skep.kernel.bpf import DOOR, Door
from skep.kernel.commands import Command
from skep.kernel.objects import ProgramInfo, each, map_info, programs
from skep.kernel.refusal import refused

PROC = "/proc"
_KINDS = {"bpf-prog": "prog", "bpf-map": "map", "bpf_link": "link", "bpf-link": "link"}
_ADMIN = ("CAP_SYS_ADMIN",)


class Holder(NamedTuple):
    """A process that has a descriptor of an object; ``kind`` is prog, map or link."""

    kind: str
    id: int
    pid: int
    comm: str
    fd: int


class Runs(NamedTuple):
    """What a program did over a time: runs, ns in them, runs left out by recursion."""

    id: int
    name: str
    run_cnt: int
    run_time_ns: int
    recursion_misses: int

    @property
    def ns_per_run(self) -> float:
        """Mean time of a run, 0 where there was none."""
        return self.run_time_ns / self.run_cnt if self.run_cnt else 0.0


@contextmanager
def enabled(door: Door = DOOR) -> Iterator[None]:
    """Run statistics of all programs, for the time of the block (Linux 5.8)."""
    with refused("BPF_ENABLE_STATS", needs=_ADMIN, door=door):
        fd = commands.enable_stats(door)
    try:
        yield
    finally:
        door.close(fd)


def all_programs(door: Door = DOOR) -> list[ProgramInfo]:
    """Every program of the machine, whoever loaded it; Forbidden without CAP_SYS_ADMIN."""
    with refused("listing programs", needs=_ADMIN, door=door):
        return list(programs(door))


def between(before: Sequence[ProgramInfo], after: Sequence[ProgramInfo]) -> list[Runs]:
    """What each program did from one reading to the next; a program that is new counts from zero."""
    earlier = {one.id: one for one in before}
    return [_difference(one, earlier.get(one.id)) for one in after]


def _difference(now: ProgramInfo, then: ProgramInfo | None) -> Runs:
    if then is None:
        return Runs(now.id, now.name, now.run_cnt, now.run_time_ns, now.recursion_misses)
    return Runs(
        now.id,
        now.name,
        now.run_cnt - then.run_cnt,
        now.run_time_ns - then.run_time_ns,
        now.recursion_misses - then.recursion_misses,
    )


def holders(proc: str = PROC) -> list[Holder]:
    """Who has which BPF object open; processes that we may not look into are left out."""
    found: list[Holder] = []
    for pid in filter(str.isdigit, os.listdir(proc)):
        with suppress(OSError):
            found += _of_process(proc, int(pid))
    return found


def _of_process(proc: str, pid: int) -> list[Holder]:
    base, found = f"{proc}/{pid}", []
    for fd in os.listdir(f"{base}/fd"):
        with suppress(OSError):
            kind = _KINDS.get(os.readlink(f"{base}/fd/{fd}").removeprefix("anon_inode:"))
            number = _id(f"{base}/fdinfo/{fd}", kind) if kind else 0
            if kind and number:
                found.append(Holder(kind, number, pid, comm(base), int(fd)))
    return found


def described(fd: int, proc: str = PROC) -> tuple[str, int] | None:
    """What a descriptor of ours is of, prog, map or link, and its id; None where it is none of these."""
    kind = _KINDS.get(os.readlink(f"{proc}/self/fd/{fd}").removeprefix("anon_inode:"))
    return None if kind is None else (kind, _id(f"{proc}/self/fdinfo/{fd}", kind))


class Footprint(NamedTuple):
    """Kernel memory of a map in bytes (exact since Linux 6.4), and whether system calls change its entries no more."""

    memory: int
    frozen: bool


def footprints(door: Door = DOOR) -> dict[int, Footprint]:
    """Of every map of the machine, by its id. Needs CAP_SYS_ADMIN."""
    found = each(
        door,
        Command.MAP_NEXT_ID,
        Command.MAP_BY_ID,
        lambda door, fd: (map_info(door, fd).id, footprint(fd)),
    )
    return dict(found)


def footprint(fd: int, proc: str = PROC) -> Footprint:
    """Of a map of ours."""
    path = f"{proc}/self/fdinfo/{fd}"
    return Footprint(_line(path, "memlock"), bool(_line(path, "frozen")))


def _id(path: str, kind: str) -> int:
    return _line(path, f"{kind}_id")


def _line(path: str, key: str) -> int:
    with open(path, encoding="ascii", errors="replace") as file:
        found = re.search(rf"^{key}:\s*(\d+)", file.read(), re.MULTILINE)
    return int(found[1]) if found else 0


def comm(base: str) -> str:
    """The name of the process whose folder in /proc is ``base``."""
    with open(f"{base}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().rstrip("\n")
