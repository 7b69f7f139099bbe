"""Recent events, kept for queries: the newest pulses, bounded by bytes, by number of events and by age.

A pulse is what the drain sent at once: batches of columns, and for each row who did it. The store
lives and dies with the agent and knows no client.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from skep.base.frozen import frozen
from skep.base.lazy import lazy
from skep.events.batch import Batch
from skep.events.record import RecordType
from skep.node.containers import Definition

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazy("numpy")

OVERHEAD = 4096
"""Bytes that a batch costs beside its columns: the arrays' heads and the dict that holds them."""
POINTER = 8


def kind_of(batch: Batch) -> str:
    """The name of the kind of a batch's events; TypeError where they are no events."""
    if not isinstance(batch.record, RecordType):
        raise TypeError(f"{batch.record!r} is not a Record")
    return batch.record.kind_name


@frozen
class Part:
    """Rows of one class. ``who`` has a definition for each, None where no process has to do with them."""

    batch: Batch
    who: tuple[Definition, ...] | None = None

    @property
    def kind(self) -> str:
        """The name of the kind of these events."""
        return kind_of(self.batch)

    @property
    def bytes(self) -> int:
        """Memory, about."""
        size = OVERHEAD + sum(column.nbytes for column in self.batch.columns.values())
        size += sum(len(text) for texts in self.batch.longer.values() for text in texts.values())
        return size + (POINTER * len(self.who) if self.who else 0)

    def cut(self, rows: int) -> "Iterator[Part]":
        """The same in parts of at most ``rows``."""
        for at in range(0, len(self.batch), rows):
            yield self.part(at, at + rows)

    def part(self, start: int, stop: int) -> "Part":
        """The rows from ``start`` to before ``stop``, as views of the same memory."""
        return Part(self.batch.part(start, stop), self.who and self.who[start:stop])

    def select(self, rows: "np.ndarray[Any, Any]") -> "Part":
        """The rows of those numbers, in their order."""
        who = self.who and tuple(map(self.who.__getitem__, rows.tolist()))
        return Part(self.batch.select(rows), who)

    def sorted(self) -> "Part":
        """The rows in the order of time; itself, where they are."""
        time = self.batch["time"]
        if (time[:-1] <= time[1:]).all():
            return self
        return self.select(np.argsort(time, kind="stable"))


@frozen
class Pulse:
    """What came at once. ``serial`` counts pulses from 0; ``newest`` is the newest event's boot time.

    ``offset`` is wall time minus boot time at its arrival. Times in ns. ``before`` counts the events of
    all pulses before it.
    """

    serial: int
    parts: tuple[Part, ...]
    offset: int
    newest: int
    rows: int
    bytes: int
    before: int = 0


def pulse(
    serial: int, parts: Sequence[Part], offset: int, named: int = 0, before: int = 0
) -> Pulse:
    """The pulse of ``parts``, none of them empty; ``named`` are bytes of definitions that came with it."""
    return Pulse(
        serial,
        tuple(parts),
        offset,
        newest=max(int(part.batch["time"].max()) for part in parts),
        rows=sum(len(part.batch) for part in parts),
        bytes=named + sum(part.bytes for part in parts),
        before=before,
    )


@frozen
class Bounds:
    """How much is kept: bytes, events, and age in ns."""

    bytes: int
    events: int
    age: int


class Store:
    """The newest pulses. ``gone`` counts events that were dropped for newer ones."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._pulses: deque[Pulse] = deque()
        self.bytes = self.events = self.next = self.gone = 0

    @property
    def total(self) -> int:
        """Events that ever came."""
        return self.gone + self.events

    @property
    def first(self) -> int:
        """The serial of the oldest pulse that is kept; of the next one, where none is."""
        return self._pulses[0].serial if self._pulses else self.next

    def add(self, new: Pulse) -> None:
        """Keep ``new``, whose serial is ``next``; drop what no longer fits."""
        self._pulses.append(new)
        self.next = new.serial + 1
        self.bytes += new.bytes
        self.events += new.rows
        bounds = self.bounds
        while self.bytes > bounds.bytes or self.events > bounds.events:
            self._drop()
        self.expire(new.newest)

    def expire(self, now: int) -> None:
        """Drop what is older than the bound, at boot time ``now``."""
        while self._pulses and self._pulses[0].newest < now - self.bounds.age:
            self._drop()

    def get(self, serial: int) -> Pulse | None:
        """The pulse of that serial, None where it has gone or has not come."""
        index = serial - self.first
        return self._pulses[index] if 0 <= index < len(self._pulses) else None

    def newest_first(self) -> Iterator[Pulse]:
        """From the newest pulse back."""
        return reversed(self._pulses)

    def _drop(self) -> None:
        old = self._pulses.popleft()
        self.bytes -= old.bytes
        self.events -= old.rows
        self.gone += old.rows
