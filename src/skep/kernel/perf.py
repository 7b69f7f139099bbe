"""Perf events as places for programs: tracepoints, software sampling, output of programs. Descriptors in, none kept.

Source: struct perf_event_attr in include/uapi/linux/perf_event.h.
"""

import struct
from typing import NamedTuple

from skep.base.errors import BadInput
from skep.base.similar import similar
from skep.kernel.bpf import Door, address

_ATTRIBUTES = struct.Struct("<IIQQQQQIIQQ")
_SIZE = 112
_SOFTWARE, _TRACEPOINT = 1, 2
_BPF_OUTPUT, _RAW = 10, 1 << 10
_DISABLED, _FREQUENCY = 1 << 0, 1 << 10
_ENABLE = 0x2400
SOURCES = "/sys/bus/event_source/devices"

# Type and config of each event: hardware 0, software 1.
EVENTS = {
    "cycles": (0, 0),
    "instructions": (0, 1),
    "cache-references": (0, 2),
    "cache-misses": (0, 3),
    "branch-misses": (0, 5),
    "cpu-clock": (1, 0),
    "task-clock": (1, 1),
    "page-faults": (1, 2),
    "context-switches": (1, 3),
    "cpu-migrations": (1, 4),
}


class Sampling(NamedTuple):
    """What is counted and how often a program runs: ``frequency`` in Hz, or each ``period`` events."""

    event: str = "cpu-clock"
    frequency: int = 99
    period: int = 0


class Probe(NamedTuple):
    """A probe: of the kernel's source ``kprobe`` on a function, or ``uprobe`` on a file, at an offset in bytes.

    ``semaphore`` is the place in the file of a counter that stands above 0 while the probe is there.
    """

    source: str
    name: str
    offset: int = 0
    returns: bool = False
    semaphore: int = 0


class NoSource(Exception):
    """The kernel has no such source of events."""


def open_probe(door: Door, probe: Probe, pid: int = -1, *, sources: str = SOURCES) -> int:
    """The perf event of a probe, at rest; of one process, or (-1) of all. NoSource where the kernel has none."""
    root = f"{sources}/{probe.source}"
    kind = _number(f"{root}/type", "")
    returns = 1 << _number(f"{root}/format/retprobe", "config:") if probe.returns else 0
    semaphore = 0
    if probe.semaphore:
        semaphore = probe.semaphore << _number(f"{root}/format/ref_ctr_offset", "config:")
    name = probe.name.encode() + b"\0"
    more = address(name), probe.offset
    attr = _attr(kind, returns | semaphore, 1, _DISABLED, more=more)
    return door.perf_event_open(attr, pid, -1 if pid >= 0 else 0)


def _number(path: str, prefix: str) -> int:
    """A number in a file of a source: its type, or the first bit of a field, as in ``config:32-63``."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read().strip().removeprefix(prefix).partition("-")[0])
    except OSError as error:
        raise NoSource(f"it has no {path}") from error


def open_tracepoint(door: Door, event_id: int) -> int:
    """The perf event of a tracepoint; a program on it runs for all CPUs and processes."""
    return door.perf_event_open(_attr(_TRACEPOINT, event_id, 1, _DISABLED), -1, 0)


def open_sampling(door: Door, sampling: Sampling, cpu: int, pid: int) -> int:
    """A sampling event, at rest: of one CPU (``pid`` -1) or of one process (``cpu`` -1)."""
    if sampling.event not in EVENTS:
        near = similar(sampling.event, EVENTS)
        hint = f"did you mean {near!r}?" if near else f"take one of {', '.join(EVENTS)}"
        raise BadInput("event", f"there is no perf event {sampling.event!r}", hint)
    kind, config = EVENTS[sampling.event]
    often = sampling.period or sampling.frequency
    flags = _DISABLED if sampling.period else _DISABLED | _FREQUENCY
    return door.perf_event_open(_attr(kind, config, often, flags), pid, cpu)


def open_output(door: Door, cpu: int) -> int:
    """The event by which programs on one CPU put samples into its buffer, at rest until ``enable``."""
    return door.perf_event_open(_attr(_SOFTWARE, _BPF_OUTPUT, 1, 0, sample=_RAW), -1, cpu)


def enable(door: Door, fd: int) -> None:
    """The event counts from now on."""
    door.ioctl(fd, _ENABLE, 0)


def _attr(
    kind: int,
    config: int,
    often: int,
    flags: int,
    *,
    more: tuple[int, int] = (0, 0),
    sample: int = 0,
) -> bytes:
    packed = _ATTRIBUTES.pack(kind, _SIZE, config, often, sample, 0, flags, 1, 0, *more)
    return packed.ljust(_SIZE, b"\0")
