"""Accepts, in whatever way a process is given the socket; Multipath TCP, TCP Fast Open."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skep.flows import connections
from skep.flows.programs.records import PROCESS_UNKNOWN, Accept, Close, Connect
from skep.program.live import Live
from skep.program.load import load
from skep.program.machine import Machine
from skep.testing.network import Namespace, Wire
from tests.kernel.flows.conftest import ends
from tests.kernel.flows.tcp import SECONDS, Pair, Told, listen

SYN_RECV = 3
ASTRAY = "02:00:00:00:00:99"
OPEN_AT_ONCE = 0x1 | 0x2 | 0x4 | 0x200 | 0x400
"""TCP Fast Open for both sides and all listeners, without cookies (Documentation/networking/ip-sysctl)."""


@pytest.mark.parametrize(
    ("way", "kinds"),
    [
        ("one", [Accept, Close]),
        ("many", [Accept, Close]),
        ("compat", [Close]),
    ],
    ids=["io_uring", "io_uring, many at once", "a 32-bit program"],
)
def test_however_it_is_accepted_it_belongs_to_its_process(
    told: Told, way: str, kinds: list[type[Any]]
) -> None:
    child, servers = accepted(told, way, len(kinds))
    assert [type(one) for one in servers] == kinds
    assert {one.pid for one in servers} == {child}
    assert {one.flags for one in servers} == {0}


def test_what_io_uring_keeps_to_itself_is_told_at_its_end(told: Told) -> None:
    """Newer kernels close it in the name of the process, 6.1 in that of one of its own threads."""
    child, (closed,) = accepted(told, "direct", 1)
    assert isinstance(closed, Close)
    assert (closed.pid, closed.flags) in ((child, 0), (0, PROCESS_UNKNOWN))


@pytest.fixture(scope="module")
def watching(machine: Machine) -> Iterator[Live]:
    """The programs of which one watches the kernel's own function."""
    with load(*connections.from_listeners(), machine=machine) as loaded:
        yield loaded


@pytest.fixture
def watched(watching: Live, netns: Namespace) -> Iterator[Told]:
    """What they tell from now on; the test is in a namespace of its own."""
    for _ in watching[connections.connections].poll():
        pass
    with netns.entered():
        yield Told(watching)


@pytest.mark.requires("prog.fexit")
@pytest.mark.parametrize("way", ["one", "direct", "compat"])
def test_where_the_kernels_function_is_watched_no_way_is_missed(watched: Told, way: str) -> None:
    child, (begun, ended) = accepted(watched, way, 2)
    assert (type(begun), begun.pid, begun.flags) == (Accept, child, 0)
    assert isinstance(ended, Close)
    assert (ended.pid, ended.flags) == (child, 0)


def accepted(told: Told, way: str, count: int) -> tuple[int, list[Any]]:
    """A process accepts a connection in a way: its pid, and what is told of its end of it."""
    command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("calls.py")), way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        told.ports.add(port)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"x")
            client.shutdown(socket.SHUT_WR)
            client.recv(1)
    assert child.returncode == 0
    events = told.all(2 + count)
    return child.pid, [one for one in events if one.sport == port]


def multipath(kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    try:
        return socket.socket(socket.AF_INET, kind, socket.IPPROTO_MPTCP)
    except OSError as error:
        pytest.skip(f"no Multipath TCP: {error}")


def test_multipath_tcp_is_told_by_its_subflow(told: Told) -> None:
    with multipath() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = multipath()
        client.connect(listener.getsockname())
        told.watch(client)
        server = listener.accept()[0]
        Pair(listener, client, server).send(up=3_000, down=40)
        ours = client.getsockname()[1]
        client.close()
        assert server.recv(1) == b""
        server.close()
    opened, accepted, *closed = told.all(4)
    assert [type(one) for one in (opened, accepted, *closed)] == [Connect, Accept, Close, Close]
    assert ends(opened) == ends(accepted)[2:] + ends(accepted)[:2]
    assert {one.pid for one in (opened, accepted, *closed)} == {os.getpid()}
    sums = {one.sport == ours: (one.sent_bytes, one.received_bytes) for one in closed}
    assert sums == {True: (3_000, 40), False: (40, 3_000)}


def test_a_listener_of_multipath_tcp_accepts_plain_tcp(told: Told) -> None:
    with multipath() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        told.watch(listener)
        client = socket.create_connection(listener.getsockname())
        Pair(listener, client, listener.accept()[0]).close()
    accepted = [one for one in told.all(4) if isinstance(one, Accept)]
    assert [(one.pid, one.flags) for one in accepted] == [(os.getpid(), 0)]


@pytest.mark.requires("prog.fexit")
@pytest.mark.parametrize(
    "scene",
    [test_multipath_tcp_is_told_by_its_subflow, test_a_listener_of_multipath_tcp_accepts_plain_tcp],
)
def test_where_the_kernels_function_is_watched_calls_are_told_as_ever(
    watched: Told, scene: Callable[[Told], None]
) -> None:
    scene(watched)


def test_what_comes_with_the_handshake_is_accepted_before_its_end(seen: Told, wire: Wire) -> None:
    """The first answer to the SYN goes astray; the data that came with the SYN does not wait for the next."""
    for side in (wire.left, wire.right):
        side.run("sh", "-c", f"echo {OPEN_AT_ONCE} > /proc/sys/net/ipv4/tcp_fastopen")
    neighbour = (wire.addresses[0], "dev", wire.device)
    wire.right.run("ip", "neigh", "replace", *neighbour, "lladdr", ASTRAY, "nud", "permanent")
    with wire.right.entered():
        listener = listen(wire.addresses[1])
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
    with wire.left.entered():
        client = socket.socket()
        client.settimeout(0)
        client.sendto(b"early", socket.MSG_FASTOPEN, listener.getsockname())
    seen.watch(listener)
    server = listener.accept()[0]
    assert server.recv(5) == b"early"
    assert state(server) == SYN_RECV
    wire.right.run("ip", "neigh", "del", *neighbour)
    client.settimeout(SECONDS)
    port = listener.getsockname()[1]
    server.sendall(b"x")
    assert client.recv(1) == b"x"
    Pair(listener, client, server).close()
    accepted, opened, *closed = seen.all(4)
    assert [type(one) for one in (accepted, opened)] == [Accept, Connect]
    theirs = next(one for one in closed if one.sport == port)
    for one in (accepted, theirs):
        assert (one.pid, one.flags) == (os.getpid(), 0)
    assert (theirs.sent_bytes, theirs.received_bytes) == (1, 5)
    assert theirs.duration_ns > 0


def state(one: socket.socket) -> int:
    """Of a TCP socket: tcpi_state of struct tcp_info."""
    return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0]
