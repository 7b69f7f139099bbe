"""Cutting a window of a ring into batches: what a drain asks for, and what it gets.

Two ways do it, and give the same: ``strided`` by numpy, ``native`` by a function in the machine's own code.
"""

from collections.abc import Mapping
from typing import Protocol

from skep.base.frozen import frozen
from skep.events.batch import Batch
from skep.lang.struct import StructType

Classes = Mapping[int, StructType]
"""The classes of a ring by kind number; of one that is alone, which no kind tells, 0."""


@frozen
class Piece:
    """The first slots of a window: ``slots`` of the ring's size, none of them busy, and what became of them.

    ``batches`` has the copies of their rows, at most one for each class. The others were ``discarded`` by the program,
    are of an unknown kind (``foreign``), or were ``filtered``.
    """

    slots: int
    batches: list[Batch]
    discarded: int = 0
    foreign: int = 0
    filtered: int = 0


class Cutter(Protocol):
    """A way to cut."""

    def cut(self, position: int, end: int) -> Piece:
        """What is written between two positions of the ring, up to the first slot that is not or has another size.

        A piece of a chunk at most; nothing of it refers to the ring.
        """
        ...
