"""Argument vectors and file names that did not fit in an Exec record: put together from their parts.

The parts of an exec (``texts``: up to 4 KB each, with the seq of the Exec) are submitted before the
Exec itself: whoever reads the Exec can read them. A part that was lost leaves its value cut. Pure.
"""

from collections.abc import Iterable
from typing import NamedTuple

from skep.base.frozen import frozen
from skep.node.jsontext import readable

FILENAME, ARGS = 0, 1
LARGEST = 256 * 1024
_WAITING = 1_024


class Part(NamedTuple):
    """A piece of a value (FILENAME or ARGS) of the Exec with ``seq``, at ``offset`` bytes into it."""

    seq: int
    value: int
    offset: int
    data: bytes


@frozen
class Text:
    """A whole value, or what is known of it: ``cut`` says that bytes lack at its end."""

    data: bytes
    cut: bool


def argv(data: bytes) -> list[str]:
    r"""The arguments in a vector, each ended by a NUL; a byte that is not UTF-8 reads ``\xNN``."""
    return [readable(word) for word in data.removesuffix(b"\0").split(b"\0")] if data else []


def whole(head: bytes, size: int, parts: Iterable[Part]) -> Text:
    """A value of ``size`` bytes, of which ``head`` came with the record and the rest in ``parts``.

    Parts count in any order; twice or overlapping does no harm. After a gap nothing is taken.
    """
    data = bytearray(head[:size])
    for part in sorted(parts, key=_offset):
        if part.offset > len(data):
            break
        data += part.data[len(data) - part.offset :]
    del data[size:]
    return Text(bytes(data), cut=len(data) < size)


def _offset(part: Part) -> int:
    return part.offset


class Texts:
    """Parts that wait for their Exec. Bounded: the parts of the oldest execs go first."""

    def __init__(self, execs: int = _WAITING) -> None:
        self._execs = execs
        self._parts: dict[int, list[Part]] = {}
        self._bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        """Bytes that wait."""
        return self._bytes

    def add(self, parts: Iterable[Part]) -> None:
        """Keep parts until ``take`` asks for those of their Exec."""
        for part in parts:
            self._parts.setdefault(part.seq, []).append(part)
            self._bytes += len(part.data)
        while len(self._parts) > self._execs or self._bytes > self._execs * 4 * 1024:
            self.dropped += len(self._pop(next(iter(self._parts))))

    def take(self, seq: int, value: int, head: bytes, size: int) -> Text:
        """``value`` of the Exec with ``seq``; its parts stay until ``done``."""
        parts = [part for part in self._parts.get(seq, ()) if part.value == value]
        return whole(head, min(size, LARGEST), parts)

    def done(self, seq: int) -> None:
        """The Exec with ``seq`` was handled; what came before it and was never asked for goes too."""
        for waiting in [known for known in self._parts if known <= seq]:
            self._pop(waiting)

    def _pop(self, seq: int) -> list[Part]:
        parts = self._parts.pop(seq, [])
        self._bytes -= sum(len(part.data) for part in parts)
        return parts
