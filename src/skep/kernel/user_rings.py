"""Rings that this process fills and programs drain, written in place. There is one writer.

The writer fills a slot before it moves the position, and programs read in that order. x86-64 keeps it; an arm64 writer
needs a release store of the position.
"""

import errno
import mmap
from typing import Self

from skep.base.errors import KernelError
from skep.kernel.bpf import DOOR, Door
from skep.kernel.handle import Handle
from skep.kernel.maps import Value
from skep.kernel.refusal import refused
from skep.kernel.rings import HEADER, PAGE
from skep.lang.exact import exact
from skep.lang.spec import MapSpec
from skep.lang.struct import StructType


class UserRing(Handle):
    """``ring.push(message)``: messages to programs, which take them when they drain the ring."""

    def __init__(self, spec: MapSpec, fd: int, *, door: Door = DOOR) -> None:
        super().__init__(spec, fd, door=door)
        self._mapped: tuple[mmap.mmap, mmap.mmap] | None = None
        self.message: StructType | None = None

    def carrying(self, message: StructType) -> Self:
        """The same, with the class of its messages."""
        self.message = message
        return self

    def _mappings(self) -> tuple[mmap.mmap, mmap.mmap]:
        """The consumer's page, to be read, and the producer's with the data, mapped twice."""
        if self._mapped is None:
            size = PAGE + 2 * self.spec.entries
            with refused("mmap", self.spec.name, door=self.door):
                consumer = self.door.map_memory(self.fd, PAGE, 0, writable=False)
                self._mapped = consumer, self.door.map_memory(self.fd, size, PAGE, writable=True)
        return self._mapped

    def push(self, message: Value) -> None:
        """Puts a message in. KernelError [EAGAIN] where there is no room until a program drains the ring."""
        if self.message is None:
            hint = (
                "push into live[ring] of a UserRing that is declared with the class of its messages"
            )
            raise TypeError(f"{self.spec.name} carries bytes of no known layout; {hint}")
        raw = exact(self.message, message, f"{self.spec.name}: message")
        slot = HEADER + -(-len(raw) // HEADER) * HEADER
        consumer, producer = self._mappings()
        position = int.from_bytes(producer[:HEADER], "little")
        if slot > self.spec.entries - self._waiting(consumer, producer):
            waiting = f"{self._waiting(consumer, producer)} of {self.spec.entries} bytes wait"
            meaning = "the ring is full [EAGAIN]"
            raise KernelError(f"a push into {self.spec.name}", errno.EAGAIN, meaning, waiting)
        at = PAGE + (position & (self.spec.entries - 1))
        producer[at : at + slot] = len(raw).to_bytes(HEADER, "little") + raw.ljust(
            slot - HEADER, b"\0"
        )
        producer[:HEADER] = (position + slot).to_bytes(HEADER, "little")

    def _waiting(self, consumer: mmap.mmap, producer: mmap.mmap) -> int:
        read, written = (int.from_bytes(one[:HEADER], "little") for one in (consumer, producer))
        return written - read

    def __len__(self) -> int:
        """Bytes that wait, headers included."""
        return self._waiting(*self._mappings())

    def __bool__(self) -> bool:
        return True

    def close(self) -> None:
        """Gives the mappings and the descriptor back."""
        for one in self._mapped or ():
            one.close()
        self._mapped = None
        super().close()
