"""Locks, timers and references work in every type of map that may hold them; maps that forget never fill up."""

import os
import socket
import subprocess
import sys
import time

import pytest

import skep
from skep.testing.cgroups import Cgroup
from tests.kernel.lang import special_programs as p
from tests.kernel.lang.special_programs import ENTRIES, MANY

PACKET = bytes(20)
SECONDS = 60.0
HERE = os.getpid()


def test_values_of_tasks_have_locks() -> None:
    with skep.load(p.counts_by_task) as live:
        live[p.mine][HERE] = 1
        for _ in range(3):
            os.getppid()
        assert live[p.by_task][HERE] == p.Counted(times=3, total=15)


@pytest.mark.requires("map.cgrp_storage")
def test_values_of_cgroups_have_locks() -> None:
    with skep.load(p.counts_by_cgroup) as live:
        live[p.mine][HERE] = 1
        os.getppid()
        os.getppid()
        assert live[p.by_cgroup][own_cgroup()] == p.Counted(times=2, total=12)


def own_cgroup() -> str:
    """The directory of this process's cgroup of version 2."""
    with open("/proc/self/cgroup", encoding="utf-8") as lines:
        (name,) = (line[3:].strip() for line in lines if line.startswith("0::"))
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        mounted = next(line.split()[4] for line in lines if " - cgroup2 " in line)
    return f"{mounted}{name}".rstrip("/")


SENDS = """
import socket, sys
one = socket.socket(type=socket.SOCK_DGRAM)
one.bind(("127.0.0.1", 0))
for _ in range(4):
    one.sendto(b"x", one.getsockname())
socket.send_fds(socket.socket(fileno=int(sys.argv[1])), [b"here"], [one.fileno()])
"""


def test_values_of_sockets_have_locks(cgroup: Cgroup) -> None:
    near, far = socket.socketpair()
    with skep.load(p.counts_by_socket) as live, near, far:
        live.attach(p.counts_by_socket, cgroup.path)
        command = cgroup.command(sys.executable, "-c", SENDS, str(far.fileno()))
        subprocess.run(command, pass_fds=[far.fileno()], check=True)
        _, (number,), _, _ = socket.recv_fds(near, 4, 1)
        with socket.socket(fileno=number) as theirs:
            assert live[p.by_socket][theirs] == p.Counted(times=4, total=28)


def test_timers_run_in_arrays_and_in_maps_that_forget() -> None:
    with skep.load(p.starts, attach=False) as live:
        assert live.programs["starts"].test_run(PACKET).retval == 2
        deadline = time.monotonic() + SECONDS
        while (live[p.timed_array][1].ticks, live[p.timed_recent][7].ticks) != (10, 10):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert live[p.timed_array][0].ticks == 0


@pytest.mark.requires("kfunc.bpf_iter_num_new")  # as of 6.4
def test_references_are_kept_in_hashes_in_maps_that_forget_and_with_tasks() -> None:
    with skep.load(p.keeps) as live:
        live[p.mine][HERE] = 1
        os.getppid()
        assert [live[p.pids][n] for n in (1, 2, 3)] == [HERE] * 3


def test_a_map_that_forgets_takes_more_than_it_has_room_for() -> None:
    with skep.load(p.fills, attach=False) as live:
        assert live.programs["fills"].test_run(PACKET).retval == 2
        assert live[p.recent][MANY - 1] == 1
        assert sum(live[p.recent_by_cpu][MANY - 1]) == 1
        assert 0 < len(live[p.recent]) < MANY
        assert 0 < len(live[p.recent_by_cpu]) < MANY


def test_the_same_as_plain_python() -> None:
    kernel = skep.FakeKernel()
    assert p.starts.py(PACKET, kernel=kernel) == 2
    kernel.advance(p.MS)
    assert (kernel[p.timed_array][1].ticks, kernel[p.timed_recent][7].ticks) == (10, 10)
    assert p.fills.py(PACKET, kernel=kernel) == 2
    assert len(kernel[p.recent]) == ENTRIES
