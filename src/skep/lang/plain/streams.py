"""Fake streams: what a program gives out, as a reader would get it."""

from collections.abc import Callable
from typing import Any

from skep.lang.declared.streams import PerfBuffer, UserRing
from skep.lang.plain.memory import Reference, View, encoded, pointer
from skep.lang.plain.numbers import gives
from skep.lang.types import s64


class FakePerfBuffer:
    """``output`` as a program calls it; ``events`` is what a reader would get. It never is full."""

    def __init__(self, declared: PerfBuffer) -> None:
        self.declared = declared
        self.events: list[Any] = []

    @gives(s64)
    def output(self, data: View, size: int | None = None) -> int:
        """Copy bytes into the buffer; 0."""
        raw = encoded(data.cell.kind, data) if isinstance(data, Reference) else bytes(data)
        raw = raw if size is None else raw[: int(size)]
        sample = self.declared.carries
        padded = raw.ljust(-(-(len(raw) + 4) // 8) * 8 - 4, b"\0")
        self.events.append(padded if sample is None else sample.from_bytes(raw))
        return 0

    def poll(self) -> list[Any]:
        """What a reader takes."""
        taken, self.events = self.events, []
        return taken


class FakeUserRing:
    """``push`` as Python calls it, ``drain`` as a program does."""

    def __init__(self, declared: UserRing) -> None:
        self.declared = declared
        self._messages: list[bytes] = []

    def push(self, message: Any) -> None:
        """Put a message in."""
        self._messages.append(encoded(self.declared.carries, message))

    @gives(s64)
    def drain(self, function: Callable[..., Any], *memory: Any) -> int:
        """Call a function for each message, until it gives something true; how many."""
        taken = 0
        while self._messages:
            data = self._messages.pop(0)
            taken += 1
            message = pointer(self.declared.carries, memoryview(bytearray(data)))
            if function(message, *memory):
                break
        return taken

    def __len__(self) -> int:
        return len(self._messages)
