"""Cutting slots by numpy: all records of a ring have one size, so that slots are one strided array.

No header is walked: lengths are compared all at once, and each column is one copy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from skep.base.lazy import lazy
from skep.events.batch import Batch
from skep.events.columns import Plan
from skep.events.cutting import Piece
from skep.lang.scatter import DISCARD, HEADER, slot_bytes

if TYPE_CHECKING:
    import numpy as np

    from skep.events.cutting import Classes
    from skep.events.live import RingMemory
    from skep.lang.struct import StructType

    Rows = np.ndarray[Any, Any]
    Keep = Callable[[StructType, Rows], Rows]
else:
    np = lazy("numpy")

_LINE, _RUNS, _FEW = 64, 8, 512


class Strided:
    """Cuts ``ring`` in pieces of ``chunk`` slots at most; ``keep`` is as ``Drain`` has it."""

    def __init__(self, ring: RingMemory, classes: Classes, chunk: int, keep: Keep | None) -> None:
        self._ring, self._chunk, self._keep = ring, chunk, keep
        self._size = next(iter(classes.values())).size
        self._stride = slot_bytes(self._size)
        self._lengths = self._size.to_bytes(4, "little") * chunk
        self._plans = {
            number: Plan(record, HEADER, self._stride) for number, record in classes.items()
        }
        self._row = next(iter(self._plans.values())).row

    def cut(self, position: int, end: int) -> Piece:
        """See Cutter."""
        rows, kept = self._complete(position, end)
        if not len(rows):
            return Piece(0, [])
        slots = len(rows)
        discarded = 0 if kept is None else slots - len(kept)
        split, foreign = self._split(rows, kept)
        batches, filtered = [], 0
        for plan, which in split:
            picked = self._surviving(plan, rows, which)
            count = slots if picked is None else len(picked)
            filtered += (slots if which is None else len(which)) - count
            if count:
                batches.append(Batch(plan.record, plan.cut(rows, picked)))
        return Piece(slots, batches, discarded, foreign, filtered)

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

    def _split(self, rows: Rows, kept: Rows | None) -> tuple[list[tuple[Plan, Rows | None]], int]:
        """The rows of each class by number (None: all), and how many are of none."""
        if len(self._plans) == 1:
            return [(plan, kept) for plan in self._plans.values()], 0
        if kept is None:
            kept = np.arange(len(rows))
        kinds = rows["kind"][kept]
        split = [(plan, kept[kinds == number]) for number, plan in self._plans.items()]
        known = sum(len(which) for _, which in split)
        return [(plan, which) for plan, which in split if len(which)], len(kept) - known

    def _surviving(self, plan: Plan, rows: Rows, which: Rows | None) -> Rows | None:
        if self._keep is None:
            return which
        view = rows.view(plan.row)
        picked = np.flatnonzero(self._keep(plan.record, view if which is None else view[which]))
        return picked if which is None else which[picked]


def _fetch(data: memoryview, offset: int, size: int) -> None:
    """Bring bytes into the caches: a run over their lines, in eight places at once.

    The CPU foresees such runs, as it does not foresee the strides of the columns. Each run has to be
    found anew in each page: of eight that take turns, the others go on meanwhile (a third less time
    than one run takes, with a producer on another CPU; the same with 6 and 12, more with 4 and 16).
    """
    lines = size // (_LINE * _RUNS)
    np.ndarray((lines, _RUNS), "u1", data, offset, (_LINE, lines * _LINE)).copy()
