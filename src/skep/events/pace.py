"""When to look into a ring again: a state machine without a clock, told what each pass found.

A busy ring is read at a steady interval, and sooner the fuller it was found; a flood at a longer
one, where the ring has room, because each pass costs what it costs however much it finds. An empty
ring is read ever more rarely; before it sleeps longer than usual, its doorbell is armed, so that the
next record ends the sleep. A wake-up costs the kernel some 8 us in a virtual machine: hence never one
for each record.
"""

from skep.base.frozen import frozen

MS = 1_000_000


@frozen
class Rhythm:
    """Intervals in ns: ``usual`` where passes find something, ``shortest`` under pressure.

    ``longest`` is a sleep's limit. ``growth`` multiplies the interval after an empty pass;
    ``delay`` lies between the bell and the pass that answers it, so that what comes with the first
    record is read with it. In a flood (``plenty`` records or more in each ``usual`` interval; 0: there
    is none) the interval doubles up to ``busy``.
    """

    shortest: int
    usual: int
    longest: int
    growth: int
    delay: int
    plenty: int = 0
    busy: int = 0


BULK = Rhythm(
    shortest=5 * MS,
    usual=10 * MS,
    longest=200 * MS,
    growth=2,
    delay=2 * MS,
    plenty=1000,
    busy=40 * MS,
)
"""Columns of many records: each pass costs some 0.2 ms before its first record, for it finds cold caches."""
URGENT = Rhythm(shortest=1 * MS, usual=2 * MS, longest=200 * MS, growth=100, delay=0)

AT_EASE = 0.25
"""The share of a ring that may be full after the usual interval."""
HALF = 0.5


class Pace:
    """When the next pass of one ring is due: ``deadline``, in ns of the caller's clock.

    ``armed`` says whether the ring's doorbell is to be armed until then.
    """

    __slots__ = ("armed", "deadline", "interval", "rhythm")

    def __init__(self, rhythm: Rhythm, now: int) -> None:
        self.rhythm, self.interval, self.deadline, self.armed = rhythm, rhythm.usual, now, False

    def passed(self, now: int, found: int, fill: float) -> None:
        """A pass ended at ``now``: ``found`` records, which filled ``fill`` (0-1) of the ring."""
        rhythm, slept = self.rhythm, self.armed
        if not found:
            self.interval = min(self.interval * rhythm.growth, rhythm.longest)
        elif fill > AT_EASE:
            before = rhythm.usual if slept else max(self.interval, rhythm.usual)
            self.interval = max(rhythm.shortest, int(before * AT_EASE / fill))
        elif not slept and self._floods(found):
            self.interval = min(2 * self.interval, rhythm.busy)
        else:
            self.interval = rhythm.usual
        self.armed = not found and self.interval > rhythm.usual
        self.deadline = now if fill >= HALF else now + self.interval

    def _floods(self, found: int) -> bool:
        plenty = self.rhythm.plenty
        return plenty > 0 and found * self.rhythm.usual >= plenty * self.interval

    def rung(self, now: int) -> None:
        """The bell rang, or a record was seen just after the bell was armed."""
        if self.armed:
            self.armed = False
            self.interval = self.rhythm.usual
            self.deadline = min(self.deadline, now + self.rhythm.delay)

    def due(self, now: int) -> bool:
        """Whether the next pass is to be made."""
        return now >= self.deadline
