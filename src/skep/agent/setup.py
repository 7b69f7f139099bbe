"""From an order to an agent that runs: configuration, instance, programs, engine; and back again.

What is claimed is released in the opposite order, also where a step fails: then nothing is left.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from skep.agent import descriptors, priority, privileges, processes
from skep.agent.agent import Agent
from skep.agent.collector import collect_rarely
from skep.agent.dropped import DropNames
from skep.agent.engine import Allowed, Engine
from skep.agent.face import Face, NoFace
from skep.agent.instance import Instance, Owned
from skep.agent.log import Log
from skep.agent.notify import Notifier
from skep.agent.order import Order
from skep.agent.powers import Power
from skep.agent.programs import Programs
from skep.agent.wiring import RINGS_SHARE, WEIGHTS, powers
from skep.api.routes import Object
from skep.base import config
from skep.base.clock import Clock
from skep.base.config import Config, Environment
from skep.base.errors import Forbidden, Unsupported
from skep.base.paths import instance_paths
from skep.btf.reader import Btf
from skep.flows.drops import Reasons
from skep.kernel import allocator, stats
from skep.kernel.budget import total
from skep.kernel.probes import probe_all
from skep.kernel.symbols import Symbols
from skep.lang.private import CacheRefusal
from skep.program.machine import Machine

PIECE = 32 << 10
"""Bytes from which on memory is given back when it is freed. What comes from the drain is kept for long, and has many
sizes: in a heap, what is freed between two such would be of no use to the next one."""


def run(
    order: Order,
    face: Face,
    table: Callable[[Btf], Sequence[Power]] = powers,
    clock: Clock | None = None,
) -> None:
    """Be the agent of ``order`` until told to stop. Raises what the start fails with.

    ``table`` gives the powers that there are, for the types of the running kernel; ``clock`` is the machine's.
    """
    if os.geteuid() != 0:
        raise Forbidden("the agent")
    descriptors.provide()
    allocator.map_each(PIECE)
    lacking = privileges.begin()
    environment = config.environment()
    settings = configured(order, environment)
    kinds = frozenset(order.only) or settings.events
    with ExitStack() as stack:
        claimed = stack.enter_context(
            Instance.claim(instance_paths(settings.instance, environment.cache))
        )
        machine = Machine(environment.cache)
        wanted = [power for power in table(machine.btf) if power.wanted(kinds)]
        face.doing("compiling and loading programs")
        with privileges.compiling():
            programs = stack.enter_context(start_programs(wanted, machine, settings))
        names = DropNames(Reasons(machine.btf), Symbols())
        allowed = Allowed(privileges.draining, counting)
        log = Log(settings.log, least="debug" if isinstance(face, NoFace) else "error")
        engine = Engine(programs, settings, kinds, names, clock, allowed=allowed, log=log)
        collect_rarely()
        warnings = [*cache_warnings(machine.refusals), *filter(None, [lacking])]
        priority.take(priority.AGENT)  # its compiler, which is over, had none
        privileges.serve()
        asyncio.run(_serve(engine, claimed, order, environment, face, warnings=warnings))


async def _serve(
    engine: Engine,
    claimed: Instance,
    order: Order,
    environment: Environment,
    face: Face,
    *,
    warnings: Sequence[str],
) -> None:
    agent = Agent(
        engine,
        claimed.paths.instance,
        face=face,
        notifier=Notifier(environment.notify_socket),
        load=lambda: configured(order, environment),
        probe=features,
        warnings=warnings,
    )
    await agent.serve(claimed.paths.agent_socket, started=lambda: claimed.record(owned(engine)))


def configured(order: Order, environment: Environment) -> Config:
    """The configuration, with what the order says beside it. Raises BadInput."""
    found = config.load(order.config, environment)
    return replace(found, instance=order.instance or found.instance)


def cache_warnings(refusals: Iterable[CacheRefusal]) -> list[str]:
    """What of the cache was not used: a line for each reason, though it be of many files."""
    by_reason: dict[tuple[object, ...], list[CacheRefusal]] = {}
    for one in refusals:
        where = os.path.dirname(one.place), one.reason, one.detail
        by_reason.setdefault(where, []).append(one)
    return [
        f"{several[0]}" + (f", nor are {len(several) - 1} more" if several[1:] else "")
        for several in by_reason.values()
    ]


def start_programs(wanted: Sequence[Power], machine: Machine, settings: Config) -> Programs:
    """Turn on what is wanted. Unsupported where this kernel refuses all of it."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    budget = total(memory, settings.memory.percent / 100, settings.memory.minimum)
    programs = Programs.start(wanted, machine, int(budget * RINGS_SHARE), WEIGHTS)
    if not programs.on:
        programs.close()
        refusals = [refusal for outcome in programs.outcomes for refusal in outcome.refusals]
        why = f"{refusals[0].hook}: {refusals[0].reason}" if refusals else "there is none"
        raise Unsupported("any of the agent's programs", why)
    return programs


def owned(engine: Engine) -> Owned:
    """What the agent holds now, for `skep down`."""
    child = engine.supervisor.child
    return Owned(
        processes.identity(os.getpid()),
        children=(processes.identity(child.pid),) if child else (),
        programs=tuple((info.id, info.name) for info in engine.programs.infos()),
        maps=tuple((one.id, one.name) for one in engine.programs.maps()),
        links=tuple(engine.programs.links()),
    )


@contextmanager
def counting() -> Iterator[None]:
    """Have the kernel count runs during the block; what it takes to ask for that is in force no longer."""
    with ExitStack() as stack:
        with privileges.loading():
            stack.enter_context(stats.enabled())
        yield


def features() -> Object:
    """What this kernel offers, probed now."""
    with privileges.loading():
        probes = probe_all(Machine().btf)
    return {"features": [probe.as_dict() for probe in probes.values()]}
