"""Declarations of maps without keys: queues, stacks, and bloom filters."""

from typing import Any, Unpack

from skep.lang.maps import Declaration, Options, compiled
from skep.lang.spec import MapType

MOST_HASHES = 15


class Queue(Declaration):
    """``Queue(value, entries)``: first in, first out. Linux 4.20."""

    type = MapType.QUEUE

    def __init__(self, value: Any, entries: int, **options: Unpack[Options]) -> None:
        super().__init__(None, value, entries, **options)

    def push(self, value: Any, flags: int = 0) -> int:
        """Put a value in; 0, or a negative errno where it is full. ``flags`` 2: the oldest makes room."""
        raise compiled("push")

    def pop(self) -> Any:
        """A copy of the next value, which is taken out, or None."""
        raise compiled("pop")

    def peek(self) -> Any:
        """A copy of the next value, or None."""
        raise compiled("peek")


class Stack(Queue):
    """``Stack(value, entries)``: last in, first out. Linux 4.20."""

    type = MapType.STACK


class Bloom(Declaration):
    """``Bloom(value, entries, hashes=5)``: what was added is found; of the rest, some is found too. Linux 5.16.

    Nothing can be taken out. ``entries`` is how many values it is made for: with 5 hashes about one of 30 others is
    found then, with more values more.
    """

    type = MapType.BLOOM_FILTER

    def __init__(
        self, value: Any, entries: int, *, hashes: int = 5, **options: Unpack[Options]
    ) -> None:
        if not 1 <= hashes <= MOST_HASHES:
            raise ValueError(f"a bloom filter takes 1 to {MOST_HASHES} hashes, not {hashes}")
        super().__init__(None, value, entries, **options)
        self.extra = hashes

    def add(self, value: Any) -> int:
        """Add a value; 0, or a negative errno."""
        raise compiled("add")

    def __contains__(self, value: Any) -> bool:
        raise compiled("in")
