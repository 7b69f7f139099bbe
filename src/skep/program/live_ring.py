"""A live ring: its events as records, one by one. For batches, ``skep.events`` reads the same memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, TypeVar

from skep.kernel.rings import RingReader
from skep.lang.maps import Ring
from skep.lang.struct import Struct
from skep.program.interruption import looping

FOREVER = 3600.0
Event = TypeVar("Event")


class EventSource(ABC, Generic[Event]):
    """A ring's events: iterate over it. ``lost`` counts those that found no room."""

    def __init__(self, ring: Ring, reader: RingReader) -> None:
        self.ring, self.reader = ring, reader

    def __iter__(self) -> Iterator[Event]:
        """Events as they come; waits for the next one. Only ``skep run`` ends it, when its time is over."""
        with looping() as end:
            while not end.come:
                yield from self.poll()
                self.reader.wait(FOREVER, end.fd)

    def poll(self, seconds: float = 0.0) -> Iterator[Event]:
        """The events that are there, after waiting at most ``seconds`` for the first."""
        if seconds:
            self.reader.wait(seconds)
        for view in self.reader.read_records():
            yield self.record(view)

    @abstractmethod
    def record(self, view: memoryview) -> Event:
        """The event in ``view``."""

    @property
    def attempts(self) -> int:
        """Records that programs tried to reserve."""
        return self.reader.attempts

    @property
    def lost(self) -> int:
        """Records that found no room."""
        return self.reader.refused


class LiveRing(EventSource[Struct]):
    """A ring of records of one size: each is an object of its class."""

    def __init__(self, ring: Ring, reader: RingReader) -> None:
        super().__init__(ring, reader)
        self._kinds = {getattr(record, "kind_number", 0): record for record in ring.records}

    def record(self, view: memoryview) -> Struct:
        """The record in ``view``, of the class that its header names."""
        kinds = self._kinds
        kind = int.from_bytes(view[18:20], "little") if len(kinds) > 1 else next(iter(kinds))
        found: Struct = kinds[kind].from_bytes(view)
        return found


class LiveVariableRing(EventSource[tuple[Struct, bytes]]):
    """A ring of records with a tail: each comes with its bytes, ``for line, text in live[lines]``."""

    def record(self, view: memoryview) -> tuple[Struct, bytes]:
        """The record at the beginning of ``view``, and what is behind it."""
        (kind,) = self.ring.records
        return kind.from_bytes(view[: kind.size]), bytes(view[kind.size :])
