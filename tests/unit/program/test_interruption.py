"""A loop over events is left at its end; what is no loop is interrupted. Signals are raised by the test itself."""

import signal
from collections.abc import Iterator

import pytest

from skep.program.interruption import SIGNALS, Interruption, looping, untimed


@pytest.fixture
def interruption() -> Iterator[Interruption]:
    with Interruption() as found:
        yield found


def steps(most: int = 5) -> Iterator[int]:
    """A loop over events."""
    with looping() as end:
        for number in range(most):
            if end.come:
                return
            yield number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGALRM])
def test_a_loop_is_left_after_the_step_that_it_is_in(
    interruption: Interruption, number: signal.Signals
) -> None:
    done = []
    for step in steps():
        if step == 1:
            signal.raise_signal(number)
        done.append(step)
    assert done == [0, 1]
    assert (interruption.come, interruption.signal) == (True, number)


def test_outside_of_a_loop_it_is_a_keyboard_interrupt(interruption: Interruption) -> None:
    assert list(steps(2)) == [0, 1]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert (interruption.come, interruption.signal) == (False, signal.SIGTERM)


def test_the_second_signal_interrupts_the_step(interruption: Interruption) -> None:
    loop = steps()
    next(loop)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert interruption.come


def test_a_step_that_does_not_end_is_interrupted_after_its_grace(
    interruption: Interruption,
) -> None:
    loop = steps()
    next(loop)
    signal.raise_signal(signal.SIGALRM)
    assert interruption.come
    assert interruption.alarm.left > 0
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGALRM)


def test_the_code_below_a_loop_is_not_interrupted_by_its_grace(interruption: Interruption) -> None:
    for _ in steps():
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGALRM)
    assert interruption.signal == signal.SIGTERM


def test_no_other_loop_begins_when_the_end_has_come(interruption: Interruption) -> None:
    for _ in steps():
        signal.raise_signal(signal.SIGINT)
    assert interruption.come
    with pytest.raises(KeyboardInterrupt):
        next(steps())


def test_handlers_and_timer_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption(1000) as interruption:
        assert interruption.alarm.left > 0
        assert signal.getsignal(signal.SIGINT) is not before
    assert (signal.getsignal(signal.SIGINT), interruption.alarm.left) == (before, 0)


def test_the_time_stands_still_in_a_block_that_it_does_not_count() -> None:
    with Interruption(1000) as interruption:
        with untimed():
            assert interruption.alarm.left == 0
        assert 0 < interruption.alarm.left <= 1000
        interruption.alarm.stop()
        with untimed():
            pass
        assert interruption.alarm.left == 0


def test_the_time_rings_by_itself() -> None:
    interruption = Interruption(0.001)
    with pytest.raises(KeyboardInterrupt), interruption:
        signal.pause()
    assert interruption.signal == signal.SIGALRM


def test_a_signal_before_it_has_begun_leaves_the_handlers_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    interruption = Interruption(1)
    monkeypatch.setattr(interruption.alarm, "set", lambda _: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(KeyboardInterrupt), interruption:
        pytest.fail("the signal came before")
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_with_plain_python_a_loop_never_ends_by_itself() -> None:
    with looping() as end:
        assert (end.come, end.fd) == (False, -1)
