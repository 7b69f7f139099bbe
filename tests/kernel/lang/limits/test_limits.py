"""The checks refuse nothing that the verifier takes."""

import skep
from skep.lang.programs import Program
from tests.kernel.lang.limits import programs

PROGRAMS = [one for one in vars(programs).values() if isinstance(one, Program)]


def test_what_is_limited_given_back_or_taken_again_is_loaded() -> None:
    with skep.load(*PROGRAMS) as live:  # an error names its program
        assert [live.name(one) for one in PROGRAMS] == [one.name for one in PROGRAMS]
