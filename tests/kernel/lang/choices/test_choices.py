"""``match``, and functions with several results, do the same in the kernel and as plain Python."""

import pytest

from skep.lang.programs import Program
from tests.kernel.lang.both import live, packets, plain
from tests.kernel.lang.choices import programs

PROGRAMS = [*programs.MATCHES, *programs.SEVERAL]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_a_choice_is_the_same_in_the_kernel_and_as_plain_python(program: Program) -> None:
    given = list(packets(3, 8))
    left = plain(program, given)
    assert live(program, given) == left
    assert len(set(left)) > 2
