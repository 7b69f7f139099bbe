"""The times of test runs: which programs have one, and how they are shown."""

import pytest

from bench import runs, shipped
from bench._packets import TIMED
from bench.runs import Timed

EVERY = shipped.programs()
RUN = [one for one in EVERY if runs.runnable(one.program.kind)]
KINDS = {"xdp", "tcx_ingress", "tcx_egress", "raw_tp"}


@pytest.mark.parametrize("one", RUN, ids=str)
def test_every_program_that_can_be_run_on_request_has_its_input(one: shipped.Shipped) -> None:
    with runs.given(one) as prepared:
        assert callable(prepared)


def test_no_packet_is_for_a_program_that_is_not_shipped() -> None:
    assert set(TIMED) < {str(one) for one in RUN}
    assert {one.program.kind.name for one in RUN} == KINDS


def test_a_program_without_input_is_an_error() -> None:
    attached = next(one for one in EVERY if one not in RUN)
    with pytest.raises(KeyError, match=str(attached)), runs.given(attached):
        pass


def test_programs_that_only_run_where_they_are_attached_are_named_and_counted() -> None:
    others = [one for one in EVERY if one not in RUN]
    shown = runs.left(others)
    assert shown.splitlines()[0].endswith(f": {len(others)}")
    words = " ".join(shown.split())
    assert all(str(one) in words for one in others)


def test_the_table_has_a_line_a_program() -> None:
    shown = runs.table([Timed("a b", 110, 100, 1.1), Timed("longer", 9.04, 10, 0.904)])
    assert [line.split() for line in shown.splitlines()] == [
        ["ns", "of", "a", "test", "run", "ours", "clang", "ratio"],
        ["a", "b", "110.0", "100.0", "1.100"],
        ["longer", "9.0", "10.0", "0.904"],
    ]
