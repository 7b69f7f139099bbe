"""What the agent says of itself, as the objects of the API and as metrics. Pure: facts in, values out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from skep.agent.dropped import DropSite
from skep.agent.losses import Loss
from skep.agent.powers import Outcome
from skep.agent.programs import MapUse
from skep.agent.usage import ProcessUse, ProgramUse
from skep.api.metrics import COUNTER, GAUGE, Family, Sample
from skep.api.routes import Object
from skep.base.frozen import frozen

NANOS = 1e-9
Samples = Sequence[tuple[Mapping[str, str], float]]


@frozen
class Facts:
    """Everything that a report is made from, read at one moment."""

    version: str
    instance: str
    pid: int
    started: str
    seconds: float
    events: Mapping[str, int]
    losses: Sequence[Loss]
    processes: Sequence[ProcessUse]
    programs: Sequence[ProgramUse]
    maps: Sequence[MapUse]
    outcomes: Sequence[Outcome]
    drops: Sequence[DropSite]
    restarts: int
    stored_events: int
    stored_bytes: int
    followers: int
    metrics: str
    warnings: Sequence[str]


def status(facts: Facts) -> Object:
    """``/v1/status``."""
    return {
        "version": facts.version,
        "instance": facts.instance,
        "pid": facts.pid,
        "started": facts.started,
        "seconds": round(facts.seconds, 3),
        "powers": [power(outcome) for outcome in facts.outcomes],
        "programs": [asdict(one) for one in facts.programs],
        "maps": [asdict(one) for one in facts.maps],
        "processes": [asdict(one) for one in facts.processes],
        "drain_restarts": facts.restarts,
        "store": {"events": facts.stored_events, "bytes": facts.stored_bytes},
        "followers": facts.followers,
        "metrics": facts.metrics,
        "losses": [asdict(one) for one in facts.losses],
        "warnings": list(facts.warnings),
    }


def start(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """What is watched, and what this kernel refuses, as lines of a log."""
    on = [f"{one.power.name} ({one.way.hook})" for one in outcomes if one.way]
    yield f"turned on: {', '.join(on)}"
    for one in outcomes:
        instead = f"instead: {one.way.hook}" if one.way else "nothing is used instead"
        for refusal in one.refusals:
            hook, reason = refusal.hook, refusal.reason
            yield f"{one.power.name}: this kernel refuses {hook}: {reason}; {instead}"


def power(outcome: Outcome) -> Object:
    """A row of the table of powers: ``state`` is on, instead (a fallback), or refused."""
    way, refusals = outcome.way, outcome.refusals
    state = "refused" if way is None else "instead" if refusals else "on"
    return {
        "power": outcome.power.name,
        "kinds": list(outcome.power.kinds),
        "state": state,
        "programs": [program.name for program in way.programs] if way else [],
        "hook": way.hook if way else "",
        "cost": way.cost if way else "",
        "narrows": way.narrows if way else "",
        "refused": [asdict(one) for one in refusals],
    }


def summary(facts: Facts) -> Object:
    """``/v1/summary``."""
    return {
        "seconds": round(facts.seconds, 3),
        "events": dict(facts.events),
        "losses": [asdict(one) for one in facts.losses],
        "processes": [asdict(one) for one in facts.processes],
        "cpu_seconds": round(sum(one.cpu_seconds for one in facts.processes), 3),
        "memory_bytes": sum(one.pss_bytes for one in facts.processes),
        "kernel_bytes": sum(one.bytes for one in facts.maps),
        "programs": [
            asdict(one) | {"ns_per_run": round(one.ns / one.runs, 1) if one.runs else None}
            for one in facts.programs
        ],
        "drops": [asdict(one) for one in facts.drops],
        "drain_restarts": facts.restarts,
    }


Row = tuple[str, str, str, Samples]
"""A metric: name, type, help, samples."""


def families(facts: Facts) -> Iterable[Family]:
    """The metrics; names and units as Prometheus' conventions have them."""
    for name, type_, help_, samples in (*_events(facts), *_kernel(facts), *_agent(facts)):
        made = tuple(Sample(value, labels) for labels, value in samples)
        yield Family(f"skep_{name}", type_, help_, made)


def _events(facts: Facts) -> tuple[Row, ...]:
    sites = [({"reason": one.reason, "location": one.location}, one) for one in facts.drops]
    build = {"version": facts.version}
    return (
        ("build_info", GAUGE, "The release.", [(build, 1)]),
        ("up_seconds", GAUGE, "Time since the agent started.", [({}, facts.seconds)]),
        (
            "events_total",
            COUNTER,
            "Events by kind.",
            [({"kind": kind}, count) for kind, count in facts.events.items()],
        ),
        (
            "lost_total",
            COUNTER,
            "Losses by queue.",
            [({"queue": one.queue}, one.lost) for one in facts.losses],
        ),
        (
            "dropped_packets_total",
            COUNTER,
            "Packets that the kernel dropped, also those without an event.",
            [(labels, one.total) for labels, one in sites],
        ),
    )


def _kernel(facts: Facts) -> tuple[Row, ...]:
    """Of programs and maps."""
    programs = [({"program": one.name}, one) for one in facts.programs]
    maps = [({"map": one.name, "type": one.type}, one) for one in facts.maps]
    return (
        (
            "program_sampled_runs_total",
            COUNTER,
            "Runs of programs while they were sampled.",
            [(labels, one.runs) for labels, one in programs],
        ),
        (
            "program_sampled_seconds_total",
            COUNTER,
            "Time in runs of programs while they were sampled.",
            [(labels, one.ns * NANOS) for labels, one in programs],
        ),
        (
            "program_recursion_misses_total",
            COUNTER,
            "Runs that were left out because the program was running on that CPU.",
            [(labels, one.misses) for labels, one in programs],
        ),
        (
            "map_bytes",
            GAUGE,
            "Kernel memory of maps and rings.",
            [(labels, one.bytes) for labels, one in maps],
        ),
    )


def _agent(facts: Facts) -> tuple[Row, ...]:
    """Of the agent's processes, and what they keep."""
    running = [({"process": one.name}, one) for one in facts.processes]
    return (
        (
            "process_cpu_seconds_total",
            COUNTER,
            "CPU time of the agent's processes.",
            [(labels, one.cpu_seconds) for labels, one in running],
        ),
        (
            "process_memory_bytes",
            GAUGE,
            "Proportional set size of the agent's processes, without pages of rings.",
            [(labels, one.pss_bytes) for labels, one in running],
        ),
        ("drain_restarts_total", COUNTER, "Restarts of the drain.", [({}, facts.restarts)]),
        ("stored_events", GAUGE, "Events kept for queries.", [({}, facts.stored_events)]),
        ("stored_bytes", GAUGE, "Memory of events kept.", [({}, facts.stored_bytes)]),
        ("followers", GAUGE, "Clients that follow events.", [({}, facts.followers)]),
    )
