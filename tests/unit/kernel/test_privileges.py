"""Privileges are given up for good, brought into force for a time, and passed to children on purpose alone."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from skep.kernel import privileges
from skep.kernel.privileges import NAMES, Held, confine, mask, passing, raised, rest

ALL = (1 << len(NAMES)) - 1
ROOT = Held(ALL, ALL, 0, ALL, 0, no_new_privileges=False)
BPF, ADMIN, READ = mask(("CAP_BPF",)), mask(("CAP_SYS_ADMIN",)), mask(("CAP_DAC_READ_SEARCH",))
NO_NEW, CLEARED, NOROOT = ("prctl", 38, 1, 0), ("prctl", 47, 4, 0), ("prctl", 28, 3, 0)


class FakeThread:
    """Keeps what was asked; refuses from the call on that ``refuses`` names."""

    def __init__(self, refuses: int = 0) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._refuses = refuses

    def prctl(self, option: int, argument: int, detail: int = 0) -> int:
        if option == self._refuses:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        self.calls.append(("prctl", option, argument, detail))
        return 0

    def capset(self, effective: int, permitted: int, inheritable: int) -> None:
        self.calls.append(("capset", effective, permitted, inheritable))


def test_bits_are_those_of_the_kernel() -> None:
    assert (mask(("CAP_BPF",)), mask(("CAP_PERFMON",)), mask(("CAP_SYS_ADMIN",))) == (
        1 << 39,
        1 << 38,
        1 << 21,
    )
    assert privileges.names(1 << 39 | 1 << 2 | 1 << 55) == (
        "CAP_DAC_READ_SEARCH",
        "CAP_BPF",
        "CAP_55",
    )


def test_what_is_not_kept_is_given_up_for_good() -> None:
    thread = FakeThread()
    said = confine(
        ("CAP_BPF", "CAP_DAC_READ_SEARCH"), ("CAP_DAC_READ_SEARCH",), now=ROOT, door=thread
    )
    assert said == ""
    assert thread.calls[:4] == [NO_NEW, CLEARED, ("capset", ALL, ALL, READ), NOROOT]
    assert thread.calls[4:-1] == [("prctl", 24, bit, 0) for bit in range(len(NAMES))]
    assert thread.calls[-1] == ("capset", BPF | READ, BPF | READ, READ)


def test_what_was_not_held_is_not_held_afterwards() -> None:
    thread = FakeThread()
    few = replace(ROOT, effective=BPF, permitted=BPF, bounding=0)
    assert confine(("CAP_BPF", "CAP_SYS_ADMIN"), ("CAP_SYS_ADMIN",), now=few, door=thread) == ""
    assert thread.calls == [NO_NEW, CLEARED, ("capset", BPF, BPF, 0)]


def test_without_setpcap_it_says_that_children_hold_the_same() -> None:
    thread = FakeThread()
    few = replace(ROOT, effective=BPF, permitted=BPF)
    said = confine((), now=few, door=thread)
    assert said == "children hold the same capabilities: CAP_SETPCAP is missing"
    assert thread.calls == [NO_NEW, CLEARED, ("capset", 0, 0, 0)]


def test_a_refusal_is_told_and_is_no_error() -> None:
    said = confine((), now=ROOT, door=FakeThread(refuses=28))
    assert said == "some privileges stay: Operation not permitted"


def test_what_rests_is_raised_for_a_block_alone() -> None:
    thread = FakeThread()
    held = Held(BPF | READ, BPF | READ, READ, 0, 0, no_new_privileges=True)
    rest(("CAP_DAC_READ_SEARCH",), now=held, door=thread)
    resting = replace(held, effective=READ)

    def fails() -> None:
        with raised(("CAP_BPF", "CAP_SYS_ADMIN"), now=resting, door=thread):
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert thread.calls == [
        ("capset", READ, BPF | READ, READ),
        ("capset", BPF | READ, BPF | READ, READ),
        ("capset", READ, BPF | READ, READ),
    ]


def test_children_are_passed_what_may_be_passed_during_the_block() -> None:
    thread = FakeThread()
    held = Held(READ, ADMIN | READ, READ, 0, 0, no_new_privileges=True)
    with passing(("CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"), now=held, door=thread):
        assert thread.calls == [("prctl", 47, 2, 2)]
    assert thread.calls[1:] == [CLEARED]


def test_what_a_process_holds_is_read_from_proc(tmp_path: Path) -> None:
    lines = "Name:\ta b\nCapInh:\t04\nCapPrm:\t0c\nCapEff:\t08\nCapBnd:\tff\nCapAmb:\t01\nNoNewPrivs:\t1\n"
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "status").write_text(lines)
    assert privileges.held(7, str(tmp_path)) == Held(8, 12, 4, 255, 1, no_new_privileges=True)
    assert privileges.held(os.getpid()).permitted == privileges.held().permitted
    with pytest.raises(FileNotFoundError):
        privileges.held(8, str(tmp_path))
