"""A scheduler in Python: tasks that ask for it run by it, and by the kernel's own when it is gone or wrong."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import skep
from skep.testing.programs import until
from tests.kernel.kinds.programs import scheduling

pytestmark = pytest.mark.requires("kfunc.scx_bpf_dsq_insert")
STATE = Path("/sys/kernel/sched_ext")
SCHED_EXT, TIMES = 7, 20
ERROR = 1024  # SCX_EXIT_ERROR


def scheduled(work: Callable[[], None]) -> int:
    """A child that asks for the scheduler and works; it was ended with code 0. Its number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.sched_setscheduler(0, SCHED_EXT, os.sched_param(0))
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status == 0
    return child


def sleeps() -> None:
    for _ in range(TIMES):
        time.sleep(0.001)


def test_tasks_that_ask_for_it_are_scheduled_by_it() -> None:
    with skep.load(scheduling.fifo) as live:
        assert (STATE / "state").read_text() == "enabled\n"
        assert (STATE / "root/ops").read_text().startswith("skep_fifo")
        child = scheduled(sleeps)
        assert live[scheduling.queued][child] > 0  # not where a processor has nothing else to do
        assert live[scheduling.run][child] >= TIMES
        assert os.getpid() not in live[scheduling.run]  # it did not ask
        with pytest.raises(skep.SkepError):  # there is one already
            skep.load(scheduling.losing)
    until(lambda: (STATE / "state").read_text() == "disabled\n")
    scheduled(sleeps)  # by the kernel's own


def test_a_scheduler_that_goes_wrong_is_ended_by_the_kernel_and_its_tasks_go_on() -> None:
    with skep.load(scheduling.losing) as live:
        scheduled(sleeps)
        until(lambda: live[scheduling.ended][0] != 0)
        assert live[scheduling.ended][0] == ERROR
        assert "DSQ" in str(live[scheduling.reason][0])
    until(lambda: (STATE / "state").read_text() == "disabled\n")
