"""References: a map's value keeps a kernel object, also when everybody else is done with it."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

import skep
from tests.kernel.lang import reference_programs as p
from tests.kernel.lang.reference_programs import GETPPID, GETSID, Slot

pytestmark = pytest.mark.requires("kfunc.bpf_iter_num_new")  # both came with 6.4
CALLS = "import os, sys; sys.stdin.readline(); os.getppid()"


def test_a_task_is_kept_beyond_its_end() -> None:
    with skep.load(p.keeps, p.tells) as live:
        command = (sys.executable, "-c", CALLS)
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as child:
            live[p.mine].update({child.pid: 1, os.getpid(): 1})
            child.communicate("go\n")
        assert (live[p.found][0], live[p.slots][0]) == (0, Slot(seen=1))
        os.getsid(0)
        assert [live[p.found][n] for n in (1, 2, 3)] == [child.pid, 1, 0]
        os.getsid(0)
        assert [live[p.found][n] for n in (1, 2)] == [-1, 0]


def test_another_one_takes_its_place() -> None:
    with skep.load(p.keeps, p.tells) as live:
        live[p.mine][os.getpid()] = 1
        for _ in range(3):
            os.getppid()
        os.getsid(0)
        assert live[p.found][1] == os.getpid()
        os.getppid()
        live[p.slots][0] = Slot(seen=10)
        os.getsid(0)
        assert live[p.found][1] == -1  # it was given back with the value
        assert live[p.slots][0] == Slot(seen=10)


def test_a_task_that_was_asked_for_is_kept_and_given_back() -> None:
    with skep.load(p.keeps_by_pid, p.tells) as live:
        live[p.mine][os.getpid()] = 1
        os.getppid()
        os.getsid(0)
        assert [live[p.found][n] for n in (0, 1, 2)] == [5, os.getpid(), 1]


def test_a_set_of_cpus_is_kept() -> None:
    with skep.load(p.keeps_cpus) as live:
        live[p.mine][os.getpid()] = 1
        for _ in range(2):
            live[p.found].update({0: -7, 1: -7})
            os.getppid()
            assert [live[p.found][n] for n in (0, 1)] == [0, 0]


def test_the_same_as_plain_python() -> None:
    task = SimpleNamespace(tgid=5)
    kernel = skep.FakeKernel(task=skep.Task(pid=5), helpers={"get_current_task_btf": lambda: task})
    kernel[p.mine][5] = 1
    p.keeps.py(None, GETPPID, kernel=kernel)
    p.tells.py(None, GETSID, kernel=kernel)
    assert dict(kernel[p.found]) == {0: 0, 1: 5, 2: 1, 3: 0}
    p.tells.py(None, GETSID, kernel=kernel)
    assert kernel[p.found][1] == -1
    p.keeps.py(None, GETPPID, kernel=kernel)
    kernel[p.slots][0] = Slot(seen=10)
    p.tells.py(None, GETSID, kernel=kernel)
    assert kernel[p.found][1] == -1
