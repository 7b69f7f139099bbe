"""Values that belong to tasks, sockets, inodes and cgroups: from programs, and from Python."""

import errno
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

import skep
from skep.base.errors import KernelError
from skep.kernel.storages import PIDFD_THREAD, Storage
from skep.lang.spec import MapSpec, MapType
from skep.lang.types import s32, u32
from skep.testing.cgroups import Cgroup
from tests.kernel.lang import storage_programs as p
from tests.kernel.lang.storage_programs import Visit

HERE = os.getpid()
WAITS = "import os, sys; sys.stdin.readline(); os.getppid()"


def test_a_task_has_a_value_from_its_first_use_on() -> None:
    with skep.load(p.on_call) as live:
        live[p.mine][HERE] = 1
        assert HERE not in live[p.visits]
        for _ in range(3):
            os.getppid()
        assert live[p.visits][HERE] == Visit(103, HERE)
        live[p.visits][HERE] = Visit(1, 2)
        os.getppid()
        assert live[p.visits].get(HERE) == Visit(2, 2)
        live[p.visits][HERE] = Visit(104, 2)
        os.getppid()
        assert live[p.visits].get(HERE) is None
        before = os.listdir("/proc/self/fd")
        assert HERE not in live[p.visits]
        assert os.listdir("/proc/self/fd") == before
        with pytest.raises(KeyError):
            del live[p.visits][HERE]


def test_each_thread_has_a_value_by_its_id() -> None:
    """Before Linux 6.9 a thread has no descriptor: it is as one that is gone."""
    with skep.load(p.on_call) as live, ThreadPoolExecutor(1) as pool:
        thread = pool.submit(threading.get_native_id).result()
        try:
            os.close(os.pidfd_open(thread, PIDFD_THREAD))
        except OSError:
            assert thread not in live[p.visits]
        else:
            live[p.visits][thread] = Visit(1, 2)
            assert live[p.visits].get(thread) == Visit(1, 2)
        assert HERE not in live[p.visits]


def test_a_storage_says_what_is_wrong_and_keeps_what_it_has() -> None:
    with skep.load(p.on_call) as live:
        live[p.visits][HERE] = Visit(1, 2)
        with pytest.raises(ValueError, match=r"visits: value.first is a u32"):
            live[p.visits][HERE] = Visit(1, -1)
        with pytest.raises(TypeError, match="a descriptor, or an object that has one, not 'x'"):
            live[p.visits]["x"]
        with pytest.raises(TypeError, match="cannot be listed"):
            list(live[p.visits])
        with pytest.raises(KeyError):
            live[p.visits][1 << 22]
        assert live[p.visits][HERE] == Visit(1, 2)


def test_the_same_as_plain_python() -> None:
    kernel = skep.FakeKernel(helpers={"get_current_task_btf": lambda: task})
    kernel.task = skep.Task(pid=5)
    task = SimpleNamespace(tgid=5)
    kernel[p.mine][5] = 1
    for _ in range(3):
        p.on_call.py(None, p.GETPPID, kernel=kernel)
    assert kernel[p.visits][task] == Visit(103, 5)
    kernel[p.visits][task] = Visit(104, 5)
    p.on_call.py(None, p.GETPPID, kernel=kernel)
    assert task not in kernel[p.visits]


def test_a_socket_has_a_value_that_goes_with_it() -> None:
    with skep.load(p.on_state) as live, socket.socket() as server, socket.socket() as client:
        live[p.mine][HERE] = 1
        server.bind(("127.0.0.1", 0))
        server.listen()
        live[p.sockets][client] = Visit(100, 1)
        client.connect(server.getsockname())
        assert live[p.sockets][client] == Visit(107, 1)
        assert server not in live[p.sockets]
        del live[p.sockets][client.fileno()]
        assert client not in live[p.sockets]


@pytest.mark.requires("map.cgrp_storage")
def test_a_cgroup_has_a_value(cgroup: Cgroup) -> None:
    path = str(cgroup.path)
    with skep.load(p.on_call_by_cgroup) as live:
        live[p.by_cgroup][path] = 5
        assert live[p.by_cgroup][path] == 5
        command = cgroup.command(sys.executable, "-c", WAITS)
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as child:
            live[p.mine].update({child.pid: 1, HERE: 1})
            child.communicate("go\n")
        os.getppid()  # from another cgroup
        assert live[p.by_cgroup][path] == 6
        del live[p.by_cgroup][path]
        assert path not in live[p.by_cgroup]
        assert f"{path}-not-there" not in live[p.by_cgroup]


def test_an_inode_has_a_value(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    spec = MapSpec("inodes", MapType.INODE_STORAGE, s32, u32, 0, 1)
    with Storage.create(spec) as inodes:
        inodes[str(file)] = 7
        with file.open() as opened:
            assert inodes[opened] == 7
        assert str(tmp_path) not in inodes
        assert inodes.get(str(tmp_path / "none"), 1) == 1


@pytest.mark.requires("prog.lsm")
def test_an_lsm_program_counts_with_the_inode(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with skep.load(p.on_open) as live:
        live[p.mine][HERE] = 1
        file.read_text()
        file.read_text()
        live[p.mine].clear()
        assert live[p.inodes][str(file)] == 2


CALLS = "import os; os.getppid(); print(os.getpid())"


def test_a_program_asks_whether_a_task_is_in_a_cgroup(cgroup: Cgroup) -> None:
    with skep.load(p.on_call_within) as live:
        live[p.places][1] = str(cgroup.path)
        pid = int(cgroup.run(sys.executable, "-c", CALLS).stdout)
        assert dict(live[p.inside].items()) == {pid: 1 - errno.EAGAIN}
        os.getppid()
        assert HERE not in live[p.inside]
        for wrong, error in (("/no/such/place", FileNotFoundError), (1.5, TypeError)):
            with pytest.raises(error):
                live[p.places][0] = wrong
        with pytest.raises(KernelError, match=r"EBADF\] \(it takes directories of cgroup v2"):
            live[p.places][0] = "/"
        with pytest.raises(TypeError, match="cannot be read back"):
            live[p.places][1]
        del live[p.places][1]
        cgroup.run(sys.executable, "-c", CALLS)
        assert list(live[p.inside]) == [pid]


def test_the_same_of_cgroups_as_plain_python() -> None:
    kernel = skep.FakeKernel(task=skep.Task(pid=7, cgroup=5))
    kernel[p.places][1] = 5
    p.on_call_within.py(None, p.GETPPID, kernel=kernel)
    assert dict(kernel[p.inside]) == {7: 1 - errno.EAGAIN}
    kernel[p.places][0] = 6
    p.on_call_within.py(None, p.GETPPID, kernel=kernel)
    assert dict(kernel[p.inside]) == {7: 1}


SENDS = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.sendto(bytes(100), ("127.0.0.1", 9))
"""


def test_a_cgroup_has_a_value_where_programs_are_attached(cgroup: Cgroup) -> None:
    kernel = skep.FakeKernel(task=skep.Task(cgroup=cgroup.id))
    with skep.load(p.counts_sent, p.counts_sockets, attach=False) as live:
        sent, each = live[p.sent], live[p.sent_here]
        assert (cgroup.path in sent, dict(sent.items())) == (False, {})
        with pytest.raises(KeyError):
            sent[cgroup.path] = p.Sent()
        links = [live.attach(one, cgroup.path) for one in (p.counts_sent, p.counts_sockets)]
        assert (sent[cgroup.path], live[p.looked][cgroup.path]) == (p.Sent(), 0)
        for count in (1, 2):
            assert cgroup.run(sys.executable, "-c", SENDS).returncode == 0
            p.counts_sent.py(bytes(128), kernel=kernel)
            p.counts_sockets.py(None, kernel=kernel)
            assert (
                dict(sent.items())
                == dict(kernel[p.sent])
                == {cgroup.id: p.Sent(count, 128 * count)}
            )
            assert live[p.looked][cgroup.id] == kernel[p.looked][cgroup.id] == count
            assert sum(each[cgroup.path]) == sum(kernel[p.sent_here][cgroup.id]) == count
        sent[cgroup.path] = p.Sent(packets=7)
        each[cgroup.id] = [5] * len(each[cgroup.id])
        assert (sent[cgroup.id].packets, set(each[cgroup.path])) == (7, {5})
        with pytest.raises(KernelError, match="as long as the map and the cgroup are"):
            del sent[cgroup.path]
        with pytest.raises(KeyError):
            sent["/sys/fs/cgroup/none"]
        for link in links:
            link.close()
        assert sent[cgroup.path].packets == 7
