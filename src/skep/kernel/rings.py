"""A ring buffer of the kernel, read in place from its memory.

``RingReader`` is the consumer's side: the pages, both positions, the counts and the doorbell of the
ring's state. ``skep.events`` makes batches over it; ``read_records`` serves who wants a few records
without numpy. Nothing is copied: what was handed out is void once its space is given back.

The kernel stores a record before its header and its header before the position. x86-64 loads see
that order; an arm64 reader needs an acquire load of both.
"""

import mmap
import select
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Protocol, Self

from skep.kernel.bpf import DOOR, Door
from skep.kernel.refusal import refused
from skep.lang.maps import RingState
from skep.lang.spec import MapSpec
from skep.lang.struct import StructType

PAGE = mmap.PAGESIZE
HEADER = 8
BUSY, DISCARD = 1 << 31, 1 << 30
_LENGTH = DISCARD - 1

_OFFSETS = {field.name: field.offset for field in RingState.fields}
_SEQ, _LOST, _DOORBELL = _OFFSETS["seq"] // 8, _OFFSETS["lost"] // 8, _OFFSETS["doorbell"] // 4


def sleep(poll: select.epoll, seconds: float, also: int = -1) -> bool:
    """Wait for what ``poll`` waits for, or for the descriptor ``also`` (-1: none); whether ``poll`` has something."""
    if also < 0:
        return bool(poll.poll(seconds))
    both = select.poll()
    for fd in (poll.fileno(), also):
        both.register(fd, select.POLLIN)
    return poll.fileno() in dict(both.poll(seconds * 1000))


class RingMap(Protocol):
    """A map, as far as a reader needs it."""

    @property
    def fd(self) -> int:
        """Its descriptor."""
        ...

    @property
    def spec(self) -> MapSpec:
        """Its entries are the ring's bytes."""
        ...

    def memory(self) -> memoryview:
        """The values of a mapped array."""
        ...


class RingReader:
    """The consumer of a ring of ``size`` bytes; a ring has one. A context manager.

    Owns its mappings, not the descriptor. ``state`` is the memory of the ring's RingState, for
    counts and doorbell; without one there are none, and a waiting reader relies on the producer's
    own wake-ups. ``records`` are the classes that the ring carries, and ``tails`` says whether bytes
    are behind each, for whoever asks.
    """

    def __init__(
        self,
        fd: int,
        size: int,
        *,
        state: memoryview | None = None,
        records: Sequence[StructType] = (),
        tails: bool = False,
        door: Door = DOOR,
    ) -> None:
        self.fd, self.size, self.records, self.tails = fd, size, records, tails
        with refused("mmap", "a ring buffer", door=door):
            self._consumer = door.map_memory(fd, PAGE, 0, writable=True)
            self._producer = door.map_memory(fd, PAGE + 2 * size, PAGE, writable=False)
        self._tail = memoryview(self._consumer)[:8].cast("Q")
        self._head = memoryview(self._producer)[:8].cast("Q")
        self.data = memoryview(self._producer)[PAGE:]
        self._lengths = self.data.cast("I")
        blank = memoryview(bytearray(RingState.size))
        self._counts = (state or blank)[: RingState.size].cast("Q")
        self._bell = (state or blank)[: RingState.size].cast("I")
        self._poll: select.epoll | None = None

    @classmethod
    def of(
        cls,
        ring: RingMap,
        state: RingMap | None = None,
        records: Sequence[StructType] = (),
        *,
        tails: bool = False,
        door: Door = DOOR,
    ) -> Self:
        """The reader of a live ring and its state map, both of which outlive it."""
        memory = state.memory() if state else None
        return cls(
            ring.fd, ring.spec.entries, state=memory, records=records, tails=tails, door=door
        )

    def positions(self) -> tuple[int, int]:
        """Bytes consumed and bytes produced since the ring was made, read in this order."""
        return self._tail[0], self._head[0]

    def consume(self, position: int) -> None:
        """Gives the space before ``position`` back to the kernel; views of it are void then."""
        self._tail[0] = position

    @property
    def attempts(self) -> int:
        """Records that programs tried to reserve."""
        return self._counts[_SEQ]

    @property
    def refused(self) -> int:
        """Attempts that found no room."""
        return self._counts[_LOST]

    def read_records(self) -> Iterator[memoryview]:
        """What is complete now, record by record, of any size.

        Each view is void at the next step, which gives its space back. A record that is still being
        written ends the pass; discarded ones are passed over.
        """
        position, end = self.positions()
        while position < end:
            at = position & (self.size - 1)
            length = self._lengths[at // 4]
            if length & BUSY:
                return
            size = length & _LENGTH
            if not length & DISCARD:
                with self.data[at + HEADER : at + HEADER + size] as view:
                    yield view
            position += (size + HEADER + 7) & ~7
            self.consume(position)

    def fileno(self) -> int:
        """A descriptor that becomes readable when the producer wakes its reader; ``arm`` rests it."""
        return self._epoll().fileno()

    def arm(self) -> None:
        """The next record rings the doorbell, once; look at ``positions`` again after."""
        self._epoll().poll(0)  # takes up what rang before
        self._bell[_DOORBELL] = 1

    def disarm(self) -> None:
        """Nothing rings."""
        self._bell[_DOORBELL] = 0

    def wait(self, seconds: float, also: int = -1) -> bool:
        """Sleeps until a record arrives or the time is over; whether there is one.

        Needs a program that rings the doorbell, or one that wakes its reader by itself. ``also`` is a descriptor that
        ends the sleep when it becomes readable.
        """
        self.arm()
        tail, head = self.positions()
        if tail == head:
            sleep(self._epoll(), seconds, also)
            tail, head = self.positions()
        self.disarm()
        return tail != head

    def _epoll(self) -> select.epoll:
        if self._poll is None:
            self._poll = select.epoll()
            self._poll.register(self.fd, select.EPOLLIN | select.EPOLLET)
        return self._poll

    def close(self) -> None:
        """Gives the mappings back; where somebody still holds a view, they go with that view."""
        if self._poll is not None:
            self._poll.close()
            self._poll = None
        views = (self._tail, self._head, self._lengths, self._counts, self._bell, self.data)
        for view in views:
            with suppress(BufferError):
                view.release()
        for mapping in (self._consumer, self._producer):
            with suppress(BufferError):
                mapping.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
