"""Timers in values: they run a function of the program, with their entry, and rest when they are told to."""

import time

import skep
from tests.kernel.lang import timer_programs as p
from tests.kernel.lang.timer_programs import MS, Session

PACKET = bytes(20)
SECONDS = 60.0


def test_a_timer_runs_a_function_with_its_entry() -> None:
    with skep.load(p.begins, attach=False) as live:
        assert live.programs["begins"].test_run(PACKET).retval == 2
        deadline = time.monotonic() + SECONDS
        while live[p.sessions][20].ticks < 31:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert live[p.sessions][20].ticks == 31
        assert live.programs["begins"].test_run(PACKET).retval == 2
        while 20 not in live[p.ended]:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert live[p.ended][20] == 7
        assert live[p.sessions][20] == Session(packets=7, ticks=32)


def test_a_timer_rests() -> None:
    with skep.load(p.rests, attach=False) as live:
        live[p.sessions][20] = Session()
        assert live.programs["rests"].test_run(PACKET).retval == 2


def test_the_same_as_plain_python() -> None:
    kernel = skep.FakeKernel()
    assert p.begins.py(PACKET, kernel=kernel) == 2
    kernel.advance(2 * MS - 1)
    assert kernel[p.sessions][20] == Session(packets=6)
    kernel.advance(1)
    assert kernel[p.sessions][20].ticks == 1
    kernel.advance(9 * MS)
    assert kernel[p.sessions][20].ticks == 31
    assert p.begins.py(PACKET, kernel=kernel) == 2
    kernel.advance(5 * MS)
    assert dict(kernel[p.ended]) == {20: 7}
    assert p.rests.py(PACKET, kernel=kernel) == 2
    assert p.begins.py(PACKET, kernel=kernel) == 2
    del kernel[p.sessions][20]
    kernel.advance(5 * MS)
    assert 20 not in kernel[p.sessions]
