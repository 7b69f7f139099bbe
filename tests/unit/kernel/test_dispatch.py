"""Exclusive and hot hooks are planned for all who want them."""

import pytest

from skep.base.errors import Conflict
from skep.kernel.dispatch import (
    Costs,
    SyscallSubscriber,
    XdpSubscriber,
    plan_syscalls,
    xdp_chain,
)

RATES = {"read": 60_000.0, "write": 30_000.0, "openat": 9_000.0, "execve": 1_000.0}


def test_xdp_programs_run_in_their_order() -> None:
    chain = [XdpSubscriber("balance", 20), XdpSubscriber("drop", 10), XdpSubscriber("count", 30)]
    assert xdp_chain("eth0", chain) == ("drop", "balance", "count")
    assert xdp_chain("eth0", []) == ()


def test_two_that_want_the_same_place_are_a_conflict() -> None:
    with pytest.raises(Conflict, match=r"eth0.*held by one"):
        xdp_chain("eth0", [XdpSubscriber("two", 10), XdpSubscriber("one", 10)])


def test_rare_calls_get_their_own_tracepoints() -> None:
    plan = plan_syscalls(
        [SyscallSubscriber("a", ("execve",)), SyscallSubscriber("b", ("openat",))], RATES
    )
    assert plan is not None
    assert not plan.raw
    assert plan.tracepoints == ("syscalls/sys_enter_execve", "syscalls/sys_enter_openat")
    assert plan.bitmap == ()


def test_frequent_calls_share_one_raw_hook() -> None:
    plan = plan_syscalls([SyscallSubscriber("a", ("read", "write"))], RATES)
    assert plan is not None
    assert plan.raw
    assert (plan.tracepoints, plan.bitmap) == ((), ("read", "write"))


def test_the_cheaper_way_wins_by_the_costs_that_were_measured() -> None:
    dear = Costs(raw=100.0, own=45.0, other=6.0)
    plan = plan_syscalls([SyscallSubscriber("a", ("read",))], RATES, costs=dear)
    assert plan is not None
    assert not plan.raw
    assert plan.ns == pytest.approx(45 * 0.6 + 6 * 0.4)


def test_entry_and_exit_are_planned_apart() -> None:
    wanted = [SyscallSubscriber("a", ("execve",), at_exit=True)]
    assert plan_syscalls(wanted, RATES) is None
    plan = plan_syscalls(wanted, RATES, at_exit=True)
    assert plan is not None
    assert plan.tracepoints == ("syscalls/sys_exit_execve",)


def test_a_call_that_was_never_counted_is_taken_as_rare() -> None:
    plan = plan_syscalls([SyscallSubscriber("a", ("bpf",))], {})
    assert plan is not None
    assert not plan.raw
