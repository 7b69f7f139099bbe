"""Timers in values: they run a function of the program, with their entry, and rest when they are told to."""

import time

import pytest

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


@pytest.mark.requires("kfunc.bpf_wq_init")  # a kernel of which the flags are older: 6.4 and 6.7
def test_a_timer_runs_at_a_time_on_the_cpu_that_set_it() -> None:
    with skep.load(p.begins_at, attach=False) as live:
        assert live.programs["begins_at"].test_run(PACKET).retval == 2
        deadline = time.monotonic() + SECONDS
        while 2 not in live[p.on_cpus]:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert live[p.on_cpus][1] == live[p.on_cpus][0]
        assert live[p.sessions][20].ticks == 2


def test_it_does_so_as_plain_python() -> None:
    kernel = skep.FakeKernel(now=50 * MS)
    assert p.begins_at.py(PACKET, kernel=kernel) == 2
    kernel.advance(MS - 1)
    assert kernel[p.sessions][20].ticks == 0
    kernel.advance(1)
    assert kernel[p.sessions][20].ticks == 1
    kernel.advance(MS)
    assert kernel[p.sessions][20].ticks == 2


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
