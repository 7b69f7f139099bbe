"""A ring in plain memory that a test fills as the kernel would, and records for it."""

from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import HealthCheck, settings

from skep.events.batch import Batch
from skep.events.record import Record
from skep.lang.scatter import BUSY, DISCARD, HEADER
from skep.lang.struct import Struct
from skep.lang.types import be16, char, u8, u32, u64

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Note(Record, kind="note", size=128):
    """One of the classes of a ring."""

    pid: u32
    port: be16
    comm: char[16]
    address: u8[16]


class Other(Record, kind="other", size=128):
    """Another class of it."""

    pid: u32
    amount: u64


class SyntheticRing:
    """``size`` bytes mapped twice, from position ``start`` on; what finds no room is counted."""

    tails = False

    def __init__(
        self, size: int = 4096, start: int = 0, records: Sequence[type[Struct]] = ()
    ) -> None:
        self.size, self.records = size, records
        self._memory = bytearray(2 * size)
        self.data = memoryview(self._memory)
        self.consumer = self.producer = start
        self.attempts = self.refused = 0
        self.armed = False

    def positions(self) -> tuple[int, int]:
        return self.consumer, self.producer

    def consume(self, position: int) -> None:
        assert self.consumer <= position <= self.producer
        # whoever still looks there is caught
        self._store(self.consumer, b"\xee" * (position - self.consumer))
        self.consumer = position

    def put(self, record: bytes, flags: int = 0) -> int | None:
        """Appends a slot; its position, or None where there is no room."""
        self.attempts += 1
        length = (len(record) + HEADER + 7) // 8 * 8
        if self.producer + length - self.consumer > self.size:
            self.refused += 1
            return None
        at = self.producer
        self._store(at, (len(record) | flags).to_bytes(8, "little") + record)
        self.producer += length
        return at

    def busy(self, record: bytes) -> int | None:
        return self.put(record, BUSY)

    def discard(self, record: bytes) -> int | None:
        return self.put(record, DISCARD)

    def submit(self, position: int, length: int) -> None:
        """Ends what ``busy`` began."""
        self._store(position, length.to_bytes(4, "little"))

    def arm(self) -> None:
        self.armed = True

    def disarm(self) -> None:
        self.armed = False

    def fileno(self) -> int:
        return -1

    def _store(self, position: int, data: bytes) -> None:
        at = position % self.size
        head = self.size - at
        for part, start in ((data[:head], at), (data[head:], 0)):
            for copy in (start, start + self.size):
                self._memory[copy : copy + len(part)] = part


def objects(batches: Iterable[Batch]) -> list[Any]:
    """The events of some batches."""
    return [event for batch in batches for event in batch.rows()]


def note(seq: int, **fields: object) -> bytes:
    """The bytes of a Note."""
    return Note(seq=seq, **fields).to_bytes()


def other(seq: int, **fields: object) -> bytes:
    """The bytes of an Other."""
    return Other(seq=seq, **fields).to_bytes()
