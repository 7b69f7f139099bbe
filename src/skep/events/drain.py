"""Draining a ring: from the kernel's pages to batches, one snapshot of the position at a time.

All records of a ring have one size, so that what lies between two positions is one strided array:
no header is walked. Rows are copied out, column by column, before the ring takes their space back.
Nothing here makes a system call; the pages are given (``RingMemory``), and whoever gives them
closes them after the last pass.

The producer's position is read before the headers, and a header before its record. That is enough
where loads are not reordered with loads (x86, in any order of ours); other machines need an acquire
load in the ``RingMemory``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from skep.base.lazy import lazy
from skep.base.memory import keep_freed
from skep.events.batch import Batch
from skep.events.columns import Plan
from skep.events.losses import RingAccount
from skep.events.record import RecordType

if TYPE_CHECKING:
    import numpy as np

    from skep.events.live import RingMemory
    from skep.lang.struct import StructType

    Rows = np.ndarray[Any, Any]
    Keep = Callable[[StructType, Rows], Rows]
else:
    np = lazy("numpy")

HEADER = 8
BUSY, DISCARD = 1 << 31, 1 << 30
"""Bits of the length in a slot's header: include/uapi/linux/bpf.h."""
CHUNK = 3 << 18
"""Bytes of a ring that make a batch at most: both stay in a CPU's cache, be its second level 512 KB or 2 MB."""
_KEPT = 3 << 20
_LINE, _RUNS, _FEW = 64, 8, 512


def slot_bytes(header: int) -> int:
    """Bytes from a slot's header to the next one."""
    return ((header & ~(BUSY | DISCARD)) + HEADER + 7) // 8 * 8


class Drain:
    """Reads the ``records`` of ``ring``: ``for batch in drain.batches(): ...`` is one pass.

    TypeError where its records have tails: such rows are no array.

    ``keep(record, rows)`` may say which rows survive: it gets a view of the ring (structured, the
    record's fields) and returns a mask; it must not hold the view. Counts are since the start:
    ``delivered``, ``discarded``, ``foreign`` (a slot of another size, or a kind that is none of
    ``records``), ``filtered`` (by ``keep``). ``chunk`` is the rows of a batch at most, by default
    as many as a CPU's cache holds.
    """

    def __init__(
        self,
        ring: RingMemory,
        records: Sequence[StructType],
        *,
        keep: Keep | None = None,
        chunk: int = 0,
    ) -> None:
        if ring.tails:
            raise TypeError(
                "the records of this ring have tails of bytes, and columns have one size: "
                "iterate over it (live[ring]), which gives each record with its tail"
            )
        self._ring, self._keep = ring, keep
        self._size = records[0].size
        self._stride = self._size + HEADER
        self._chunk = chunk or max(1, CHUNK // self._stride)
        self._lengths = self._size.to_bytes(4, "little") * self._chunk
        keep_freed(_KEPT)
        self._plans = {
            number: Plan(record, HEADER, self._stride)
            for number, record in _numbered(records).items()
        }
        self._row = next(iter(self._plans.values())).row
        self.delivered = self.discarded = self.foreign = self.filtered = 0

    def batches(self) -> Iterator[Batch]:
        """One pass: what was complete when it began, as batches of one class each, in chunks.

        Rows of two classes keep their order by ``seq``. Space is given back to the ring before a
        batch is handed on. A batch that was let go of before the next is asked for leaves its
        memory to it, while that is in the caches: a tenth of the time where batches are large.
        """
        position, end = self._ring.positions()
        while position < end:
            rows, kept = self._complete(position, end)
            if len(rows):
                batches = self._cut(rows, kept)
                position += len(rows) * self._stride
            else:
                header = self._header(position)
                if header & BUSY:
                    return
                if header & ~DISCARD == self._size and position + self._stride <= end:
                    continue  # it was finished since it was looked at
                batches = []
                self.foreign += 1
                position = min(position + slot_bytes(header), end)
            del rows
            self._ring.consume(position)
            while batches:
                yield batches.pop(0)

    def account(self, name: str, attempts: int, refused: int, misses: int = 0) -> RingAccount:
        """The ring's account, with the kernel's counts."""
        delivered = self.delivered + self.filtered
        return RingAccount(name, attempts, refused, misses, delivered, self.discarded, self.foreign)

    def _header(self, position: int) -> int:
        offset = position & (self._ring.size - 1)
        return int.from_bytes(self._ring.data[offset : offset + 4], "little")

    def _complete(self, position: int, end: int) -> tuple[Rows, Rows | None]:
        """A view of the slots from ``position`` on that are written and have the ring's size.

        With it the numbers of those that were not discarded, None where none was.
        """
        count = min((end - position) // self._stride, self._chunk)
        data, offset = self._ring.data, position & (self._ring.size - 1)
        if count > _FEW:
            _fetch(data, offset, count * self._stride)
        rows = np.ndarray((count,), self._row, data, offset)
        lengths = np.ndarray((count,), "<u4", data, offset, (self._stride,))
        if lengths.tobytes() == self._lengths[: 4 * count]:
            return rows, None
        lengths = lengths.copy()
        odd = (lengths & ~np.uint32(DISCARD)) != self._size
        count = int(odd.argmax()) if odd.any() else count
        return rows[:count], np.flatnonzero((lengths[:count] & np.uint32(DISCARD)) == 0)

    def _cut(self, rows: Rows, kept: Rows | None) -> list[Batch]:
        """Copies of ``rows``, split by class; of those that ``kept`` names, where it does."""
        if kept is not None:
            self.discarded += len(rows) - len(kept)
        if len(self._plans) == 1:
            (plan,) = self._plans.values()
            return self._batch(plan, rows, kept)
        if kept is None:
            kept = np.arange(len(rows))
        kinds = rows["kind"][kept]
        split = [(plan, kept[kinds == number]) for number, plan in self._plans.items()]
        self.foreign += len(kept) - sum(len(which) for _, which in split)
        return [
            batch for plan, which in split if len(which) for batch in self._batch(plan, rows, which)
        ]

    def _batch(self, plan: Plan, rows: Rows, which: Rows | None) -> list[Batch]:
        if self._keep is not None:
            which = self._surviving(self._keep, plan, rows, which)
        count = len(rows) if which is None else len(which)
        self.delivered += count
        return [Batch(plan.record, plan.cut(rows, which))] if count else []

    def _surviving(self, keep: Keep, plan: Plan, rows: Rows, which: Rows | None) -> Rows:
        view = rows.view(plan.row)
        mask = keep(plan.record, view if which is None else view[which])
        picked = np.flatnonzero(mask)
        self.filtered += len(mask) - len(picked)
        return picked if which is None else which[picked]


def _fetch(data: memoryview, offset: int, size: int) -> None:
    """Bring bytes into the caches: a run over their lines, in eight places at once.

    The CPU foresees such runs, as it does not foresee the strides of the columns. Each run has to be
    found anew in each page: of eight that take turns, the others go on meanwhile (a third less time
    than one run takes, with a producer on another CPU; the same with 6 and 12, more with 4 and 16).
    """
    lines = size // (_LINE * _RUNS)
    np.ndarray((lines, _RUNS), "u1", data, offset, (_LINE, lines * _LINE)).copy()


def _numbered(records: Sequence[StructType]) -> dict[int, StructType]:
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
