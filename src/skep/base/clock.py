"""Time: events carry boot time; people read wall time, and its offset may step while we run.

``CLOCK_BOOTTIME`` is the kernel's ``ktime_get_boot_ns``: it never steps and counts sleep. The
offset to the wall clock is sampled; an event keeps the offset that was in force when it happened.
This is the only module that asks the time.
"""

import time
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache

from skep.base.frozen import frozen

SECOND = 1_000_000_000
_STEP = 1_000_000
_SAMPLES = 5
_HISTORY = 64


def boot_ns() -> int:
    """Nanoseconds since boot, sleep included: the clock of the events."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def wall_offset_ns() -> int:
    """CLOCK_REALTIME - CLOCK_BOOTTIME in ns: the tightest of a few samples, good to about 1 us."""
    tightest, offset = None, 0
    for _ in range(_SAMPLES):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        wall = time.clock_gettime_ns(time.CLOCK_REALTIME)
        width = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - before
        if tightest is None or width < tightest:
            tightest, offset = width, wall - before - width // 2
    return offset


@frozen
class Step:
    """The wall clock was set: seen at boot time ``at``, forward ``by`` ns (negative: back)."""

    at: int
    by: int


class Clock:
    """Turns boot time into wall time. ``resample`` is called now and then (each second is enough).

    An event keeps the offset of its own time: printed before a step, it reads the same after.
    """

    def __init__(
        self,
        sample: Callable[[], int] = wall_offset_ns,
        now: Callable[[], int] = boot_ns,
    ) -> None:
        self._sample, self._now = sample, now
        self._since = [0]
        self._offsets = [sample()]

    @property
    def offset(self) -> int:
        """The offset in force, ns."""
        return self._offsets[-1]

    def resample(self) -> Step | None:
        """Sample again; a change of 1 ms or more is a step. Smaller ones are noise of sampling."""
        offset, at = self._sample(), self._now()
        by = offset - self._offsets[-1]
        if abs(by) < _STEP:
            return None
        self._since.append(at)
        self._offsets.append(offset)
        del self._since[:-_HISTORY], self._offsets[:-_HISTORY]
        return Step(at, by)

    def to_wall(self, boot: int) -> int:
        """Nanoseconds since 1970 for a boot time in ns."""
        if boot >= self._since[-1]:
            return boot + self._offsets[-1]
        return boot + self._offsets[max(0, bisect_right(self._since, boot) - 1)]


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def rfc3339(ns: int) -> str:
    """``1969-12-31T23:59:59.999999999Z`` of nanoseconds since 1970 (wall time)."""
    seconds, fraction = divmod(ns, SECOND)
    return f"{_second(seconds)}.{fraction:09d}Z"
