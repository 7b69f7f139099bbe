"""The agent as its API sees it: what clients ask, answered from the engine and the kernel.

Answers are made when they are asked for, in the loop's thread, and nothing is kept.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace

from skep.agent import losses, processes, report
from skep.agent.engine import Engine, bounds
from skep.agent.report import Facts
from skep.agent.usage import of_processes
from skep.api.metrics import Family
from skep.api.query import Position, Query
from skep.api.routes import Object
from skep.api.server import Counts
from skep.api.version import VERSION
from skep.base.clock import SECOND, boot_ns, rfc3339
from skep.base.config import Config

AT_ONCE = ("log", "store", "metrics")
"""Settings that a reload puts into force; others wait for a new agent."""


class AgentNode:
    """Implements `api.routes.Node`.

    ``load`` reads the configuration again, ``stop`` begins to end the agent, ``probe`` says what the
    kernel offers, ``counts`` are the server's, ``metrics`` gives state and warning of the port.
    """

    def __init__(
        self,
        engine: Engine,
        instance: str,
        *,
        load: Callable[[], Config],
        reloaded: Callable[[Config], None],
        stop: Callable[[], None],
        probe: Callable[[], Object],
    ) -> None:
        self.engine, self.instance = engine, instance
        self._load, self._reloaded, self._stop, self._probe = load, reloaded, stop, probe
        # Its CPU time is counted from there, too.
        self._began = processes.identity(os.getpid()).started_ns
        self.counts = Counts()
        self.metrics, self.warnings = "off", list[str]()

    def status(self) -> Object:
        """What runs."""
        return report.status(self.facts())

    def summary(self) -> Object:
        """What happened."""
        return report.summary(self.facts())

    def features(self) -> Object:
        """What the kernel offers, probed now."""
        return self._probe()

    def families(self) -> Iterable[Family]:
        """The metrics."""
        return report.families(self.facts())

    def reload(self) -> Object:
        """Read the configuration and put into force what can be; raises BadInput before anything changes."""
        old, new = self.engine.settings, self._load()
        changed = [f.name for f in fields(Config) if getattr(old, f.name) != getattr(new, f.name)]
        kept = {name: getattr(old, name) for name in changed if name not in AT_ONCE}
        self.engine.settings = replace(new, **kept)
        self.engine.journal.store.bounds = bounds(new)
        self._reloaded(self.engine.settings)
        return {
            "changed": [name for name in changed if name in AT_ONCE],
            "after_restart": [name for name in changed if name not in AT_ONCE],
        }

    def stop(self) -> None:
        """Begin to end."""
        self._stop()

    def stored(self, choice: Query, begin: Position | None = None) -> Iterator[bytes]:
        """Lines of stored events."""
        return self.engine.journal.stored(choice, begin)

    def follow(
        self, choice: Query, send: Callable[[bytes], bool], fell: Callable[[Position], None]
    ) -> Callable[[], None]:
        """Have lines of events to come sent."""
        return self.engine.journal.follow(choice, send, fell)

    def give_up(self, position: Position) -> None:
        """Count what a client did not get."""
        self.engine.journal.give_up(position)

    def now(self) -> int:
        """Wall time, ns."""
        return self.engine.clock.to_wall(boot_ns())

    def facts(self) -> Facts:
        """Everything, read now."""
        engine, now = self.engine, boot_ns()
        store, child = engine.journal.store, engine.supervisor.child
        named = [("agent", os.getpid())] + ([("drain", child.pid)] if child else [])
        clients = losses.clients(engine.journal.missed, store.total)
        return Facts(
            version=VERSION,
            instance=self.instance,
            pid=os.getpid(),
            started=rfc3339(engine.clock.to_wall(self._began)),
            seconds=(now - self._began) / SECOND,
            events=dict.fromkeys(self._watched(), 0) | engine.journal.counts,
            losses=[*engine.losses(), clients],
            processes=list(of_processes(named)),
            programs=engine.sampler.programs(),
            maps=engine.programs.maps(),
            outcomes=engine.programs.outcomes,
            drops=engine.dropped(),
            restarts=engine.supervisor.restarts,
            stored_events=store.events,
            stored_bytes=store.bytes,
            followers=engine.journal.followers,
            metrics=self.metrics,
            warnings=[*self.warnings, *engine.warnings, *engine.hanging(), *engine.unnamed()],
        )

    def _watched(self) -> Iterator[str]:
        """Kinds of events that are told: one of which none came is counted too, for alerts on its first."""
        for one in self.engine.programs.outcomes:
            if one.way:
                yield from (kind for kind in one.power.kinds if kind in self.engine.kinds)
