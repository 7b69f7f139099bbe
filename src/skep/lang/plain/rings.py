"""Fake rings: records are reserved and handed over as in the kernel, and a test finds what a reader would get."""

import errno
from collections.abc import Callable
from typing import Any

from skep.lang.maps import Ring
from skep.lang.plain.memory import Reference, StructView, View, encoded, type_of
from skep.lang.plain.numbers import gives
from skep.lang.struct import StructType
from skep.lang.types import s64

LEFT = b"\xee"
SLOT_HEADER = 8


class RecordView(StructView):
    """A reserved record. What is done with it after ``submit`` or ``discard`` is an error."""

    def __init__(self, kind: StructType, ring: "FakeRing") -> None:
        super().__init__(kind, memoryview(bytearray(kind.size)))
        object.__setattr__(self, "_ring", ring)

    @property
    def struct(self) -> StructType:
        """Its class."""
        return self._kind  # type: ignore[no-any-return]

    def submit(self) -> None:
        """Hand the record over."""
        self._ring.finish(self, bytes(self))

    def discard(self) -> None:
        """Give the room back."""
        self._ring.finish(self, None)


class LongRecordView(RecordView):
    """A reserved record with a tail, which holds what was there before: here bytes that a reader would notice."""

    def __init__(self, kind: StructType, ring: "FakeRing", size: int) -> None:
        super().__init__(kind, ring)
        object.__setattr__(self, "_tail", bytearray(LEFT * size))

    @property
    def tail(self) -> bytes:
        """What is behind the record."""
        return bytes(self._tail)

    @gives(s64)
    def write(self, offset: int, data: View, size: int | None = None) -> int:
        """Copy bytes into the tail; 0, or a negative error number."""
        self._ring.refuse_ended(self)
        raw = encoded(data.cell.kind, data) if isinstance(data, Reference) else bytes(data)
        raw = raw if size is None else raw[: int(size)]
        if int(offset) + len(raw) > len(self._tail):
            return -errno.E2BIG
        self._tail[int(offset) : int(offset) + len(raw)] = raw
        return 0


class FakeRing:
    """A ring: ``reserve`` and ``output`` as a program calls them; ``events`` is what a reader would get.

    ``lost`` and ``attempts`` count as the kernel does: a ring that holds ``size`` bytes refuses.
    """

    def __init__(self, declared: Ring, state: Any, stamps: dict[str, Callable[[], int]]) -> None:
        self.declared, self._state, self._stamps = declared, state, stamps
        self.events: list[Any] = []
        self.held: list[RecordView] = []
        self.used = 0

    @property
    def attempts(self) -> int:
        """Records that programs tried to reserve."""
        return int(self._state.seq)

    @property
    def lost(self) -> int:
        """Records that found no room."""
        return int(self._state.lost)

    def reserve(self, record: Any = None) -> RecordView | None:
        """A record with its header stamped, or None where the ring is full; with a tail of ``record`` bytes."""
        if self.declared.tails:
            return self._longer(int(record) & (1 << 64) - 1)
        kind = type_of(record) or self.declared.records[0]
        number = self._attempt(kind.size)
        return None if number is None else self._stamped(RecordView(kind, self), number)

    def _longer(self, tail: int) -> RecordView | None:
        kind = self.declared.records[0]
        number = self._attempt(kind.size + tail)
        return None if number is None else self._stamped(LongRecordView(kind, self, tail), number)

    def _stamped(self, view: RecordView, number: int) -> RecordView:
        kind = view.struct
        for name, stamp in getattr(kind, "stamps", {}).items():
            known = {"sequence": number} | {k: v() for k, v in self._stamps.items()}
            setattr(view, name, known[stamp] if isinstance(stamp, str) else stamp)
        self.held.append(view)
        return view

    def poll(self) -> list[Any]:
        """What a reader takes: the events so far, whose room is free then."""
        taken, self.events, self.used = self.events, [], 0
        return taken

    @gives(s64)
    def output(self, data: View, size: int | None = None) -> int:
        """Copy bytes into the ring; 0, or a negative error number."""
        raw = encoded(data.cell.kind, data) if isinstance(data, Reference) else bytes(data)
        raw = raw if size is None else raw[: int(size)]
        if self._attempt(len(raw)) is None:
            return -errno.EAGAIN
        self.events.append(raw)
        return 0

    def _attempt(self, size: int) -> int | None:
        number = int(self._state.seq)
        self._state.seq += 1
        room = -(-(size + SLOT_HEADER) // 8) * 8
        if self.used + room > self.declared.entries:
            self._state.lost += 1
            return None
        self.used += room
        return number

    def refuse_ended(self, record: RecordView) -> None:
        """Refuse a record that is held no more."""
        if not any(record is other for other in self.held):
            raise RuntimeError(f"this {record.struct.__name__} was submitted or discarded before")

    def finish(self, record: RecordView, data: bytes | None) -> None:
        """End a record that is held."""
        self.refuse_ended(record)
        self.held = [other for other in self.held if other is not record]
        if data is not None:
            event = record.struct.from_bytes(data)
            long = isinstance(record, LongRecordView)
            self.events.append((event, record.tail) if long else event)
