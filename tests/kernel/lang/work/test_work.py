"""Work that a program leaves is done later, where it may wait."""

import os
import time
from array import array
from types import SimpleNamespace

import pytest

import skep
from tests.kernel.lang.work import programs as p
from tests.kernel.lang.work.programs import Asked

SECONDS = 60.0


def done(program: skep.Program, work: Asked) -> int:
    """What a program's work has found by its end."""
    with skep.load(program, attach=False) as live:
        assert live.programs[program.name].test_run(bytes(20)).retval == 1
        live[p.asked][20] = work
        assert live.programs[program.name].test_run(bytes(20)).retval == 2
        deadline = time.monotonic() + SECONDS
        while live[p.asked][20].done != 20:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        found: int = live[p.asked][20].found
        return found


@pytest.mark.requires("kfunc.bpf_wq_init")
def test_work_is_done_later() -> None:
    assert done(p.leaves_numbers, Asked(address=21)) == 42


@pytest.mark.requires("kfunc.bpf_wq_init")
@pytest.mark.native(
    "Linux 6.12 lets no program of packets read the memory of a process, later neither"
)
def test_work_is_done_where_it_may_wait() -> None:
    numbers = array("Q", [0x1234567890])
    assert done(p.leaves, Asked(pid=os.getpid(), address=numbers.buffer_info()[0])) == numbers[0]


def test_in_plain_python_it_is_done_when_time_passes() -> None:
    helpers = {
        "bpf_task_from_pid": lambda pid: SimpleNamespace(pid=pid),
        "bpf_task_release": lambda _: None,
    }
    kernel = skep.FakeKernel(helpers=helpers, objects={8: (77).to_bytes(8, "little")})
    kernel[p.asked][20] = Asked(pid=5, address=8)
    assert p.leaves.py(bytes(20), kernel=kernel) == 2
    assert kernel[p.asked][20].done == 0
    kernel.advance(0)
    assert (kernel[p.asked][20].done, kernel[p.asked][20].found) == (20, 77)
    assert p.leaves.py(bytes(20), kernel=kernel) == 2
    del kernel[p.asked][20]
    kernel.advance(5)
