"""What /proc tells about a process: when it started, its CPU time and its memory.

Values are read when asked for and kept nowhere. It knows nothing of what the processes do.
"""

import os
import select
import signal
from collections.abc import Iterable
from contextlib import suppress

from skep.base.clock import SECOND
from skep.base.errors import SkepError
from skep.base.frozen import frozen

TICKS = os.sysconf("SC_CLK_TCK")
RING, HEX = "anon_inode:bpf-map", frozenset("0123456789abcdef")
STATE, UTIME, STIME, START = 0, 11, 12, 19


class Gone(SkepError):
    """The process ended while it was asked about."""


@frozen
class Identity:
    """A process beyond reuse of its pid: the pid, and its start in clock ticks since boot."""

    pid: int
    start: int

    @property
    def started_ns(self) -> int:
        """When it started, in boot time."""
        return self.start * SECOND // TICKS

    def alive(self) -> bool:
        """Whether that very process still runs (a zombie does not)."""
        try:
            fields = _stat(self.pid)
        except Gone:
            return False
        return int(fields[START]) == self.start and fields[STATE] not in ("Z", "X")


@frozen
class Usage:
    """CPU seconds since the start of the process, and bytes of memory (proportional set size).

    ``ring_bytes`` are pages of BPF rings and maps that it has mapped: kernel memory, reckoned apart.
    """

    cpu_seconds: float
    pss_bytes: int
    ring_bytes: int


def _stat(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Gone(f"process {pid} has ended") from error
    return text[text.rindex(")") + 2 :].split()


def identity(pid: int) -> Identity:
    """Who has ``pid`` now; raises Gone."""
    return Identity(pid, int(_stat(pid)[START]))


def cpu_seconds(pid: int) -> float:
    """User and system time; raises Gone."""
    fields = _stat(pid)
    return (int(fields[UTIME]) + int(fields[STIME])) / TICKS


def memory_bytes(pid: int) -> tuple[int, int]:
    """Proportional set size, of all but BPF rings and maps, and of those. Takes some ms. Raises Gone."""
    try:
        with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
            return read_smaps(file)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Gone(f"process {pid} has ended") from error


def read_smaps(lines: Iterable[str]) -> tuple[int, int]:
    """The two sums of `memory_bytes`, from the lines of an smaps file (proc(5))."""
    own = rings = 0
    ring = False
    for line in lines:
        if line.startswith("Pss:"):
            size = int(line.split()[1]) * 1024
            own, rings = (own, rings + size) if ring else (own + size, rings)
        elif line[0] in HEX:
            ring = RING in line
    return own, rings


def usage(pid: int) -> Usage:
    """CPU and memory of one process; raises Gone."""
    return Usage(cpu_seconds(pid), *memory_bytes(pid))


def comm(pid: int) -> str:
    """The name of the process's first thread, "?" when it has ended."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return "?"


def kill(who: Identity, number: int = signal.SIGKILL, *, wait: float = 0.0) -> bool:
    """Signal that very process and wait up to ``wait`` seconds for its end; whether it was alive."""
    with suppress(ProcessLookupError):
        fd = os.pidfd_open(who.pid)
        try:
            if who.alive():
                signal.pidfd_send_signal(fd, number)
                select.select([fd], [], [], wait)
                return True
        finally:
            os.close(fd)
    return False
