"""Hot hooks are planned for all who want them."""

import pytest

from skep.kernel.dispatch.plan import EPYC, Costs, Held, SyscallSubscriber, plan_syscalls

RATES = {"read": 60_000.0, "write": 30_000.0, "openat": 9_000.0, "execve": 1_000.0}


def test_rare_calls_get_their_own_tracepoints() -> None:
    plan = plan_syscalls(
        [SyscallSubscriber("a", ("execve",)), SyscallSubscriber("b", ("stat",))], RATES
    )
    assert plan is not None
    assert not plan.raw
    assert plan.tracepoints == ("syscalls/sys_enter_execve", "syscalls/sys_enter_newstat")
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


@pytest.mark.parametrize(
    ("costs", "share", "raw"),
    [(Costs(), 0.48, False), (Costs(), 0.50, True), (EPYC, 0.39, False), (EPYC, 0.41, True)],
)
def test_the_share_from_which_on_the_raw_hook_is_cheaper(
    *, costs: Costs, share: float, raw: bool
) -> None:
    rates = {"read": share, "write": 1 - share}
    plan = plan_syscalls([SyscallSubscriber("a", ("read",))], rates, costs=costs)
    assert plan is not None
    assert plan.raw is raw


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


def test_who_wants_all_calls_gets_the_raw_hook() -> None:
    wanted = [SyscallSubscriber("a", ("execve",)), SyscallSubscriber("b", ())]
    plan = plan_syscalls(wanted, RATES)
    assert plan is not None
    assert (plan.raw, plan.tracepoints, plan.bitmap) == (True, (), ())


def test_a_hook_that_is_there_costs_nothing_more() -> None:
    rare = [SyscallSubscriber("a", ("execve",))]
    plan = plan_syscalls(rare, RATES, held=Held(raw=True))
    assert plan is not None
    assert (plan.raw, plan.ns) == (True, 0.0)
    often, rates = [SyscallSubscriber("a", ("read",))], {"read": 0.52, "write": 0.48}
    alone, beside = (plan_syscalls(often, rates, held=Held(classic=c)) for c in (False, True))
    assert alone is not None
    assert beside is not None
    assert (alone.raw, alone.ns) == (True, 25.0)
    assert not beside.raw
    assert beside.ns == pytest.approx(45 * 0.52)
