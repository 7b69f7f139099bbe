"""Parts of programs that have effects run as often, and in that order, as in plain Python."""

import pytest

from skep.lang.programs import Program
from tests.kernel.lang.both import live, packets, plain
from tests.kernel.lang.evaluation import programs

PROGRAMS = [one for one in vars(programs).values() if isinstance(one, Program)]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda one: one.name)
def test_the_same_as_plain_python(program: Program) -> None:
    given = list(packets(1, 12))
    assert live(program, given) == plain(program, given)
