"""Bit fields and unions are the same in the kernel and as plain Python."""

import pytest

import skep
from skep.lang.programs import Program
from tests.kernel.lang.both import live, packets, plain
from tests.kernel.lang.layouts import programs

PROGRAMS = list(programs.ALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_a_layout_is_the_same_in_the_kernel_and_as_plain_python(program: Program) -> None:
    given = list(packets(3, 8))
    left = plain(program, given)
    assert live(program, given) == left
    assert len(set(left)) > 2


def test_one_of_two_fields_of_a_kernel_object_is_taken_by_a_bit() -> None:
    with skep.load(programs.chosen_of_a_socket, attach=False):
        pass
