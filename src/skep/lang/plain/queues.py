"""Fake maps without keys: queues, stacks and bloom filters. Values are bytes inside, as in FakeMap."""

import errno
from collections.abc import Iterator
from typing import Any

from skep.lang.declared.queues import Bloom, Queue
from skep.lang.plain.memory import View, encoded, pointer
from skep.lang.plain.numbers import gives
from skep.lang.spec import MapType
from skep.lang.struct import unpack
from skep.lang.types import s32

DROP_OLDEST = 2


class FakeQueue:
    """A queue or stack: ``push``, ``pop`` and ``peek`` as a program calls them; iterating shows what is in it."""

    def __init__(self, declared: Queue) -> None:
        self.declared = declared
        self._values: list[bytes] = []

    @gives(s32)
    def push(self, value: Any, flags: int = 0) -> int:
        """Put a value in; 0, or a negative error number."""
        if len(self._values) >= self.declared.entries:
            if flags != DROP_OLDEST:
                return -errno.E2BIG
            self._values.pop(0)
        self._values.append(encoded(self.declared.value, value))
        return 0

    def pop(self) -> View | None:
        """A copy of the next value, which is taken out, or None."""
        return self._view(self._values.pop(self._next)) if self._values else None

    def peek(self) -> View | None:
        """A copy of the next value, or None."""
        return self._view(self._values[self._next]) if self._values else None

    @property
    def _next(self) -> int:
        return 0 if self.declared.type is MapType.QUEUE else -1

    def _view(self, data: bytes) -> View:
        return pointer(self.declared.value, memoryview(bytearray(data)))

    def __iter__(self) -> Iterator[Any]:
        """The values in the order in which they come out; they stay."""
        step = 1 if self.declared.type is MapType.QUEUE else -1
        return (unpack(self.declared.value, data) for data in self._values[::step])

    def __len__(self) -> int:
        return len(self._values)


class FakeBloom:
    """A bloom filter that finds exactly what was added: a program cannot count on more."""

    def __init__(self, declared: Bloom) -> None:
        self.declared = declared
        self._added: set[bytes] = set()

    @gives(s32)
    def add(self, value: Any) -> int:
        """Add a value; 0."""
        self._added.add(encoded(self.declared.value, value))
        return 0

    def __contains__(self, value: Any) -> bool:
        return encoded(self.declared.value, value) in self._added
