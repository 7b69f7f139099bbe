"""What the plugin makes for a test is the test's alone, and gone with it."""

import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from skep.testing.cgroups import Cgroup, root
from skep.testing.network import End, Namespace, Wire, join, pair


def here() -> str:
    return os.readlink("/proc/thread-self/ns/net")


def test_a_namespace_is_another_one_with_its_loopback_up(netns: Namespace) -> None:
    assert os.readlink(netns.path) != here()
    with netns.entered(), socket.create_server(("127.0.0.1", 0)) as server:
        assert here() == os.readlink(netns.path)
        socket.create_connection(server.getsockname()).close()
    assert here() != os.readlink(netns.path)


def test_a_thread_comes_back_from_a_namespace_in_which_it_failed(netns: Namespace) -> None:
    home = here()
    with pytest.raises(RuntimeError), netns.entered():
        raise RuntimeError
    assert here() == home


def test_both_ends_of_a_wire_meet(wire: Wire) -> None:
    with wire.right.entered():
        server = socket.create_server((wire.addresses[1], 0))
        server6 = socket.create_server((wire.addresses6[1], 0), family=socket.AF_INET6)
    with server, server6, wire.left.entered():
        for listening in (server, server6):
            socket.create_connection(listening.getsockname()[:2], timeout=60).close()
    assert wire.left.index(wire.device) > 1


def test_a_pair_has_the_devices_and_addresses_that_it_is_given(
    namespaces: Callable[[], Namespace],
) -> None:
    node, pod = namespaces(), namespaces()
    pair(End(node, "lxc0", ("10.4.0.1/24", "fd04::1/64")), End(pod, "eth0"))
    shown = node.run("ip", "-br", "address", "show", "lxc0")
    assert "UP" in shown
    assert "10.4.0.1/24 fd04::1/64" in shown
    assert len(pod.mac("eth0")) == 6
    assert pod.mac("eth0") != node.mac("lxc0")


def test_a_namespace_is_gone_when_it_is_closed() -> None:
    left, right = Namespace(), Namespace()
    join(left, right)
    pids = (left.pid, right.pid)
    left.close()
    right.close()
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []


def test_a_namespace_ends_with_a_test_process_that_is_killed() -> None:
    code = (
        "from skep.testing.network import Namespace; n = Namespace(); print(n.pid, flush=True); "
        "import signal; signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        holder = int(test.stdout.readline())
        left = os.pidfd_open(holder)
        test.kill()
    try:
        assert ends(left)
    finally:
        os.close(left)


def ends(pidfd: int) -> bool:
    """Waits for the end of a process."""
    return bool(select.select([pidfd], [], [], 60)[0])


def test_a_command_that_fails_inside_says_what_it_said(netns: Namespace) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        netns.run("ip", "link", "set", "nothing", "up")
    assert "nothing" in failed.value.output


def test_a_command_is_in_its_cgroup_from_its_first_instruction(cgroup: Cgroup) -> None:
    own = cgroup.run("cat", "/proc/self/cgroup").stdout.splitlines()
    name = Path(cgroup.path).name
    assert [line for line in own if line.startswith("0::")] == [f"0::/{name}"]
    assert cgroup.id == os.stat(cgroup.path).st_ino
    assert os.getpid() not in cgroup.pids


def test_what_still_runs_in_a_cgroup_ends_with_it() -> None:
    mine = Cgroup(f"skep-test-end-{os.getpid()}")
    with subprocess.Popen(mine.command("sleep", "1000")) as sleeper:
        mine.close()
        assert sleeper.wait() != 0
    assert not os.path.exists(mine.path)
    assert os.path.exists(root())
