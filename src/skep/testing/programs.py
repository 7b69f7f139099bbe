"""Programs in tests: loaded for one test, with maps that hold what the test says, and events that it waits for.

Nothing here knows pytest; ``plugin`` makes fixtures of it. What was loaded is gone when its ``Loader`` is closed.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, Protocol

from skep.lang.declared.filling import fill
from skep.lang.declared.streams import PerfBuffer
from skep.lang.maps import Ring
from skep.lang.programs import Program
from skep.lang.struct_ops import StructOps
from skep.program.live import Live
from skep.program.load import load
from skep.program.results import Contents

SECONDS = 10.0
SHOWN = 3


class Source(Protocol):
    """Where events come from: a live ring or perf buffer."""

    def poll(self, seconds: float = 0.0) -> Iterable[Any]:
        """The events that are there, after waiting at most ``seconds`` for the first."""
        ...


class Captured:
    """The events of a ring in a test. ``events`` has all that came so far; ``live`` are the programs."""

    def __init__(self, live: Live, ring: Ring | PerfBuffer) -> None:
        self.live, self.ring = live, ring
        self.events: list[Any] = []
        source: Any = live[ring]
        self._source: Source = source

    def wait(
        self,
        count: int = 1,
        *,
        where: Callable[[Any], bool] | None = None,
        seconds: float = SECONDS,
    ) -> list[Any]:
        """The events so far for which ``where`` holds, as soon as there are ``count`` of them.

        AssertionError after ``seconds``, which tells what came instead, what was lost, and what is not attached.
        """
        deadline = time.monotonic() + seconds
        self.poll()
        found = self._matching(where)
        while len(found) < count and (left := deadline - time.monotonic()) > 0:
            self.events += self._source.poll(left)
            found = self._matching(where)
        if len(found) < count:
            several = count != 1
            wanted = f"{count} event{'s' if several else ''}"
            matching = f" that match{'' if several else 'es'}" if where else ""
            raise AssertionError(self._missing(wanted + matching, found, seconds))
        return found

    def poll(self) -> list[Any]:
        """The events that came since the last look; they are in ``events`` too."""
        new = list(self._source.poll())
        self.events += new
        return new

    def _matching(self, where: Callable[[Any], bool] | None) -> list[Any]:
        return [event for event in self.events if where is None or where(event)]

    def _missing(self, wanted: str, found: list[Any], seconds: float) -> str:
        others = [event for event in self.events if all(event is not one for one in found)]
        lines = [f"{wanted} did not come within {seconds:g} s: {len(found)} came"]
        lines += [f"  other events: {len(others)}, the last ones:"] if others else []
        lines += [f"    {event!r}" for event in others[-SHOWN:]]
        attempts, lost = (getattr(self._source, name, None) for name in ("attempts", "lost"))
        if attempts == 0:
            lines.append(
                "  no program tried to send one: its hook was not met, or it returned before"
            )
        if lost:
            lines.append(f"  {lost} found no room: make the ring larger, or read it more often")
        links = self.live.links
        loose = [name for name in self.live.programs if not links.get(name)]
        lines += [f"  {name} is not attached: live.attach({name}, ...)" for name in loose]
        return "\n".join(lines)


class Loader:
    """Loads programs: ``loader(on_exec, maps={watched: {1: 1}})``. ``close()`` takes all of them away again."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __call__(
        self, *wanted: Program | StructOps, maps: Contents | None = None, attach: bool = True
    ) -> Live:
        """Fresh maps, which hold ``maps`` before anything runs; then what knows its place is attached."""
        live = self._stack.enter_context(load(*wanted, attach=False, pins=None))
        for declared, content in (maps or {}).items():
            fill(live[declared], declared, content)
        for one in wanted if attach else ():
            if isinstance(one, StructOps):
                live.register(one)
            elif one.by_itself:
                live.attach(one)
        return live

    def capture(
        self, ring: Ring | PerfBuffer, *wanted: Program, maps: Contents | None = None
    ) -> Captured:
        """The events of a ring, whose programs are loaded for it."""
        return Captured(self(*wanted, maps=maps), ring)

    def close(self) -> None:
        """Detach and free everything."""
        self._stack.close()


def until(condition: Callable[[], Any], *, seconds: float = SECONDS, step: float = 0.01) -> Any:  # noqa: ANN401 - what it gives
    """What ``condition`` gives as soon as that is true. AssertionError after ``seconds``, with what it gave last."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"this did not come true within {seconds:g} s; it was {found!r}")
        time.sleep(step)
    return found
