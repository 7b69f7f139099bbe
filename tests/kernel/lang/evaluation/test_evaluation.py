"""Parts of programs that have effects run as often, and in that order, as in plain Python."""

import pytest

import skep
from skep.lang.programs import Program
from tests.kernel.lang.both import Given, live, packets, plain
from tests.kernel.lang.evaluation import programs

PROGRAMS = [one for one in vars(programs).values() if isinstance(one, Program)]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda one: one.name)
def test_the_same_as_plain_python(program: Program) -> None:
    given = list(packets(1, 12))
    assert live(program, given) == plain(program, given)


def test_numbers_behind_pointers_change_places() -> None:
    data = Given(b=3, c=5).to_bytes()
    for ((verdict, left),) in (both(programs.numbers_exchanged, [data]) for both in (live, plain)):
        assert (verdict, Given.from_bytes(left).a) == (3005, 5003)


def test_a_number_behind_a_pointer_is_read_in_its_turn() -> None:
    data = Given(b=3, c=5).to_bytes()
    for ((verdict, left),) in (both(programs.number_in_turn, [data]) for both in (live, plain)):
        assert (verdict, Given.from_bytes(left).a) == (3 + 8 * 1, 8 + 13 * 2)


def test_a_value_for_a_map_is_worked_out_before_its_key() -> None:
    kernel = skep.FakeKernel()
    programs.value_before_key.py(bytearray(128), kernel=kernel)
    with skep.load(programs.value_before_key, attach=False) as loaded:
        loaded.programs["value_before_key"].test_run(bytes(128))
        assert dict(loaded[programs.table]) == dict(kernel[programs.table]) == {2: 1}
