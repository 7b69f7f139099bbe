"""What was lost, by queue, as the faces are told: one row for each queue between the kernel and a client."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from skep.agent.stall import RingCount
from skep.base.frozen import frozen
from skep.events.losses import LossCounter


@frozen
class Loss:
    """A queue, what went through it and what was lost there, and why that happens.

    Of a ring also what was read of it, and what waits.
    """

    queue: str
    passed: int
    lost: int
    why: str
    read_bytes: int = 0
    waiting_bytes: int = 0


WHY = {
    "blocks": "the agent was slower than the drain",
    "definitions": "the agent was slower than the drain",
    "notes": "the agent was slower than the drain",
    "long values": "a value was larger than a message",
}


def rings(accounts: Mapping[str, Any], counts: Mapping[str, RingCount]) -> list[Loss]:
    """The rings: as they stand (``counts``), and what the drain counted last, which may hang or has yet to begin."""
    told = accounts.get("rings", {})
    return [_ring(name, counts.get(name), told.get(name, {})) for name in {**counts, **told}]


def _ring(name: str, now: RingCount | None, told: Mapping[str, Any]) -> Loss:
    attempts = now.attempts if now else int(told["attempts"])
    refused = now.refused if now else int(told["refused"])
    lost = refused + int(told.get("foreign", 0))
    read, came = (now.consumed, now.produced) if now else (0, 0)
    return Loss(f"{name} ring", attempts - refused, lost, "the ring was full", read, came - read)


def queues(counters: Iterable[LossCounter]) -> list[Loss]:
    """The queues between the processes of the agent."""
    return [Loss(one.name, one.passed, one.lost, WHY.get(one.name, "")) for one in counters]


def recursion(misses: int, runs: int) -> Loss:
    """Runs of programs that the kernel left out."""
    return Loss("programs", runs, misses, "a program was already running on that CPU")


def clients(missed: int, came: int) -> Loss:
    """Events that a client which follows did not get, of those that came."""
    return Loss("clients", came, missed, "a client read too slowly")


def since(now: Sequence[Loss], before: Mapping[str, int]) -> list[Loss]:
    """What was lost since ``before`` (losses by queue)."""
    return [
        Loss(one.queue, one.passed, one.lost - before.get(one.queue, 0), one.why)
        for one in now
        if one.lost > before.get(one.queue, 0)
    ]
