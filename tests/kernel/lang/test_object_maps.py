"""Objects that programs allocate, linked into lists and trees: the same in the kernel and as plain Python."""

import copy
import os

import pytest

import skep
from skep.base.errors import BadInput, VerifierError
from skep.program.live import Live
from skep.program.machine import Machine
from skep.program.objects import compiled
from tests.kernel.lang import object_programs as p

pytestmark = pytest.mark.requires("btf.objects")
LISTS = (p.keeps, p.takes, p.turns)
TREES = (p.sorts, p.least, p.links_twice, p.unlinks)
PACKET = bytes(20)


class Both:
    """Programs in the kernel and as plain Python, side by side."""

    def __init__(self, live: skep.Live) -> None:
        self.live, self.kernel = live, skep.FakeKernel()

    def run(self, program: skep.Program, size: int = 20) -> int:
        """What one gives, and leaves, here as there."""
        found = self.live.programs[program.name].test_run(bytes(size)).retval
        assert program.py(bytes(size), kernel=self.kernel) == found
        assert dict(self.live[p.seen].items()) == dict(self.kernel[p.seen])
        return found

    def write(self, value: p.Jobs) -> None:
        """A value with lists, there and here."""
        self.live[p.jobs][1] = copy.copy(value)
        self.kernel[p.jobs][1] = value

    def seen(self, *at: int) -> list[int]:
        """Numbers that programs left."""
        return [self.live[p.seen][one] for one in at]


def test_a_list_gives_what_was_linked_from_either_end() -> None:
    with skep.load(*LISTS, attach=False) as live:
        both = Both(live)
        assert [both.run(p.keeps, size) for size in (20, 30, 40)] == [2, 2, 2]
        assert live[p.buckets][0] == both.kernel[p.buckets][0] == p.Bucket(count=3)
        assert (both.run(p.turns), both.seen(4)) == (2, [40 + 30 + 20 + 40])
        for size in (40, 20, 30):
            assert (both.run(p.takes), both.seen(0, 1, 2, 3)) == (2, [size, 4, 7, 1])
        assert both.run(p.takes) == 3


def test_a_value_of_an_array_that_is_written_over_drops_its_objects() -> None:
    with skep.load(*LISTS, attach=False) as live:
        both = Both(live)
        both.run(p.keeps)
        live[p.buckets][0] = p.Bucket(count=9)
        both.kernel[p.buckets][0] = p.Bucket(count=9)
        assert both.run(p.takes) == 3
        assert live[p.buckets][0] == both.kernel[p.buckets][0] == p.Bucket(count=9)


def test_a_tree_is_sorted_by_a_function_of_the_program() -> None:
    with skep.load(*TREES, attach=False) as live:
        both = Both(live)
        both.write(p.Jobs())
        assert [both.run(p.sorts, size) for size in (20, 40, 30, 30)] == [2, 2, 2, 2]
        for size in (40, 30, 30, 20):
            assert (both.run(p.least), both.seen(5, 6)) == (2, [100 - size, size + 5])
        assert both.run(p.least) == 3


def test_an_object_with_two_holders_is_in_a_list_and_in_a_tree() -> None:
    with skep.load(*TREES, attach=False) as live:
        both = Both(live)
        both.write(p.Jobs())
        assert (both.run(p.links_twice, 50), both.run(p.unlinks)) == (2, 2)
        assert both.seen(7) == [50]
        assert (both.run(p.least), both.seen(5)) == (2, [50])
        assert (both.run(p.least), both.run(p.unlinks)) == (3, 2)


def test_a_value_of_a_hash_that_is_written_over_keeps_its_objects() -> None:
    with skep.load(*TREES, attach=False) as live:
        both = Both(live)
        both.write(p.Jobs())
        both.run(p.links_twice, 50)
        both.write(p.Jobs())
        assert both.run(p.unlinks) == 2
        del live[p.jobs][1], both.kernel[p.jobs][1]
        both.write(p.Jobs())
        assert both.run(p.unlinks) == 3


def test_functions_take_and_give_objects() -> None:
    with skep.load(p.passes_on, attach=False) as live:
        both = Both(live)
        assert [both.run(p.passes_on, size) for size in (20, 100)] == [2, 2]
        assert live[p.buckets][0].count == both.kernel[p.buckets][0].count == 1


def test_objects_have_fields_of_every_kind() -> None:
    with skep.load(p.fills, p.empties, p.fills_each, attach=False) as live:
        kernel = skep.FakeKernel()
        for key in (1, 2):
            live[p.boxes][key] = p.Box()
            kernel[p.boxes][key] = p.Box()
        for program in (p.fills, p.fills, p.fills_each, p.empties, p.empties):
            found = live.programs[program.name].test_run(PACKET).retval
            assert program.py(PACKET, kernel=kernel) == found
            assert dict(live[p.boxes].items()) == dict(kernel[p.boxes])
        assert found == 0
        assert dict(live[p.by_number].items()) == dict(kernel[p.by_number]) == {1: 2}
        assert dict(live[p.by_pair].items()) == dict(kernel[p.by_pair]) == {p.Pair(1, 2): 7}
        assert live[p.boxes][1].sum == 2 * (5 + 9 + 3) + 1


def test_programs_that_watch_and_of_devices_make_objects_too() -> None:
    with skep.load(p.traces) as live:
        live[p.jobs][os.getpid()] = p.Jobs()
        os.getppid()
        assert live[p.seen][7] == 77
    assert skep.run(p.makes_one, PACKET).verdict == p.makes_one.py(PACKET) == 2


def test_what_only_the_verifier_finds_is_told_at_the_line() -> None:
    with pytest.raises(VerifierError) as caught, skep.load(p.drops_twice, p.keeps, attach=False):
        pass
    said = "an allocated object is used here that the program has no more"
    assert said in str(caught.value)
    assert "| entry.drop()" in str(caught.value)
    with pytest.raises(VerifierError) as caught, skep.load(p.keeps_under_another_name):
        pass
    assert "an allocated object is still held where the program returns" in str(caught.value)
    assert "drop it, or link or keep it, on every path" in str(caught.value)


def test_a_program_with_maps_of_its_own_is_added_to_others() -> None:
    machine = Machine()
    made = compiled([p.keeps, p.takes, p.links_twice], machine)
    with skep.load(*LISTS, attach=False) as live, Live(machine) as other:
        live.add(p.links_twice, made[2])
        both = Both(live)
        both.write(p.Jobs())
        assert (both.run(p.links_twice), both.run(p.keeps), both.run(p.takes)) == (2, 2, 2)
        other.add(p.keeps, made[0])
        assert other.programs["keeps"].test_run(PACKET).retval == 2
        assert other[p.buckets][0].count == 1


def test_programs_are_added_that_use_lists_and_trees_of_others() -> None:
    machine = Machine()
    later = (p.takes, p.turns, p.least, p.unlinks)
    made = compiled(later, machine)
    with skep.load(p.keeps, p.sorts, p.links_twice, attach=False) as live:
        for program, one in zip(later, made, strict=True):
            live.add(program, one)
        both = Both(live)
        both.write(p.Jobs())
        assert [both.run(p.keeps, size) for size in (20, 30)] == [2, 2]
        assert (both.run(p.turns), both.seen(4)) == (2, [30 + 20 + 30 + 20])
        assert (both.run(p.takes), both.seen(0, 1, 2, 3)) == (2, [20, 4, 7, 1])
        assert [both.run(p.sorts, size) for size in (20, 40, 30)] == [2, 2, 2]
        assert (both.run(p.links_twice, 50), both.run(p.unlinks)) == (2, 2)
        assert [(both.run(p.least), both.seen(5)) for _ in range(2)] == [(2, [50]), (2, [60])]


def test_what_the_verifier_says_of_a_program_that_was_added_is_told_at_its_lines() -> None:
    machine = Machine()
    (made,) = compiled([p.takes_and_drops_twice], machine)
    with skep.load(p.keeps, attach=False) as live, pytest.raises(VerifierError) as caught:
        live.add(p.takes_and_drops_twice, made)
    assert "an allocated object is used here that the program has no more" in str(caught.value)
    assert "| entry.drop()" in str(caught.value)


@pytest.mark.parametrize("program", [p.passes_on, p.sorts_and_keeps], ids=lambda one: one.name)
def test_a_program_that_needs_more_than_the_types_of_others_is_loaded_with_those(
    program: skep.Program,
) -> None:
    machine = Machine()
    (made,) = compiled([program], machine)
    with skep.load(p.keeps, attach=False) as live:
        text = f"{program.name}: it uses lists or trees of programs that were loaded before"
        with pytest.raises(BadInput, match=text):
            live.add(program, made)


def test_programs_without_objects_are_loaded_beside() -> None:
    with skep.load(p.plain, *LISTS, attach=False) as live:
        both = Both(live)
        assert (both.run(p.plain), both.run(p.keeps)) == (2, 2)
