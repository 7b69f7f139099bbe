"""The verifier takes what the compiler makes of contexts: whole arrays, parts of fields, objects behind pointers."""

import pytest

import skep
from skep.lang.programs import Program
from tests.kernel.kinds.programs import contexts

PROGRAMS = [one for one in vars(contexts).values() if isinstance(one, Program)]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda one: one.name)
def test_a_context_is_read_as_the_verifier_wants_it(program: Program) -> None:
    with skep.load(program, attach=False) as live:
        assert live.programs[program.name].info().xlated_size > 0
