"""Turning powers on: ways in order, refusals told, nothing left of what failed."""

from typing import cast

import pytest

from skep.agent.powers import Outcome, Power, Refusal, Way, reason, turn_on
from skep.base.errors import (
    CompileError,
    Forbidden,
    KernelError,
    SkepError,
    Unsupported,
    VerifierError,
)
from skep.lang.decorators.tracing import tp_btf
from skep.lang.finish import Compiled
from skep.lang.programs import Program

ERRORS = {
    "absent": Unsupported("tp_btf x", "there is none of that name", "5.5"),
    "outside": CompileError("no such tracepoint"),
    "unsafe": VerifierError("p", "it may loop"),
    "busy": KernelError("link", 16, "busy"),
}


def program(name: str) -> Program:
    def body(task: object) -> None:
        del task

    body.__name__ = name
    return tp_btf("sched_process_exec")(body)


class Held:
    """A loaded program, or a link."""

    def __init__(self, name: str, open_ones: list[str]) -> None:
        self.name, self._open = name, open_ones
        open_ones.append(name)

    def close(self) -> None:
        self._open.remove(self.name)


class FakeLive:
    """Loads and attaches, but what a test says it refuses; ``open`` is what is held."""

    def __init__(
        self, load: dict[str, str] | None = None, attach: dict[str, str] | None = None
    ) -> None:
        self.open: list[str] = []
        self._load, self._attach = load or {}, attach or {}

    def add(self, program: Program, made: Compiled) -> Held:
        assert made is MADE
        if program.name in self._load:
            raise ERRORS[self._load[program.name]]
        return Held(program.name, self.open)

    def attach(self, program: Program) -> Held:
        if program.name in self._attach:
            raise ERRORS[self._attach[program.name]]
        return Held(f"link of {program.name}", self.open)


MADE = cast(Compiled, object())


def made(_: Program) -> Compiled:
    return MADE


A, B, C = map(program, "abc")
FIRST, SECOND = Way((A, B), "first", "1 ns"), Way((C,), "second", "2 ns", "half of it")
POWER = Power("p", ("exec",), (FIRST, SECOND))


def test_the_first_way_that_works_is_used() -> None:
    live = FakeLive()
    assert turn_on([POWER], live, made) == [Outcome(POWER, FIRST)]
    assert live.open == ["a", "b", "link of a", "link of b"]


@pytest.mark.parametrize("error", ERRORS)
def test_a_refusal_leads_to_the_next_way_and_leaves_nothing(error: str) -> None:
    for live in (FakeLive(load={"b": error}), FakeLive(attach={"b": error})):
        (outcome,) = turn_on([POWER], live, made)
        assert outcome.way is SECOND
        assert outcome.refusals == (Refusal("first", reason(ERRORS[error])),)
        assert sorted(live.open) == ["c", "link of c"]


def test_a_hook_that_is_used_all_the_same_is_not_told_to_be_refused() -> None:
    both = Way((A, B), "fexit f, g, tp_btf t", "1 us")
    alone = Way((C,), "tp_btf t, sys_exit_f", "2 us")
    (found,) = turn_on(
        (Power("p", ("exec",), (both, alone)),), FakeLive(load={"a": "absent"}), made
    )
    assert [one.hook for one in found.refusals] == ["fexit f, g"]
    (found,) = turn_on(
        (Power("p", ("exec",), (alone, both)),), FakeLive(load={"c": "absent"}), made
    )
    assert [one.hook for one in found.refusals] == ["sys_exit_f"]


def test_a_power_without_a_way_is_off_and_the_others_go_on() -> None:
    other = Power("q", ("exit",), (SECOND,))
    live = FakeLive(load={"a": "absent"})
    alone = Power("p", ("exec",), (FIRST,))
    outcomes = turn_on([alone, other], live, made)
    assert [outcome.way for outcome in outcomes] == [None, SECOND]


def test_a_way_that_is_known_to_be_absent_is_told() -> None:
    known = Power("p", ("drop",), (Refusal("kfree_skb", "too old"), SECOND))
    (outcome,) = turn_on([known], FakeLive(), made)
    assert (outcome.way, outcome.refusals) == (SECOND, (Refusal("kfree_skb", "too old"),))
    assert known.programs == (C,)


def test_a_missing_privilege_is_no_refusal_of_the_kernel() -> None:
    def forbidden(_: Program) -> Compiled:
        raise Forbidden("loading", "CAP_BPF")

    live = FakeLive()
    with pytest.raises(Forbidden):
        turn_on([POWER], live, forbidden)
    assert live.open == []


def test_base_powers_are_wanted_whatever_is_asked() -> None:
    kinds = frozenset({"exec"})
    assert POWER.wanted(kinds)
    assert not Power("q", ("exit",), ()).wanted(kinds)
    assert Power("q", ("exit",), (), base=True).wanted(kinds)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ERRORS["absent"], "tp_btf x: there is none of that name"),
        (ERRORS["outside"], "no such tracepoint"),
        (ERRORS["unsafe"], "the kernel refused p: it may loop"),
        (ERRORS["busy"], "link: busy"),
    ],
)
def test_a_reason_is_one_line(error: SkepError, text: str) -> None:
    assert reason(error) == text
