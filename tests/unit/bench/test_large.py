import pytest

from bench.figures import GOALS
from bench.large import Row, Side, figures, programs, table, told

STATISTICS = """verification time 35292 usec
stack depth 40
processed 17548 insns (limit 1000000) max_states_per_insn 16 total_states 272 peak_states 796 mark_read 0
"""
SMALL = Row("matcher", Side(100, 900, 20, 50.0), Side(90, 1000, 40, 100.0))
SLOW = Row("other", Side(200, 9, 30, 120.0), Side(180, 10, 20, 100.0))


def test_instructions_and_states_are_read_from_the_statistics_of_the_verifier() -> None:
    assert told(STATISTICS) == (17548, 272)
    with pytest.raises(ValueError, match="no statistics"):
        told("")


def test_the_figures_are_the_worst_of_all_and_the_time_of_the_matcher() -> None:
    found = figures([SMALL, SLOW])
    assert {name: figure.value for name, figure in found.items()} == {
        "large.states_vs_clang": 1.5,
        "large.ns_vs_clang": 1.2,
        "large.matcher_ns": 50.0,
    }
    assert found["large.matcher_ns"].peer == 100.0
    assert set(found) == {name for name in GOALS if name.startswith("large.")}


def test_the_table_has_a_line_for_each_side() -> None:
    assert [line.split() for line in table([SMALL]).splitlines()] == [
        ["program", "slots", "processed", "states", "ns"],
        ["matcher", "100", "900", "20", "50.0"],
        ["clang", "90", "1000", "40", "100.0"],
    ]


def test_every_large_program_has_a_twin_with_a_function_of_its_name() -> None:
    for one in programs():
        assert f"\nint {one.program.name}(" in one.twin.read_text()
