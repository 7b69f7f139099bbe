"""A kernel for tests: ``FakeDoor`` answers bpf(2) from memory, so that code over ``kernel`` runs without root.

Maps work (hash, array, per-CPU, LPM, batches, mapped memory, ring buffers that a test fills); programs
and links are only kept. Any command can be told to fail. It checks what the kernel checks of arguments,
as far as our own code could get it wrong, and verifies no program. Its objects live as long as it does.
"""

import errno
import mmap
import os
import struct

from skep.base.frozen import frozen
from skep.kernel.bpf import memory
from skep.kernel.commands import Command
from skep.kernel.rings import BUSY, HEADER, PAGE
from skep.testing.fake_map_commands import MAP_COMMANDS
from skep.testing.fake_maps import U32, FakeMap, refused
from skep.testing.fake_objects import FakeBlob, FakeObject, Objects
from skep.testing.fake_program_commands import PROGRAM_COMMANDS

_COMMANDS = MAP_COMMANDS | PROGRAM_COMMANDS
ALL_CAPABILITIES = (1 << 41) - 1


@frozen
class _Refusal:
    """How a command fails: its errno, and what the verifier says."""

    code: int
    log: str = ""


class FakeDoor:
    """A Door whose kernel is this object. ``calls`` are the commands in the order in which they came.

    ``open`` are the open descriptors, ``pins`` the pinned objects by path; ``mask`` the capabilities.
    """

    def __init__(self, *, mask: int = ALL_CAPABILITIES) -> None:
        self.mask, self.objects = mask, Objects()
        self.calls: list[Command] = []
        self.entered: list[int] = []
        self.output: list[bytes] = []
        self._refusals: dict[Command, list[_Refusal]] = {}

    @property
    def open(self) -> dict[int, FakeObject]:
        """The open descriptors."""
        return self.objects.open

    @property
    def pins(self) -> dict[str, FakeObject]:
        """The pinned objects by path."""
        return self.objects.pins

    def refuse(self, command: Command, code: int, *, log: str = "", times: int = 1) -> None:
        """The next ``times`` calls of a command fail with errno ``code``; ``log`` is the verifier's."""
        self._refusals.setdefault(command, []).extend([_Refusal(code, log)] * times)

    def of(self, kind: "type[FakeObject]") -> list[FakeObject]:
        """The open objects of a class."""
        return [one for one in self.open.values() if isinstance(one, kind)]

    def produce(self, fd: int, record: bytes, *, flags: int = 0) -> None:
        """Puts a record into a ring, as a program would; ``flags`` are BUSY and DISCARD."""
        ring = self.objects.map(fd)
        position = self._position(ring)
        slot = U32.pack(len(record) | flags) + bytes(4) + record
        slot += bytes(-len(slot) % 8)
        for at, byte in enumerate(slot, position):
            for copy in (0, ring.entries):
                place = 2 * PAGE + copy + (at & (ring.entries - 1))
                os.pwrite(ring.file, bytes([byte]), place)
        os.pwrite(ring.file, struct.pack("<Q", position + len(slot)), PAGE)

    def finish(self, fd: int, position: int, *, flags: int = 0) -> None:
        """Ends the writing of the busy record at ``position``."""
        ring = self.objects.map(fd)
        for copy in (0, ring.entries):
            place = 2 * PAGE + copy + (position & (ring.entries - 1))
            length = U32.unpack(os.pread(ring.file, 4, place))[0]
            os.pwrite(ring.file, U32.pack(length & ~BUSY | flags), place)

    def _position(self, ring: FakeMap) -> int:
        return int.from_bytes(os.pread(ring.file, HEADER, PAGE), "little")

    # --- Door

    def bpf(self, command: int, attr: bytearray) -> int:
        """See Door."""
        name = Command(command)
        self.calls.append(name)
        pending = self._refusals.get(name)
        if pending:
            refusal = pending.pop(0)
            if name is Command.PROG_LOAD:
                self._write_log(attr, refusal.log)
            raise refused(refusal.code)
        return _COMMANDS[name](self.objects, attr)

    def perf_event_open(self, attr: bytes, pid: int, cpu: int) -> int:
        """See Door."""
        return self.objects.new(FakeBlob(attr + struct.pack("<ii", pid, cpu)))

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """See Door."""
        self.objects.at(fd)
        return request & argument & 0

    def map_memory(self, fd: int, length: int, offset: int, *, writable: bool) -> mmap.mmap:
        """See Door."""
        found = self.objects.map(fd)
        if found.file < 0:
            raise refused(errno.EINVAL)
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        return mmap.mmap(found.file, length, mmap.MAP_SHARED, protection, offset=offset)

    def read(self, fd: int, size: int) -> bytes:
        """See Door: gives ``output`` piece by piece."""
        self.objects.at(fd)
        return self.output.pop(0)[:size] if self.output else b""

    def close(self, fd: int) -> None:
        """See Door."""
        if fd not in self.open:
            raise refused(errno.EBADF)
        del self.open[fd]

    def enter(self, fd: int, kind: int) -> None:
        """See Door: only notes the kind of namespace."""
        os.fstat(fd)
        self.entered.append(kind)

    def mount_detached(self, kind: str) -> int:
        """See Door: there is no file system here."""
        raise OSError(errno.ENODEV, f"the fake kernel has no {kind}")

    def capabilities(self) -> int:
        """See Door."""
        return self.mask

    def _write_log(self, attr: bytearray, log: str) -> None:
        level, size, at = struct.unpack_from("<IIQ", attr, 24)
        if level and size:
            raw = log.encode()[-(size - 1) :] + b"\0"
            memory(at, len(raw))[:] = raw
