"""What /proc tells of a process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from skep.agent import processes
from skep.agent.processes import Gone, Identity


def sleeper() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def test_this_process_is_alive_and_uses_cpu_and_memory() -> None:
    found = processes.identity(os.getpid())
    assert found.alive()
    used = processes.usage(os.getpid())
    assert used.cpu_seconds > 0
    assert used.pss_bytes > 1 << 20
    assert used.ring_bytes == 0
    assert processes.comm(os.getpid()) == Path("/proc/self/comm").read_text().strip()


def test_a_pid_of_another_start_is_another_process() -> None:
    found = processes.identity(os.getpid())
    assert not Identity(found.pid, found.start + 1).alive()


def test_a_process_is_killed_and_waited_for() -> None:
    child = sleeper()
    found = processes.identity(child.pid)
    assert processes.kill(found, signal.SIGTERM, wait=60)
    assert not found.alive()  # a zombie: nobody has collected it yet
    child.communicate()
    assert child.returncode == -signal.SIGTERM
    assert not processes.kill(found)


def test_a_process_that_has_ended_is_gone() -> None:
    child = sleeper()
    child.kill()
    child.communicate()
    for ask in (processes.identity, processes.cpu_seconds, processes.memory_bytes):
        with pytest.raises(Gone):
            ask(child.pid)
    assert processes.comm(child.pid) == "?"


SMAPS = """\
55d0-55d1 r--p 00000000 08:01 12 /usr/bin/python3
Size:                  4 kB
Pss:                   3 kB
Pss_Dirty:             1 kB
7f00-7f10 rw-s 00000000 00:0e 34 anon_inode:bpf-map
Pss:                 100 kB
7f20-7f30 rw-p 00000000 00:00 0
Pss:                  20 kB
"""


def test_pages_of_rings_are_reckoned_apart() -> None:
    assert processes.read_smaps(SMAPS.splitlines(keepends=True)) == (23 * 1024, 100 * 1024)
