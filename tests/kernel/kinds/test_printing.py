"""An iterator prints lines into its file, as Python would."""

import os
from types import SimpleNamespace

import pytest

import skep
from tests.kernel.kinds.programs.printing import Chosen, chosen, prints


def own_name() -> str:
    """This process's, as the kernel has it."""
    with open("/proc/self/comm", encoding="utf-8") as file:
        return file.read().rstrip("\n")


@pytest.mark.requires("iterator.task")
def test_lines_are_what_reading_gives() -> None:
    with skep.load(prints, initial={chosen: Chosen(os.getpid())}) as live:
        lines = live.read(prints).decode().splitlines()
    assert lines == [f"{own_name()} {os.getpid():6} {os.getppid():x}| 100", "no more"]


def test_the_same_as_plain_python() -> None:
    kernel = skep.FakeKernel()
    kernel[chosen].pid = 7
    parent = SimpleNamespace(tgid=255)
    tasks = [SimpleNamespace(comm="sh", tgid=n, pid=n, real_parent=parent) for n in (5, 7)]
    for task in (*tasks, None):
        prints.py(SimpleNamespace(task=task, meta=SimpleNamespace(seq=object())), kernel=kernel)
    assert kernel.written.decode().splitlines() == ["sh      7 ff| 100", "no more"]
