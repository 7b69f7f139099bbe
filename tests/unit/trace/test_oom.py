"""Which program a kernel gets: by what its tracepoint names, and how it counts pages."""

from types import SimpleNamespace as Kernel
from typing import Any

import pytest

from skep.base.errors import Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Member, Param
from skep.btf.writer import Builder
from skep.lang.plain.kernel import FakeKernel
from skep.lang.programs import Program
from skep.node.programs.lifecycle import lifecycle
from skep.node.programs.records import ONLY_PID
from skep.trace import oom
from skep.trace.programs import oom as programs
from skep.trace.programs.oom import PAGE


def kernel(*, task: bool, counters: bool) -> Btf:
    make = Builder()
    number = make.integer("int", 4, signed=True)
    counter = make.struct("counter", 8, [Member("count", number, 0)])
    pages = make.array(counter, number, 4) if counters else counter
    memory = make.struct("mm_struct", 32, [Member("rss_stat", pages, 0)])
    victim = make.ptr(make.struct("task_struct", 8, [Member("mm", make.ptr(memory), 0)]))
    params = [Param("", make.ptr(0)), Param("", victim if task else number)]
    make.typedef("btf_trace_mark_victim", make.ptr(make.prototype(0, params)))
    return Btf(make.build())


@pytest.mark.parametrize(
    ("task", "counters", "name"),
    [
        (True, True, "on_victim"),
        (True, False, "on_victim_before"),
        (False, True, "on_victim_pid"),
        (False, False, "on_victim_pid"),
    ],
)
def test_the_program_is_the_one_for_the_kernel(*, task: bool, counters: bool, name: str) -> None:
    assert [one.name for one in oom.programs(kernel(task=task, counters=counters))] == [name]


def test_a_kernel_without_the_tracepoint_has_none() -> None:
    with pytest.raises(Unsupported, match="mark_victim"):
        oom.programs(Btf(Builder().build()))


def victim(**memory: object) -> Kernel:
    """A task of process 7 in cgroup 9, led by another thread."""
    return Kernel(
        tgid=7,
        real_cred=Kernel(uid=Kernel(val=1)),
        cgroups=Kernel(dfl_cgrp=Kernel(kn=Kernel(id=9))),
        group_leader=Kernel(comm="greedy"),
        mm=Kernel(**memory),
    )


def told(program: Program, argument: object) -> Any:  # noqa: ANN401 - an Oom as plain Python gives it
    kernel = FakeKernel()
    program.py(argument, kernel=kernel)
    (event,) = kernel[lifecycle].poll()
    return event


def test_pages_are_those_of_files_of_its_own_and_shared_not_what_is_swapped() -> None:
    counts = [3, 40, 500, 6000]
    per_cpu = victim(rss_stat=[Kernel(count=count) for count in counts])
    plain = victim(rss_stat=Kernel(count=[Kernel(counter=count) for count in counts]))
    for event in (told(programs.on_victim, per_cpu), told(programs.on_victim_before, plain)):
        assert event.resident_bytes == 6043 * PAGE
        assert (event.pid, event.uid, event.cgroup, event.comm) == (7, 1, 9, "greedy")


def test_a_count_below_zero_is_none() -> None:
    event = told(programs.on_victim, victim(rss_stat=[Kernel(count=c) for c in (-2, 5, 0, -1)]))
    assert event.resident_bytes == 5 * PAGE


def test_where_only_a_pid_is_told_the_event_says_so() -> None:
    event = told(programs.on_victim_pid, 77)
    assert (event.pid, event.flags, event.comm) == (77, ONLY_PID, "")
