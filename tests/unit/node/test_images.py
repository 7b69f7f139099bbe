"""Whether two starts of one pid are one process: /proc tells them to a clock tick, programs to the nanosecond."""

from hypothesis import given
from hypothesis import strategies as some

from skep.node.images import TICK, same_start

STARTS = some.integers(1, 1 << 62)


@given(STARTS)
def test_a_start_is_that_which_proc_rounds_down(start: int) -> None:
    rounded = start // TICK * TICK
    assert same_start(start, rounded)
    assert same_start(rounded, start)
    assert same_start(start, start)


@given(STARTS, some.integers(1, TICK))
def test_two_exact_starts_are_two_processes_though_in_one_tick(start: int, later: int) -> None:
    one, other = start * TICK + 1, start * TICK + 1 + later % (TICK - 1)
    assert same_start(one, other) is (one == other)


@given(STARTS, some.integers(0, TICK - 1))
def test_a_start_in_another_tick_is_another_process(tick: int, into: int) -> None:
    assert not same_start(tick * TICK, (tick + 1) * TICK + into)
    assert not same_start((tick + 1) * TICK + into, tick * TICK)
