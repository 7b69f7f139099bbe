"""The iterator over tasks, beside what /proc says of the same processes."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from skep.node import proc
from skep.node.cgroup_files import CgroupFiles
from skep.node.images import Row, same_start
from skep.node.programs import tasks
from skep.program.live import Live
from skep.program.load import load
from skep.program.machine import Machine
from skep.testing.cgroups import Cgroup


@pytest.fixture
def live(machine: Machine) -> Iterator[Live]:
    with load(*tasks.programs(), machine=machine) as loaded:
        yield loaded


def read(live: Live) -> dict[int, Row]:
    found = list(tasks.rows(live.read(tasks.processes)))
    assert len({row.pid for row in found}) == len(found)
    return {row.pid: row for row in found}


def stable(live: Live) -> tuple[dict[int, Row], dict[int, Row]]:
    """What both say of the processes that lived before and after."""
    before = {row.pid: row for row in proc.alive(CgroupFiles())}
    files = CgroupFiles()
    told = {row.pid: row for row in proc.completed(read(live).values(), files)}
    after = {row.pid: row for row in proc.alive(CgroupFiles())}
    same = {pid: row for pid, row in after.items() if before.get(pid) == row}
    return told, {pid: row for pid, row in same.items() if not is_over(pid)}


def is_over(pid: int) -> bool:
    """Whether a process ended and only waits for its parent."""
    with suppress(OSError):
        threads = os.listdir(f"/proc/{pid}/task")
        return all(state(f"{pid}/task/{task}") == b"Z" for task in threads)
    return True


def state(task: str) -> bytes:
    return Path(f"/proc/{task}/stat").read_bytes().rpartition(b")")[2].split()[0]


def test_every_process_has_the_row_that_proc_gives(live: Live) -> None:
    told, lasting = stable(live)
    assert {os.getpid(), 1} <= lasting.keys()
    assert not lasting.keys() - told.keys()
    for pid in lasting.keys() & told.keys():
        mine, theirs = told[pid], lasting[pid]
        assert mine._replace(start=0, comm=b"") == theirs._replace(start=0, comm=b"")
        assert same_start(mine.start, theirs.start)
        assert theirs.comm.startswith(mine.comm)
        assert mine.comm or not theirs.comm


def test_threads_and_ended_processes_have_no_row(live: Live) -> None:
    wait = threading.Event()
    thread = threading.Thread(target=wait.wait)
    thread.start()
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # a zombie now
    told = {row.pid: row for row in proc.completed(read(live).values(), CgroupFiles())}
    os.waitpid(child, 0)
    wait.set()
    thread.join()
    assert thread.native_id is not None
    assert os.getpid() in told
    assert thread.native_id not in told
    assert child not in told


def test_a_process_whose_first_thread_ended_has_a_row(live: Live) -> None:
    code = "import ctypes, threading; threading.Thread(target=threading.Event().wait).start()\n"
    code += "ctypes.CDLL(None).syscall(60, 0)"
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", code])
    try:
        while state(str(child.pid)) != b"Z":
            pass
        row = read(live)[child.pid]
    finally:
        child.kill()
        child.wait()
    assert (row.ppid, row.uid) == (os.getpid(), 0)


def test_a_row_says_who_and_where(live: Live, cgroup: Cgroup) -> None:
    child = subprocess.Popen(cgroup.command("sleep", "60"))
    try:
        while b"sleep" not in (row := read(live)[child.pid]).comm:
            pass
    finally:
        child.kill()
        child.wait()
    assert (row.ppid, row.uid, row.cgroup) == (os.getpid(), 0, cgroup.id)
