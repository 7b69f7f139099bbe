"""Whether the drain goes on: one that hangs takes nothing, its rings fill, and nobody else would say so.

A value and a state. Who keeps the drain looks once a second, and decides.
"""

from collections.abc import Callable, Iterable

from skep.base.frozen import frozen

TOLD_SECONDS, KILLED_SECONDS = 10.0, 30.0
"""After these a drain that takes nothing of what waits is told of, and is replaced."""


@frozen
class RingCount:
    """How a ring stands: bytes that were taken and that came, records that programs tried to make and found no room."""

    consumed: int
    produced: int
    attempts: int
    refused: int


class Stall:
    """For how long a process has taken nothing. ``clock`` is in seconds.

    ``begun``: whether the process took something before. One that starts may take long on a busy machine, and another
    in its place would take no less.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._since = clock, clock()
        self._pid, self._taken = 0, [0]
        self.begun = False

    def look(self, pid: int, rings: Iterable[RingCount]) -> float:
        """Seconds since ``pid`` took something, or nothing waited for it."""
        now, counts = self._clock(), list(rings)
        taken, other = [one.consumed for one in counts], pid != self._pid
        moved = taken != self._taken
        self.begun = not other and (self.begun or moved)
        if other or moved or all(one.consumed == one.produced for one in counts):
            self._pid, self._taken, self._since = pid, taken, now
        return now - self._since
