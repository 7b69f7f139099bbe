"""Work that a program gives to a task is done by that task, where it may wait."""

import os
import time
from array import array
from types import SimpleNamespace

import pytest

import skep
from tests.kernel.lang.task_work import programs as p
from tests.kernel.lang.task_work.programs import Wanted

NUMBERS = array("Q", [0x1234567890])
SECONDS = 60.0


@pytest.mark.requires("kfunc.bpf_task_work_schedule_resume_impl")
@pytest.mark.parametrize("program", [p.leaves, p.leaves_of_a_sample], ids=lambda one: one.name)
def test_a_task_does_what_was_left_to_it(program: skep.Program) -> None:
    with skep.load(program) as live:
        live[p.wanted][os.getpid()] = Wanted(address=NUMBERS.buffer_info()[0])
        deadline = time.monotonic() + SECONDS
        while not live[p.wanted][os.getpid()].done:
            assert time.monotonic() < deadline
        done = live[p.wanted][os.getpid()]
        assert (done.found, done.by) == (NUMBERS[0], os.getpid())


def test_in_plain_python_it_is_done_when_time_passes() -> None:
    helpers = {"get_current_task_btf": lambda: SimpleNamespace(tgid=5)}
    kernel = skep.FakeKernel(helpers=helpers, objects={8: (77).to_bytes(8, "little")})
    kernel[p.wanted][5] = Wanted(address=8)
    p.leaves.py(None, 0, kernel=kernel)
    assert kernel[p.wanted][5].done == 0
    kernel.advance(0)
    assert (kernel[p.wanted][5].done, kernel[p.wanted][5].found) == (1, 77)
