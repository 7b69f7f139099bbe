"""Ordinary Python does the same in the kernel and as plain Python, on kernels old and new."""

import pytest

import skep
from skep.lang.check.loops import Lowering, lowerings
from skep.lang.compile import tree
from skep.lang.front.scope import Target
from skep.lang.programs import Program
from skep.lang.tree import For, walk
from tests.kernel.lang.both import Given, compiled_so, live, packets, plain
from tests.kernel.lang.idioms import programs

PROGRAMS = list(programs.ALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_an_idiom_does_the_same_in_the_kernel_and_as_plain_python(program: Program) -> None:
    given = list(packets(7, 12))
    left = plain(program, given)
    assert live(program, given) == left
    assert len(set(left)) > 2


@pytest.mark.native("plain Python; the other test compares it with the kernel")
def test_arrays_and_structs_change_places() -> None:
    given = Given(b=300, d=9, e=1, data=list(range(44)))
    packet = bytearray(given.to_bytes())
    assert programs.swaps.py(packet) == 2
    left = Given.from_bytes(bytes(packet))
    assert left.data[:8] == [4, 5, 6, 7, 0, 1, 2, 3]
    assert left.out[:7] == [0, 1, 2, 0, 4, 5, 6]
    assert left.out[8:11] == [9, 0, 300 & 255]


@pytest.mark.native("the guests have no compiler")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_so_it_does_where_long_loops_are_called(program: Program) -> None:
    given = list(packets(8, 6))
    target = Target(skep.Machine().target.types, callbacks=True)
    assert compiled_so(program, target, given) == plain(program, given)


@pytest.mark.native("the guests have no compiler")
def test_a_range_of_a_known_length_is_followed_by_the_verifier() -> None:
    made = tree(programs.distances, skep.Machine().target)
    how = lowerings([made], iterates=True)
    loops = [part for part in walk(*made.body) if isinstance(part, For)]
    assert [how(loop) for loop in loops] == [Lowering.PLAIN] * 5
