"""Hooks that are exclusive or hot, planned for all who want them at once. Values in, a plan out.

A device has one XDP program, and each hook on all system calls is paid by every call of the machine:
so powers say what they want, and one owner attaches. Nothing here touches the kernel.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from skep.base.errors import Conflict


class XdpSubscriber(NamedTuple):
    """A program that wants the packets of a device; the lower ``order`` runs first."""

    name: str
    order: int


def xdp_chain(device: str, subscribers: Iterable[XdpSubscriber]) -> tuple[str, ...]:
    """The names in the order in which they run; Conflict where two want the same place."""
    chain = sorted(subscribers, key=lambda one: (one.order, one.name))
    for one, following in pairwise(chain):
        if one.order == following.order:
            place = f"place {one.order} of the XDP chain of {device}, wanted by {following.name},"
            raise Conflict(place, one.name)
    return tuple(one.name for one in chain)


class SyscallSubscriber(NamedTuple):
    """A program that wants the entry (or the exit) of some system calls, by the kernel's names."""

    name: str
    calls: tuple[str, ...]
    at_exit: bool = False


class Costs(NamedTuple):
    """Added ns of a call, measured on a 2.6 GHz x86-64 machine with Linux 6.18.

    ``raw``: any call, with one raw hook that looks it up in a bitmap; ``own``: a call with a classic
    tracepoint of its own; ``other``: any other call, while one classic tracepoint is on.
    """

    raw: float = 25.0
    own: float = 45.0
    other: float = 6.0


COSTS = Costs()


class SyscallPlan(NamedTuple):
    """How one side (entry or exit) is hooked: ``raw`` or each call's own tracepoint.

    ``tracepoints`` and ``bitmap`` name the calls; one of the two is empty. ``ns`` is the cost of a
    mean call of the machine.
    """

    raw: bool
    tracepoints: tuple[str, ...]
    bitmap: tuple[str, ...]
    ns: float


def plan_syscalls(
    subscribers: Sequence[SyscallSubscriber],
    rates: Mapping[str, float],
    *,
    at_exit: bool = False,
    costs: Costs = COSTS,
) -> SyscallPlan | None:
    """The cheaper way to serve all subscribers of one side; None where there is none.

    ``rates`` are calls per second by name, as counted on this machine; a call that is not in it is
    taken as rare. Equal cost goes to the tracepoints, which other calls hardly notice.
    """
    wanted = sorted({c for one in subscribers if one.at_exit is at_exit for c in one.calls})
    if not wanted:
        return None
    everything = sum(rates.values()) or 1.0
    share = sum(rates.get(call, 0.0) for call in wanted) / everything
    classic = costs.own * share + costs.other * (1 - share)
    if classic <= costs.raw:
        side = "exit" if at_exit else "enter"
        names = tuple(f"syscalls/sys_{side}_{call}" for call in wanted)
        return SyscallPlan(raw=False, tracepoints=names, bitmap=(), ns=classic)
    return SyscallPlan(raw=True, tracepoints=(), bitmap=tuple(wanted), ns=costs.raw)
