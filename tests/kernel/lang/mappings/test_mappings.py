"""A function sees the mapping of a task's memory in which an address lies."""

import errno
import os
from types import SimpleNamespace

import pytest

import skep
from tests.kernel.lang.mappings import programs
from tests.kernel.lang.mappings.programs import Found, found, places, results, seen

NONE = (1 << 64) - errno.ENOENT


def a_mapping() -> tuple[int, int]:
    """One of this process's own, of a file."""
    with open("/proc/self/maps", encoding="utf-8") as file:
        line = next(line for line in file if " r-xp " in line)
    start, end = line.split()[0].split("-")
    return int(start, 16), int(end, 16)


@pytest.mark.requires("helper.find_vma")
def test_the_mapping_of_an_address_is_found() -> None:
    start, end = a_mapping()
    with skep.load(programs.looks) as live:
        live[places][os.getpid()] = start
        os.getppid()
        del live[places][os.getpid()]
        assert live[seen][start] == end
        assert live[found][0] == Found(start, end, os.getpid())
        assert [live[results][i] for i in range(3)] == [0, 0, NONE]


def test_the_same_as_plain_python() -> None:
    kernel = skep.FakeKernel(task=skep.Task(pid=7))
    kernel.mappings = [
        SimpleNamespace(vm_start=0x1000, vm_end=0x2000),
        SimpleNamespace(vm_start=0x4000, vm_end=0x5000),
    ]
    kernel[places][7] = 0x4000
    programs.looks.py(None, 0, kernel=kernel)
    assert dict(kernel[seen]) == {0x4000: 0x5000}
    assert kernel[found][0] == Found(0x4000, 0x5000, 7)
    assert [kernel[results][i] for i in range(3)] == [0, 0, NONE]
