"""Whether the drain goes on: one that hangs takes nothing, its rings fill, and nobody else would say so.

A value and a state. Who keeps the drain looks once a second, and decides.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

TOLD_SECONDS, KILLED_SECONDS = 10.0, 30.0
"""After these a drain that takes nothing of what waits is told of, and is replaced."""


@dataclass(frozen=True, slots=True)
class RingCount:
    """How a ring stands: bytes that were taken and that came, records that programs tried to make and found no room."""

    consumed: int
    produced: int
    attempts: int
    refused: int


class Stall:
    """For how long a process has taken nothing. ``clock`` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._since = clock, clock()
        self._seen: tuple[int, ...] = ()

    def look(self, pid: int, rings: Iterable[RingCount]) -> float:
        """Seconds since ``pid`` took something, or nothing waited for it."""
        now, counts = self._clock(), list(rings)
        seen = (pid, *(one.consumed for one in counts))
        if seen != self._seen or all(one.consumed == one.produced for one in counts):
            self._seen, self._since = seen, now
        return now - self._since
