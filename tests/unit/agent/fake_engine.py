"""An engine over programs that are in no kernel; its drain is a process that only waits."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from skep.agent.dropped import DropNames
from skep.agent.engine import Allowed, Engine
from skep.agent.node import AgentNode
from skep.base.clock import Clock
from skep.base.config import Config, Metrics, Runtimes
from skep.kernel.symbols import Symbols
from tests.unit.agent.fake_programs import FakePrograms

QUIET = replace(Config(), metrics=Metrics(enabled=False), runtimes=Runtimes((), (), ()))
KINDS = frozenset({"exec", "exit", "drop"})


class FakeReasons:
    """Reason 2 has a name."""

    def name(self, number: int) -> str | None:
        return "NO_SOCKET" if number == 2 else None


def names() -> DropNames:
    return DropNames(FakeReasons(), Symbols("/nowhere"))


def engine(settings: Config = QUIET, clock: Clock | None = None) -> Engine:
    """An engine that has nothing counted by the kernel."""
    allowed = Allowed(counting=nullcontext)
    return Engine(FakePrograms(), settings, KINDS, names(), clock, allowed=allowed)


def node(made: Engine, **calls: Callable[..., Any]) -> AgentNode:
    """The node of an engine; what a test does not give does nothing."""
    given: dict[str, Any] = {
        "load": lambda: QUIET,
        "reloaded": lambda _: None,
        "stop": lambda: None,
        "probe": lambda: {"features": []},
    }
    return AgentNode(made, "lab", **(given | calls))
