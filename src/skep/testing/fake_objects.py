"""What the fake kernel holds: its maps, programs and links, by descriptor, by pin and by number."""

import errno
import struct
from dataclasses import dataclass, field
from itertools import count

from skep.testing.fake_maps import FakeMap, refused


@dataclass(slots=True)
class FakeProgram:
    """A program that was loaded; ``insns`` are those that the kernel was given, ``streams`` what waits to be read."""

    id: int
    type: int
    name: str
    insns: bytes
    expected_attach_type: int
    attach_btf_id: int
    run_cnt: int = 0
    run_time_ns: int = 0
    recursion_misses: int = 0
    streams: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class FakeLink:
    """A link: the program's id, what it is attached to, how."""

    id: int
    program: int
    target: int
    attach_type: int
    flags: int = 0
    name: str = ""


@dataclass(slots=True)
class FakeBlob:
    """A BTF object, or a descriptor of something else (a perf event, an iterator)."""

    data: bytes = b""
    id: int = 0


FakeObject = FakeMap | FakeProgram | FakeLink | FakeBlob


class Objects:
    """``open`` are the open descriptors, ``pins`` the pinned objects by path, ``blobs`` BTF objects by number."""

    def __init__(self) -> None:
        self.open: dict[int, FakeObject] = {}
        self.pins: dict[str, FakeObject] = {}
        self.blobs: dict[int, FakeBlob] = {}
        self._fds, self._ids = count(1000), count(1)

    def number(self) -> int:
        """The id of a new object."""
        return next(self._ids)

    def new(self, made: FakeObject) -> int:
        """A descriptor of an object."""
        fd = next(self._fds)
        self.open[fd] = made
        return fd

    def at(self, fd: int) -> FakeObject:
        """What a descriptor is of. OSError where it is none."""
        if fd not in self.open:
            raise refused(errno.EBADF)
        return self.open[fd]

    def map(self, fd: int) -> FakeMap:
        """The map of a descriptor. OSError where it is of something else."""
        found = self.at(fd)
        if not isinstance(found, FakeMap):
            raise refused(errno.EINVAL)
        return found

    def program(self, fd: int) -> FakeProgram:
        """The program of a descriptor. OSError where it is of something else."""
        found = self.at(fd)
        if not isinstance(found, FakeProgram):
            raise refused(errno.EINVAL)
        return found


def info_of(one: FakeObject) -> bytes:
    """The info structure of an object."""
    if isinstance(one, FakeMap):
        sizes = (one.type, one.id, one.key_size, one.value_size, one.entries, one.flags)
        return struct.pack("<6I16s24x3I", *sizes, one.name.encode(), *one.btf)
    if isinstance(one, FakeProgram):
        head = struct.pack("<II", one.type, one.id).ljust(64, b"\0") + one.name.encode()
        counters = (one.run_time_ns, one.run_cnt, one.recursion_misses, len(one.insns) // 8)
        return head.ljust(192, b"\0") + struct.pack("<QQQI", *counters)
    if isinstance(one, FakeLink):
        return struct.pack("<III", 0, one.id, one.program)
    return struct.pack("<QII", 0, len(one.data), one.id)
