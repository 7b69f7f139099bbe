"""The agent's programs in the kernel: compiled, loaded, attached, counted.

All of it is held by descriptors of this process and gone with it. Rings get their sizes from the one
budget. Only this module of the agent asks `program` and `kernel` for live things.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Self

from skep.agent.plan import RingPlan
from skep.agent.powers import Outcome, Power, Way, turn_on
from skep.agent.rings import RECORDS
from skep.agent.stall import RingCount
from skep.base.errors import CompileError, Forbidden, Unsupported
from skep.base.frozen import frozen
from skep.flows.drops import SiteTotal, sites, totals
from skep.kernel import stats
from skep.kernel.budget import Want, divide
from skep.kernel.handle import Handle
from skep.kernel.link import Link
from skep.kernel.maps import Map
from skep.kernel.objects import ProgramInfo
from skep.kernel.rings import RingReader
from skep.lang.finish import Compiled
from skep.lang.maps import Ring
from skep.lang.programs import Program
from skep.program.live import Live
from skep.program.machine import Machine
from skep.program.objects import compiled
from skep.program.scattering import opened

Made = Compiled | CompileError | Forbidden | Unsupported
REFUSED = (CompileError, Forbidden, Unsupported)
"""What one way cannot be compiled for, though another may."""
LEAST_RING, LARGEST_RING = 256 << 10, 32 << 20


@frozen
class MapUse:
    """A map and the kernel memory that it takes."""

    id: int
    name: str
    type: str
    bytes: int


class Programs:
    """What runs in the kernel for this agent. A context manager; closing it detaches everything."""

    def __init__(
        self,
        live: Live,
        outcomes: Sequence[Outcome],
        rings: dict[str, RingPlan],
        readers: Mapping[str, RingReader],
    ) -> None:
        self._live, self._rings, self._readers = live, rings, readers
        self.outcomes: Sequence[Outcome] = tuple(outcomes)

    @classmethod
    def start(
        cls, powers: Sequence[Power], machine: Machine, budget: int, weights: dict[str, float]
    ) -> Self:
        """Compile and turn on ``powers``; ``budget`` bytes go to the rings, by ``weights``.

        Unsupported where this kernel has no BTF; what it refuses is in the outcomes.
        """
        ways = [way for power in powers for way in power.ways if isinstance(way, Way)]
        made = compile_ways(ways, machine)
        live = Live(machine)
        try:
            rings, readers = _rings(live, made.values(), budget, weights)
            outcomes = turn_on(powers, live, lambda program: _compiled(made[program]))
            return cls(live, outcomes, _with_code(rings, machine), readers)
        except BaseException:
            live.close()
            raise

    @property
    def rings(self) -> tuple[RingPlan, ...]:
        """The rings that a drain is to read."""
        return tuple(self._rings.values())

    @property
    def on(self) -> list[Program]:
        """The programs that are attached."""
        ways = [outcome.way for outcome in self.outcomes if outcome.way is not None]
        return [program for way in ways for program in way.programs]

    def link(self, program: Program) -> int:
        """The descriptor of the link that attaches ``program``, -1 where it is not attached."""
        links = self._links(program) if program in self.on else ()
        return next((link.fd for link in links), -1)

    def drops(self) -> list[SiteTotal]:
        """Dropped packets by place and reason, all of them; none where drops are not watched."""
        try:
            return totals(self._live[sites].items())
        except KeyError:
            return []

    def counts(self) -> dict[str, RingCount]:
        """How each ring stands. They are the drain's to read: nothing is taken here."""
        return {
            name: RingCount(*reader.positions(), reader.attempts, reader.refused)
            for name, reader in self._readers.items()
        }

    def infos(self) -> list[ProgramInfo]:
        """What the kernel says of each."""
        return [self._live.programs[self._live.name(program)].info() for program in self.on]

    def links(self) -> list[tuple[int, str]]:
        """Ids and names of what attaches them."""
        links = [link for program in self.on for link in self._links(program)]
        return [(link.info().id, link.name) for link in links]

    def _links(self, program: Program) -> list[Link]:
        found = self._live.links.get(self._live.name(program), ())
        return [link for link in found if isinstance(link, Link)]

    def maps(self) -> list[MapUse]:
        """Their maps, rings included."""
        return [_use(one) for one in self._live.maps]

    def close(self) -> None:
        """Detach everything."""
        for reader in self._readers.values():
            reader.close()
        for ring in self._rings.values():
            if ring.code >= 0:
                os.close(ring.code)
        self._live.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def compile_ways(ways: Sequence[Way], machine: Machine) -> dict[Program, Made]:
    """The programs of ``ways`` for this kernel, or what is wrong with one.

    All are compiled at once; only where that fails, as on a kernel without some tracepoint, way by way.
    """
    programs = [program for way in ways for program in way.programs]
    try:
        return dict(zip(programs, compiled(programs, machine), strict=True))
    except REFUSED as error:
        if len(ways) == 1:
            return dict.fromkeys(programs, error)
    found: dict[Program, Made] = {}
    for way in ways:
        for program, one in compile_ways([way], machine).items():
            if isinstance(one, Compiled) or program not in found:  # it may be of several ways
                found[program] = one
    return found


def _with_code(rings: Mapping[str, RingPlan], machine: Machine) -> dict[str, RingPlan]:
    """The rings with the functions that make columns of them, where this machine lets them be executed."""
    names = [name for name in rings if name in RECORDS]
    plans = dict(rings)
    for name, file in zip(names, opened([RECORDS[name] for name in names], machine), strict=True):
        if file is not None:
            plans[name] = replace(plans[name], code=file.fd, code_at=file.at)
    return plans


def _compiled(made: Made) -> Compiled:
    if isinstance(made, Compiled):
        return made
    if isinstance(
        made, Forbidden
    ):  # only this way misses a privilege to compile: tracefs is closed
        raise Unsupported(made.action, f"it needs {made.capability}") from made
    raise made


def _use(one: Handle) -> MapUse:
    return MapUse(
        one.info().id, one.spec.name, one.spec.type.name.lower(), stats.footprint(one.fd).memory
    )


def _rings(
    live: Live, made: Iterable[Made], budget: int, weights: dict[str, float]
) -> tuple[dict[str, RingPlan], dict[str, RingReader]]:
    """Make the rings, before a program asks for them in the size that it declares."""
    specs = {
        declared: spec
        for one in made
        if isinstance(one, Compiled)
        for declared, spec in zip(one.maps, one.spec.maps, strict=True)
    }
    rings = [declared for declared in specs if isinstance(declared, Ring)]
    wants = [
        Want(ring.name, weights.get(ring.name, 1.0), least=LEAST_RING, most=LARGEST_RING)
        for ring in rings
    ]
    sizes = divide(budget, wants)
    plans, readers = {}, {}
    for ring in rings:
        size = sizes[ring.name]
        live_ring = live.map(ring, replace(specs[ring], entries=size))
        state = Map(specs[ring.state], live.map(ring.state, specs[ring.state]).fd)
        plans[ring.name] = RingPlan(ring.name, live_ring.fd, state.fd, size)
        readers[ring.name] = RingReader(live_ring.fd, size, state=state.memory())
    return plans, readers
