"""How system calls are hooked for all who want some of them at once. Values in, a plan out; no kernel is asked."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from skep.lang.syscall_numbers import tracepoint


class SyscallSubscriber(NamedTuple):
    """A program that wants the entry (or the exit) of some system calls by name; of all, where it names none."""

    name: str
    calls: tuple[str, ...]
    at_exit: bool = False


class Costs(NamedTuple):
    """Added ns of a call, measured with Linux 6.18 on x86-64: here on an Intel machine of 2.6 GHz, in EPYC on AMD.

    ``raw``: any call, with an empty program at the one raw hook; ``own``: a call with a classic tracepoint of its own;
    ``other``: any other call, while a classic tracepoint is on. What decides is the share of wanted calls from which on
    the raw hook is cheaper: 0.49 by the first, 0.40 by the second. So little depends on the machine that nothing is
    measured when programs are planned.
    """

    raw: float = 25.0
    own: float = 45.0
    other: float = 6.0


COSTS = Costs()
EPYC = Costs(60.0, 105.0, 30.0)


class Held(NamedTuple):
    """What is attached on that side already, and paid by all calls."""

    raw: bool = False
    classic: bool = False


class SyscallPlan(NamedTuple):
    """How one side (entry or exit) is hooked: ``raw`` or each call's own tracepoint.

    ``tracepoints`` and ``bitmap`` name the calls; one of the two is empty, and both where a raw hook takes all. ``ns``
    is what is added to a mean call of the machine.
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
    held: Held = Held(),  # noqa: B008 - a value
) -> SyscallPlan | None:
    """The cheaper way to serve all subscribers of one side, beside what is held; None where there is none.

    ``rates`` are calls per second by name, as counted on this machine; a call that is not in it is taken as rare. Equal
    cost goes to the tracepoints, which other calls hardly notice. Who wants all calls gets the raw hook.
    """
    asking = [one for one in subscribers if one.at_exit is at_exit]
    if not asking:
        return None
    wanted = tuple(sorted({call for one in asking for call in one.calls}))
    raw = 0.0 if held.raw else costs.raw
    if not all(one.calls for one in asking):
        return SyscallPlan(raw=True, tracepoints=(), bitmap=(), ns=raw)
    share = sum(rates.get(call, 0.0) for call in wanted) / (sum(rates.values()) or 1.0)
    classic = costs.own * share + (0.0 if held.classic else costs.other) * (1 - share)
    if classic <= raw:
        return SyscallPlan(
            raw=False, tracepoints=classic_names(wanted, at_exit=at_exit), bitmap=(), ns=classic
        )
    return SyscallPlan(raw=True, tracepoints=(), bitmap=wanted, ns=raw)


def classic_names(calls: Sequence[str], *, at_exit: bool) -> tuple[str, ...]:
    """The calls' own tracepoints as ``category/name``."""
    side = "sys_exit" if at_exit else "sys_enter"
    return tuple(f"syscalls/{tracepoint(side, call)}" for call in calls)
