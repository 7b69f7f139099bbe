"""Cutting slots by a function in the machine's own code: ``skep.lang.scatter`` says what it is called with.

The columns of a class lie in one block, made for each piece. It has room for 64 rows, or for a chunk halved some
times; what is the same for all pieces of one room is prepared once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from skep.base.lazy import lazy
from skep.events.batch import Batch
from skep.events.columns import element
from skep.events.cutting import Piece
from skep.kernel.bpf import address
from skep.lang import native, scatter
from skep.lang.layout import align
from skep.lang.scatter import BLOCK, DATA, END, FOREIGN, LIMIT, OFFSETS, POSITION, ROWS, SIZE
from skep.lang.types import ArrayType, char

if TYPE_CHECKING:
    import numpy as np

    from skep.events.columns import Kind
    from skep.events.cutting import Classes
    from skep.events.live import RingMemory
    from skep.lang.struct import StructType

    Column = np.ndarray[Any, Any]
else:
    np = lazy("numpy")

_FEWEST = 64
_LINE = 64
_SPARE = 256 << 10
"""Bytes of a block that may be left over: where they are more, and most of it, its columns are copied and it goes."""


class Function(Protocol):
    """The function, mapped: ``skep.kernel.native`` has the real one."""

    @property
    def signature(self) -> bytes:
        """Of the text that it was made of."""
        ...

    def __call__(self, address: int) -> int:
        """Calls it with the address of a call; the number of slots that it passed."""
        ...


class Native:
    """Cuts ``ring`` in pieces of ``chunk`` slots at most. ValueError where ``function`` is of other classes.

    It keeps the ring's pages mapped as long as it lives.
    """

    def __init__(self, ring: RingMemory, classes: Classes, chunk: int, function: Function) -> None:
        self._pages = np.frombuffer(ring.data, "u1")
        if len(self._pages) < 2 * ring.size:
            raise ValueError(f"a ring of {ring.size} bytes is to be mapped twice")
        text = scatter.text(classes)
        if function.signature != native.signature(text, native.processor()):
            raise ValueError(
                "the function was made for records of other layouts: "
                "live.drain(ring) has the one that is right"
            )
        self._classes, self._chunk, self._function = classes, chunk, function
        self._size = ring.size
        self._stride = scatter.slot_bytes(next(iter(classes.values())).size)
        self._rooms: dict[int, _Room] = {}

    def cut(self, position: int, end: int) -> Piece:
        """See Cutter."""
        room = self._room(min((end - position) // self._stride, self._chunk))
        words = room.words
        words[POSITION], words[END], words[FOREIGN] = position, end, 0
        blocks = [np.empty(one.size, "u1") for one in room.classes]
        for one, block in zip(room.classes, blocks, strict=True):
            words[one.first + BLOCK] = address(block.data)
        slots = self._function(room.address)
        batches, known = [], 0
        for one, block in zip(room.classes, blocks, strict=True):
            rows = words[one.first + ROWS]
            if rows:
                batches.append(Batch(one.record, one.columns(block, rows)))
                known += rows
        foreign = words[FOREIGN]
        return Piece(slots, batches, slots - known - foreign, foreign)

    def _room(self, slots: int) -> _Room:
        rows = self._chunk
        while rows >= 2 * max(slots, _FEWEST):
            rows = (rows + 1) // 2
        if rows not in self._rooms:
            self._rooms[rows] = _Room(self._classes, self._pages, self._size, rows)
        return self._rooms[rows]


class _Room:
    """A call whose blocks have ``rows`` rows each: ``words``, and the address of the first one."""

    def __init__(self, classes: Classes, pages: Column, size: int, rows: int) -> None:
        *firsts, count = scatter.places(classes)
        array = np.zeros(count, "u8")
        self.words, self.address = array.data, int(array.ctypes.data)
        self.words[DATA], self.words[SIZE], self.words[LIMIT] = pages.ctypes.data, size, rows
        self.classes = [
            _Class(record, rows, first)
            for record, first in zip(classes.values(), firsts, strict=True)
        ]
        for one in self.classes:
            for index, offset in enumerate(one.offsets, one.first + OFFSETS):
                self.words[index] = offset


class _Class:
    """The block of a class: its dtype, its columns one behind the other."""

    def __init__(self, record: StructType, rows: int, first: int) -> None:
        self.record, self.first, self._rows = record, first, rows
        self._sparse = min(rows // 4, rows - _SPARE // record.size)
        self._names = tuple(f.name for f in record.fields)
        self.offsets: list[int] = []
        at = 0
        for field in record.fields:
            # Columns that begin in one set of a cache would displace each other.
            at = align(at, _LINE) + _LINE
            self.offsets.append(at)
            at += field.type.size * rows
        self.size = align(at, _LINE)
        self._block = np.dtype(
            {
                "names": self._names,
                "formats": [_format(f.type, rows) for f in record.fields],
                "offsets": self.offsets,
                "itemsize": self.size,
            }
        )

    def columns(self, memory: Column, rows: int) -> dict[str, Column]:
        """The first ``rows`` rows of each column of a block."""
        block = np.ndarray((), self._block, memory)
        if rows == self._rows:
            return {name: block[name] for name in self._names}
        if rows < self._sparse:
            return {name: _copied(block[name][:rows]) for name in self._names}
        return {name: block[name][:rows] for name in self._names}


def _copied(column: Column) -> Column:
    """A copy of all bytes: of Structs, numpy's own leaves out what lies between their members."""
    made = np.empty(column.shape, column.dtype)
    made.view("u1")[:] = column.view("u1")
    return made


def _format(kind: Kind, rows: int) -> tuple[np.dtype[Any], tuple[int, ...]]:
    inner = (kind.count,) if isinstance(kind, ArrayType) and kind.element is not char else ()
    return element(kind), (rows, *inner)
