"""Objects that values keep one by one: the same in the kernel and as plain Python."""

import os

import pytest

import skep
from skep.base.errors import VerifierError
from tests.kernel.lang import keeper_programs as p

pytestmark = pytest.mark.requires("btf.objects")
PACKET = bytes(20)
OWNED = (p.keeps, p.reads, p.takes, p.swaps, p.clears, p.holds)


class Both:
    """Programs in the kernel and as plain Python, side by side, with an empty slot."""

    def __init__(self, live: skep.Live) -> None:
        self.live, self.kernel = live, skep.FakeKernel()
        self.write()

    def write(self) -> None:
        """Nothing is kept in the slot, there and here."""
        self.live[p.slots][0] = p.Slot()
        self.kernel[p.slots][0] = p.Slot()

    def run(self, program: skep.Program, size: int = 20) -> int:
        """What one gives, and leaves, here as there."""
        result = self.live.programs[program.name].test_run(bytes(size)).retval
        assert program.py(bytes(size), kernel=self.kernel) == result
        assert dict(self.live[p.found].items()) == dict(self.kernel[p.found])
        assert dict(self.live[p.slots].items()) == dict(self.kernel[p.slots])
        return result

    def found(self, *at: int) -> list[int]:
        """Numbers that programs left."""
        return [self.live[p.found][one] for one in at]


def test_an_object_is_kept_read_and_taken() -> None:
    with skep.load(*OWNED, attach=False) as live:
        both = Both(live)
        assert (both.run(p.reads), both.run(p.takes)) == (3, 3)
        assert (both.run(p.keeps, 30), both.run(p.reads, 40), both.run(p.reads)) == (2, 2, 2)
        assert (both.run(p.takes), both.found(0, 1)) == (2, [30, 60])
        assert both.run(p.takes) == 3
        assert live[p.slots][0].seen == 1


def test_the_one_before_is_dropped_or_given() -> None:
    with skep.load(*OWNED, attach=False) as live:
        both = Both(live)
        assert [both.run(p.keeps, size) for size in (20, 30)] == [2, 2]
        assert (both.run(p.swaps, 50), both.found(2, 3)) == (2, [30, 50])
        assert (both.run(p.clears), both.run(p.clears)) == (2, 0)
        assert both.run(p.swaps) == 3


def test_what_is_kept_has_more_holders() -> None:
    with skep.load(*OWNED, attach=False) as live:
        both = Both(live)
        both.run(p.keeps, 60)
        assert (both.run(p.holds), both.found(4)) == (2, [1060])
        assert both.run(p.holds) == 3


def test_a_value_that_is_written_over_or_deleted_drops_what_it_keeps() -> None:
    with skep.load(*OWNED, attach=False) as live:
        both = Both(live)
        for _ in range(2):
            assert (both.run(p.keeps), both.run(p.reads)) == (2, 2)
            both.write()
            assert both.run(p.reads) == 3
            both.run(p.keeps)
            del live[p.slots][0], both.kernel[p.slots][0]
            both.write()
            assert both.run(p.takes) == 3


@pytest.mark.requires("kfunc.bpf_percpu_obj_new_impl")
def test_objects_of_each_cpu_are_used_where_they_are_kept() -> None:
    programs = (p.counts_here, p.gives_counts_back, p.clears)
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        with skep.load(*programs, attach=False) as live:
            both = Both(live)
            assert [both.run(p.counts_here, size) for size in (20, 30, 40)] == [2, 2, 2]
            assert both.found(5, 6) == [3, 90]
            assert (both.run(p.gives_counts_back), both.run(p.gives_counts_back)) == (2, 3)
            assert (both.run(p.counts_here, 50), both.found(5, 6)) == (2, [1, 50])
            assert (both.run(p.clears), both.run(p.clears)) == (1, 0)
    finally:
        os.sched_setaffinity(0, cpus)


@pytest.mark.requires("btf.objects_in_objects")
def test_objects_keep_objects() -> None:
    with skep.load(p.fills, p.opens, attach=False) as live:
        kernel = skep.FakeKernel()
        for shelf in (None, p.Shelf()):
            if shelf is not None:
                live[p.shelves][1] = p.Shelf()
                kernel[p.shelves][1] = shelf
            for program in (p.opens, p.fills, p.fills, p.opens, p.opens):
                result = live.programs[program.name].test_run(PACKET).retval
                assert program.py(PACKET, kernel=kernel) == result
        assert [live[p.found][at] for at in (0, 7)] == [20, 5]
        assert [kernel[p.found][at] for at in (0, 7)] == [20, 5]


def test_the_storage_of_a_task_keeps_an_object() -> None:
    with skep.load(p.visits_once) as live:
        live[p.mine][os.getpid()] = 1
        os.getppid()
        assert live[p.found][0] == 0
        os.getppid()
        assert live[p.found][0] == 77
        os.getppid()
        live[p.found][0] = 0
        del live[p.visits][os.getpid()]
        os.getppid()
        assert live[p.found][0] == 0


def test_a_program_that_may_wait_reads_in_a_section_of_rcu() -> None:
    with skep.load(p.waits, *OWNED, attach=False) as live:
        both = Both(live)
        both.run(p.keeps, 35)
        assert live.programs["waits"].test_run().retval == 35
        fake = {"bpf_rcu_read_lock": lambda: None, "bpf_rcu_read_unlock": lambda: None}
        both.kernel.helpers.update(fake)
        assert p.waits.py(kernel=both.kernel) == 35


def test_what_was_kept_is_used_by_another_name() -> None:
    with pytest.raises(VerifierError) as caught, skep.load(p.uses_what_another_name_gave_away):
        pass
    assert "| other.key = 5" in str(caught.value)
