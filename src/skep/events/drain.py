"""Draining a ring: from the kernel's pages to batches, one snapshot of the position at a time.

All records of a ring have one size. Rows are copied out, column by column, before the ring takes
their space back: by a function in the machine's own code where there is one, else by numpy.
Nothing here makes a system call; the pages are given (``RingMemory``), and whoever gives them
closes them after the last pass.

The producer's position is read before the headers, and a header before its record. The function
sees to that on any machine; numpy does where loads are not reordered with loads (x86).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from skep.base.memory import keep_freed
from skep.events.losses import RingAccount
from skep.events.native import Native
from skep.events.record import RecordType
from skep.events.strided import Strided
from skep.lang.scatter import BUSY, DISCARD, slot_bytes

if TYPE_CHECKING:
    from skep.events.batch import Batch
    from skep.events.cutting import Cutter
    from skep.events.live import RingMemory
    from skep.events.native import Function
    from skep.events.strided import Keep
    from skep.lang.struct import StructType

CHUNK = 3 << 18
"""Bytes of a ring that make a batch at most: both stay in a CPU's cache, be its second level 512 KB or 2 MB."""
NATIVE_CHUNK = 3 << 19
"""The same where a function makes it, which leaves the ring's own bytes out of that cache."""
_KEPT = 3 << 20


class Drain:
    """Reads the ``records`` of ``ring``: ``for batch in drain.batches(): ...`` is one pass.

    TypeError where its records have tails: such rows are no array.

    ``native`` is the function that makes their columns (``skep.program.scattering``); without it, and
    with ``keep``, numpy does, and the attribute is False. ``keep(record, rows)`` may say which rows
    survive: it gets a view of the ring (structured, the record's fields) and returns a mask; it must
    not hold the view. Counts are since the start: ``delivered``, ``discarded``, ``foreign`` (a slot
    of another size, or a kind that is none of ``records``), ``filtered`` (by ``keep``). ``chunk`` is
    the rows of a batch at most, by default as many as a CPU's cache holds.
    """

    def __init__(
        self,
        ring: RingMemory,
        records: Sequence[StructType],
        *,
        keep: Keep | None = None,
        chunk: int = 0,
        native: Function | None = None,
    ) -> None:
        if ring.tails:
            raise TypeError(
                "the records of this ring have tails of bytes, and columns have one size: "
                "iterate over it (live[ring]), which gives each record with its tail"
            )
        self._ring = ring
        classes = numbered(records)
        self._size = records[0].size
        self._stride = slot_bytes(self._size)
        keep_freed(_KEPT)
        self.native = native is not None and keep is None
        self._cutter: Cutter
        if native is None or keep is not None:
            self._cutter = Strided(ring, classes, chunk or max(1, CHUNK // self._stride), keep)
        else:
            rows = chunk or max(1, NATIVE_CHUNK // self._stride)
            self._cutter = Native(ring, classes, rows, native)
        self.delivered = self.discarded = self.foreign = self.filtered = 0

    def batches(self) -> Iterator[Batch]:
        """One pass: what was complete when it began, as batches of one class each, in chunks.

        Rows of two classes keep their order by ``seq``. Space is given back to the ring before a
        batch is handed on. A batch that was let go of before the next is asked for leaves its
        memory to it, while that is in the caches: a tenth of the time where batches are large.
        """
        position, end = self._ring.positions()
        while position < end:
            piece = self._cutter.cut(position, end)
            if piece.slots:
                position += piece.slots * self._stride
                self.delivered += sum(map(len, piece.batches))
                self.discarded += piece.discarded
                self.foreign += piece.foreign
                self.filtered += piece.filtered
            else:
                header = self._header(position)
                if header & BUSY:
                    return
                if header & ~DISCARD == self._size and position + self._stride <= end:
                    continue  # it was finished since it was looked at
                self.foreign += 1
                position = min(position + slot_bytes(header), end)
            self._ring.consume(position)
            while piece.batches:
                yield piece.batches.pop(0)

    def account(self, name: str, attempts: int, refused: int, misses: int = 0) -> RingAccount:
        """The ring's account, with the kernel's counts."""
        delivered = self.delivered + self.filtered
        return RingAccount(name, attempts, refused, misses, delivered, self.discarded, self.foreign)

    def _header(self, position: int) -> int:
        offset = position & (self._ring.size - 1)
        return int.from_bytes(self._ring.data[offset : offset + 4], "little")


def numbered(records: Sequence[StructType]) -> dict[int, StructType]:
    """The classes by the kind that tells their rows; one that is alone in its ring needs none."""
    if len(records) == 1:
        return {0: records[0]}
    known: dict[int, StructType] = {}
    for record in records:
        if not isinstance(record, RecordType):
            raise TypeError(f"{record!r} shares a ring: only a Record says which class a row is of")
        twin = known.setdefault(record.kind_number, record)
        if twin is not record:
            raise ValueError(
                f"{twin!r} and {record!r} have one kind number; give one another kind="
            )
        if record.size != records[0].size:
            raise ValueError(
                f"{records[0]!r} and {record!r} share a ring and differ in size: "
                f"{records[0].size} and {record.size} bytes; give the smaller one size="
            )
    return known
