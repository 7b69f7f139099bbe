"""When the drain reads its rings, and what it does each second: the loop of the drain process.

All rings are read in one turn, since they refer to each other. While there is something to read it
turns at a steady interval; then it arms the doorbells and sleeps until one rings. It ends when the
lifeline does, after a last turn.
"""

import select
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol, Self

from skep.events.pace import MS, Pace, Rhythm

RHYTHM = Rhythm(
    shortest=5 * MS,
    usual=20 * MS,
    longest=1000 * MS,
    growth=50,
    delay=20 * MS,
    plenty=40,
    busy=160 * MS,
)
"""Latency is for people; each turn costs about 0.3 ms in two processes, however little it finds.

Beyond 2,000 records a second nobody reads them as they come: there the turns are fewer and larger.
"""
SECOND = 1000 * MS


class Bell(Protocol):
    """A ring, as far as it wakes and is full: `kernel.rings.RingReader`."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def positions(self) -> tuple[int, int]:
        """Consumed and produced, bytes."""
        ...

    def fileno(self) -> int:
        """Readable when it rang."""
        ...

    def arm(self) -> None:
        """Ring at the next record."""

    def disarm(self) -> None:
        """Ring no more."""


class Wake(Enum):
    """What ended a sleep."""

    TIME = "the time is over"
    BELL = "a bell rang"
    END = "the lifeline ended"


class Waits(Protocol):
    """Sleeps until a bell rings or the lifeline ends: `Sleeper`."""

    def wait(self, nanos: int) -> Wake:
        """Sleep ``nanos`` at most."""


class Sleeper:
    """Sleeps on the descriptors of some bells and of a lifeline. A context manager."""

    def __init__(self, bells: Sequence[Bell], lifeline: int) -> None:
        self._lifeline = lifeline
        self._poll = select.epoll()
        self._poll.register(lifeline, select.EPOLLIN | select.EPOLLHUP)
        for bell in bells:
            self._poll.register(bell.fileno(), select.EPOLLIN | select.EPOLLET)

    def wait(self, nanos: int) -> Wake:
        """Sleep ``nanos`` at most."""
        ready = [fd for fd, _ in self._poll.poll(nanos / SECOND)]
        if self._lifeline in ready:
            return Wake.END
        return Wake.BELL if ready else Wake.TIME

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._poll.close()


def run(
    bells: Sequence[Bell],
    sleeper: Waits,
    now: Callable[[], int],
    turn: Callable[[], int],
    each_second: Callable[[], None],
) -> None:
    """Call ``turn`` (which gives how many records it found) as the rings ask, until the lifeline ends."""
    pace, second = Pace(RHYTHM, now()), now()
    going = True
    while going:
        full = max((_fill(bell) for bell in bells), default=0.0)
        pace.passed(now(), turn(), full)
        if now() >= second:
            each_second()
            second = now() + SECOND
        going = _sleep(bells, sleeper, pace, now)
    turn()
    each_second()


def _sleep(bells: Sequence[Bell], sleeper: Waits, pace: Pace, now: Callable[[], int]) -> bool:
    """Sleep until the next turn is due; False where the lifeline ended."""
    if pace.armed:
        for bell in bells:
            bell.arm()
        if any(_fill(bell) for bell in bells):
            pace.rung(now())
    wake = sleeper.wait(0)
    while wake is not Wake.END and (left := pace.deadline - now()) > 0:
        wake = sleeper.wait(left)
        if wake is Wake.BELL:
            pace.rung(now())
    for bell in bells:
        bell.disarm()
    return wake is not Wake.END


def _fill(bell: Bell) -> float:
    consumed, produced = bell.positions()
    return (produced - consumed) / bell.size
