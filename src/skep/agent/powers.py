"""Turning powers on: a table of what is wanted, the ways to get it, and what this kernel made of it.

A way that the kernel refuses is passed over for the next; what is left out is told. Programs live as
long as the `Live` that they were loaded into. Which powers there are is in `wiring`.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Protocol

from skep.base.errors import CompileError, KernelError, SkepError, Unsupported, VerifierError
from skep.base.frozen import frozen
from skep.lang.finish import Compiled
from skep.lang.programs import Program

REFUSALS = (CompileError, KernelError, Unsupported, VerifierError)


@frozen
class Way:
    """Programs that together serve a power, the hook that they use and what that costs, in words.

    ``narrows`` says what is not seen this way, "" where nothing is.
    """

    programs: tuple[Program, ...]
    hook: str
    cost: str
    narrows: str = ""


@frozen
class Refusal:
    """A hook that this kernel refused, and why."""

    hook: str
    reason: str


@frozen
class Power:
    """What a person turns on: the kinds of events that come of it, and ways, the best first.

    A way that this kernel is known not to have stands there as its Refusal. ``base`` powers are needed
    to say who did it: they run whatever kinds were asked for.
    """

    name: str
    kinds: tuple[str, ...]
    ways: tuple[Way | Refusal, ...]
    base: bool = False

    def wanted(self, kinds: frozenset[str]) -> bool:
        """Whether it serves one of ``kinds``."""
        return self.base or not kinds.isdisjoint(self.kinds)

    @property
    def programs(self) -> tuple[Program, ...]:
        """The programs of all its ways."""
        return tuple(p for way in self.ways if isinstance(way, Way) for p in way.programs)


@frozen
class Outcome:
    """What became of a power: the way that is used, None where there is none, and what was refused."""

    power: Power
    way: Way | None
    refusals: tuple[Refusal, ...] = ()


class Closes(Protocol):
    """A link."""

    def close(self) -> None:
        """Detach."""


class Loads(Protocol):
    """Where programs are loaded and attached: `program.live.Live`."""

    def add(self, program: Program, made: Compiled) -> Closes:
        """Load."""

    def attach(self, program: Program) -> Closes:
        """Attach to where the program says itself."""


def turn_on(
    powers: Iterable[Power], live: Loads, made: Callable[[Program], Compiled]
) -> list[Outcome]:
    """Load and attach, power by power. Of a way that is refused nothing stays attached."""
    return [_turn_on(power, live, made) for power in powers]


def _turn_on(power: Power, live: Loads, made: Callable[[Program], Compiled]) -> Outcome:
    refusals = []
    for way in power.ways:
        if isinstance(way, Refusal):
            refusals.append(way)
            continue
        try:
            with ExitStack() as undo:
                for program in way.programs:
                    undo.callback(live.add(program, made(program)).close)
                for program in way.programs:
                    undo.callback(live.attach(program).close)
                undo.pop_all()
        except REFUSALS as error:
            refusals.append(Refusal(way.hook, reason(error)))
            continue
        return Outcome(power, way, tuple(_beside(one, way) for one in refusals))
    return Outcome(power, None, tuple(refusals))


def _beside(refusal: Refusal, way: Way) -> Refusal:
    """A refusal without the hooks that the way uses all the same."""
    used = way.hook.split(", ")
    others = [hook for hook in refusal.hook.split(", ") if hook not in used]
    return Refusal(", ".join(others) or refusal.hook, refusal.reason)


def reason(error: SkepError) -> str:
    """Why, in a line."""
    if isinstance(error, Unsupported):
        return f"{error.feature}: {error.reason}"
    if isinstance(error, CompileError):
        return error.problem
    return str(error).splitlines()[0]
