"""The agent's programs in this kernel: loaded, refused, replaced, and gone when they are closed."""

import pytest

from skep.agent.powers import Power
from skep.agent.programs import LEAST_RING, Programs
from skep.agent.rings import LIFECYCLE
from skep.agent.wiring import WEIGHTS, parameters, powers
from skep.kernel import stats
from skep.program.machine import Machine
from tests.kernel.agent.conftest import wait_for
from tests.kernel.agent.programs import ABSENT, EXEC, EXIT, INSTEAD, LESS, TWICE

pytestmark = pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux")
BUDGET = 4 << 20


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine()


def start(machine: Machine, *wanted: Power) -> Programs:
    return Programs.start(wanted, machine, BUDGET, WEIGHTS)


def loaded(ids: list[int]) -> list[int]:
    present = {one.id for one in stats.all_programs()}
    return [number for number in ids if number in present]


def test_what_is_turned_on_is_attached_until_it_is_closed(machine: Machine) -> None:
    with start(machine, EXEC, EXIT) as programs:
        ids = [info.id for info in programs.infos()]
        assert [info.name for info in programs.infos()] == ["test_exec", "test_exit"]
        assert len(programs.links()) == 2
        assert loaded(ids) == ids
    wait_for(lambda: not loaded(ids), "the kernel has freed them")


def test_a_hook_that_the_kernel_refuses_is_told_and_another_is_used(machine: Machine) -> None:
    with start(machine, EXEC, ABSENT, INSTEAD) as programs:
        states = {one.power: (one.way, one.refusals) for one in programs.outcomes}
        assert [program.name for program in programs.on] == ["test_exec", "test_exit"]
    assert states[EXEC] == (EXEC.ways[0], ())
    assert states[ABSENT][0] is None
    assert states[INSTEAD][0] is INSTEAD.ways[1]
    for power in (ABSENT, INSTEAD):
        assert "no_such_tracepoint_anywhere" in states[power][1][0].reason


def test_a_program_of_several_ways_is_that_of_the_way_that_is_used(machine: Machine) -> None:
    with start(machine, TWICE, LESS) as programs:
        ways = {one.power: one.way for one in programs.outcomes}
        assert (ways[TWICE], ways[LESS]) == (TWICE.ways[0], LESS.ways[1])
        assert [info.name for info in programs.infos()] == ["test_exit", "test_exec"]
        assert len({number for number, _ in programs.links()}) == 2
        assert all(programs.link(program) >= 0 for program in programs.on)


@pytest.mark.native("the kernel tells the memory of a ring since Linux 6.4")
def test_rings_have_the_size_that_the_budget_gives(machine: Machine) -> None:
    with start(machine, EXEC) as programs:
        (ring,) = programs.rings
        sizes = {use.name: use.bytes for use in programs.maps()}
    assert ring.name == LIFECYCLE
    assert LEAST_RING <= ring.size <= BUDGET
    assert ring.size & (ring.size - 1) == 0
    assert sizes[LIFECYCLE] >= ring.size


def test_every_power_of_the_table_is_on_or_says_why(machine: Machine) -> None:
    with Programs.start(powers(machine.btf), machine, BUDGET, WEIGHTS) as programs:
        for outcome in programs.outcomes:
            assert outcome.way is not None or outcome.refusals
        on = {outcome.power.name for outcome in programs.outcomes if outcome.way}
        assert {"exec", "fork", "exit", "connections"} <= on
        assert all(site.total >= site.told for site in programs.drops())


def test_the_arguments_of_a_tracepoint_are_counted(machine: Machine) -> None:
    assert parameters(machine.btf, "sched_process_exec") == 4
    assert parameters(machine.btf, "no_such_tracepoint") == 0
