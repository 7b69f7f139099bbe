"""What ``skep run --every 1s`` shows each time: the maps, which begin anew then."""

import math
import time
from collections.abc import Callable, Iterator

from skep.base.clock import boot_ns, rfc3339, wall_offset_ns
from skep.base.lazy import lazy

moment = lazy("skep.base.moment")  # what few runs need would delay the attaching


class Turns:
    """Lines that are written each ``every`` seconds; None: never."""

    def __init__(self, every: float | None, lines: Callable[[], Iterator[str]]) -> None:
        self._every, self._lines = every, lines
        self._next = time.monotonic() + every if every else math.inf

    def lines(self) -> Iterator[str]:
        """Those that are due. Turns that were missed are left out."""
        if self._every and (now := time.monotonic()) >= self._next:
            self._next += self._every * ((now - self._next) // self._every + 1)
            yield from self._lines()

    def patience(self, most: int | None) -> int | None:
        """How many ms there are until the next turn, at ``most`` so many."""
        if not self._every:
            return most
        left = max(math.ceil((self._next - time.monotonic()) * 1000), 0)
        return left if most is None else min(left, most)


def turn(maps: Callable[..., Iterator[str]], *, as_json: bool) -> Iterator[str]:
    """The maps of a turn, below the time of day; as JSON, each has it."""
    now = boot_ns()
    if not as_json:
        yield f"{moment.wall_time(now):%H:%M:%S}"
    yield from maps(take=True, when=rfc3339(now + wall_offset_ns()))
