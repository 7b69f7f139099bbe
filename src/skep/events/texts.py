"""Values too long for a record (paths, argument vectors), put together from pieces of a ring.

A program reserves its record, which takes a sequence number, sends the pieces that carry that
number, and submits the record last. So whoever drains the record's ring first and the texts' ring
next has all pieces that will ever come; a number of later batches is granted to those who drain
otherwise. Memory is bounded, and what is given up is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skep.base.frozen import frozen
from skep.events import kinds
from skep.events.losses import LossCounter
from skep.events.record import Record
from skep.lang.scatter import BUSY, DISCARD, HEADER, slot_bytes
from skep.lang.types import u8, u32, u64

if TYPE_CHECKING:
    from skep.events.live import RingMemory

PIECE = 4096
_COST = 256
"""Bytes that a value is held to cost before any piece has come."""


class Text(Record, kind=kinds.TEXT):
    """A piece of a long value; only ``used`` bytes of ``text`` are sent, so sizes differ.

    of: sequence number of the record whose value goes on here
    part: which of its values: a number with a meaning of the record's class
    offset: of this piece in the value [bytes]
    whole: size of the value, as far as it is sent [bytes]
    used: size of this piece [bytes]
    text: its bytes
    """

    of: u64
    part: u32
    offset: u32
    whole: u32
    used: u32
    text: u8[PIECE]


TEXT_HEADER = Text.size - PIECE


@frozen
class Piece:
    """One piece, copied out of the ring."""

    of: int
    part: int
    offset: int
    whole: int
    data: bytes


def pieces(ring: RingMemory) -> Iterator[Piece]:
    """One pass over a ring of Text records, one by one, for they are rare."""
    position, end = ring.positions()
    while position < end:
        offset = position & (ring.size - 1)
        header = int.from_bytes(ring.data[offset : offset + 4], "little")
        if header & BUSY:
            return
        length = header & ~DISCARD
        raw = bytes(ring.data[offset + HEADER : offset + HEADER + length])
        position = min(position + slot_bytes(header), end)
        ring.consume(position)
        if not header & DISCARD and length >= TEXT_HEADER:
            yield _piece(raw)


def _piece(raw: bytes) -> Piece:
    text = Text.from_bytes(raw[:TEXT_HEADER].ljust(Text.size, b"\0"))
    return Piece(
        text.of, text.part, text.offset, text.whole, raw[TEXT_HEADER : TEXT_HEADER + text.used]
    )


@frozen
class Whole:
    """A value as far as it came; where it is ``cut``, ``data`` ends before the first gap."""

    of: int
    part: int
    data: bytes
    cut: bool


@dataclass(slots=True)
class _Open:
    """A value that is being put together."""

    whole: int
    parts: dict[int, bytes] = field(default_factory=dict)
    held: int = 0
    age: int = 0
    wanted: bool = False


class Assembler:
    """Puts pieces together, in whatever order they come, before or after their record is known.

    ``want`` names a value that a record announced, ``add`` takes a piece, ``finish`` ends a batch
    and gives what is whole. A value that is not whole after ``patience`` further batches is given
    cut; pieces that nobody wanted by then are dropped. At most ``limit`` bytes are held: beyond,
    the oldest value is given up. ``lost`` counts those values.
    """

    def __init__(self, limit: int = 4 << 20, patience: int = 2) -> None:
        self._limit, self._patience = limit, patience
        self._open: dict[tuple[int, int], _Open] = {}
        self._done: list[Whole] = []
        self.held = self.whole = self.lost = 0

    def want(self, of: int, part: int, head: bytes, whole: int) -> None:
        """Record ``of`` announced a value of ``whole`` bytes, and holds ``head`` of it itself."""
        value = self._value(of, part, whole)
        value.wanted = True
        self._put(value, 0, head)
        self._look(of, part, value)

    def add(self, piece: Piece) -> None:
        """A piece arrived."""
        value = self._value(piece.of, piece.part, piece.whole)
        self._put(value, piece.offset, piece.data)
        self._look(piece.of, piece.part, value)

    def finish(self) -> list[Whole]:
        """A batch ended: the values that became whole since the last call or are given up."""
        for (of, part), value in list(self._open.items()):
            value.age += 1
            if value.age > self._patience:
                self._give_up(of, part)
        done, self._done = self._done, []
        return done

    def losses(self) -> LossCounter:
        """The account of the values."""
        return LossCounter("texts", self.whole, self.lost)

    def _value(self, of: int, part: int, whole: int) -> _Open:
        value = self._open.get((of, part))
        if value is None:
            value = self._open[of, part] = _Open(whole)
            self.held += _COST
        return value

    def _put(self, value: _Open, offset: int, data: bytes) -> None:
        before = len(value.parts.get(offset, b""))
        if len(data) > before:
            value.parts[offset] = data
            value.held += len(data) - before
            self.held += len(data) - before

    def _look(self, of: int, part: int, value: _Open) -> None:
        """Finishes a value that is whole; makes room where too much is held."""
        if value.wanted and value.held >= value.whole:
            data = _joined(value.parts)
            if len(data) >= value.whole:
                self._close(of, part)
                self.whole += 1
                self._done.append(Whole(of, part, data[: value.whole], cut=False))
        while self.held > self._limit:
            self._give_up(*next(iter(self._open)))

    def _give_up(self, of: int, part: int) -> None:
        value = self._close(of, part)
        self.lost += 1
        if value.wanted:
            self._done.append(Whole(of, part, _joined(value.parts)[: value.whole], cut=True))

    def _close(self, of: int, part: int) -> _Open:
        value = self._open.pop((of, part))
        self.held -= value.held + _COST
        return value


def _joined(parts: dict[int, bytes]) -> bytes:
    """The parts up to the first gap; parts may overlap."""
    data = bytearray()
    for offset in sorted(parts):
        if offset > len(data):
            break
        data += parts[offset][len(data) - offset :]
    return bytes(data)
