"""Real TCP connections in a namespace of the test's own, and what the ring tells of them."""

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from skep.base.clock import boot_ns
from skep.flows import connections
from skep.flows.programs.records import (
    FAILED,
    PROCESS_UNKNOWN,
    START_UNKNOWN,
    Accept,
    Close,
    Connect,
)
from skep.program.live import Live
from skep.program.load import load
from skep.program.machine import Machine
from skep.testing.cgroups import Cgroup
from skep.testing.network import Namespace, Wire
from tests.kernel.flows.conftest import ends
from tests.kernel.flows.tcp import SECONDS, Pair, Told, connect, listen, reset

# --- a whole life ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "to", "shown", "family"),
    [
        ("127.0.0.1", "", "127.0.0.1", 2),
        ("::1", "", "::1", 10),
        ("::", "127.0.0.1", "127.0.0.1", 2),
    ],
    ids=["IPv4", "IPv6", "IPv4 in an IPv6 socket"],
)
def test_a_connection_is_opened_accepted_and_closed(
    told: Told, address: str, to: str, shown: str, family: int
) -> None:
    before = boot_ns()
    pair = connect(address, to)
    told.watch(pair.client)
    pair.send(up=5_000, down=777)
    client, server = pair.client.getsockname()[1], pair.listener.getsockname()[1]
    pair.close()
    opened, accepted, *closed = told.all(4)
    assert [type(one) for one in (opened, accepted, *closed)] == [Connect, Accept, Close, Close]
    ours, theirs = sorted(closed, key=lambda one: one.sport != client)
    for event in (opened, ours):
        assert ends(event) == (shown, client, shown, server)
    for event in (accepted, theirs):
        assert ends(event) == (shown, server, shown, client)
    for event in (opened, accepted, ours, theirs):
        assert (event.pid, event.uid, event.comm) == (os.getpid(), 0, comm(os.getpid()))
        assert (event.family, event.flags, event.error) == (family, 0, 0)
        assert before < event.time < boot_ns()
    assert (ours.sent_bytes, ours.received_bytes) == (5_000, 777)
    assert (theirs.sent_bytes, theirs.received_bytes) == (777, 5_000)
    begun = ours.time - ours.duration_ns  # the clock is read twice as it opens
    assert before < begun <= opened.time
    assert 0 < theirs.duration_ns <= theirs.time - before
    assert ours.srtt_us > 0
    assert theirs.srtt_us > 0
    assert (ours.retransmits, theirs.retransmits) == (0, 0)
    assert own_open(told) == 0


def own_open(told: Told) -> int:
    """Connections of this process that are held to be open."""
    found = told.live[connections.open_now].values()
    return sum(one.pid == os.getpid() for one in found)


def comm(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read().rstrip("\n")


@pytest.mark.parametrize(("up", "down"), [(0, 0), (1, 0), (0, 1), (300_000, 1)])
def test_bytes_are_those_of_the_payload(told: Told, up: int, down: int) -> None:
    pair = connect()
    told.watch(pair.client)
    pair.send(up, down)
    client = pair.client.getsockname()[1]
    pair.close()
    closed = {one.sport == client: one for one in told.all(4) if isinstance(one, Close)}
    assert (closed[True].sent_bytes, closed[True].received_bytes) == (up, down)
    assert (closed[False].sent_bytes, closed[False].received_bytes) == (down, up)


def test_bytes_count_that_no_process_copied(told: Told, tmp_path: Path) -> None:
    """By sendfile(2) and splice(2)."""
    pair = connect()
    told.watch(pair.client)
    (tmp_path / "file").write_bytes(bytes(50_000))
    into, out = os.pipe()
    with (tmp_path / "file").open("rb") as file:
        assert os.sendfile(pair.client.fileno(), file.fileno(), 0, 50_000) == 50_000
    left = 50_000
    while left:
        moved = os.splice(pair.server.fileno(), out, min(left, 4096))
        assert len(os.read(into, moved)) == moved
        left -= moved
    os.write(out, bytes(700))
    assert os.splice(into, pair.server.fileno(), 700) == 700
    assert len(pair.client.recv(700, socket.MSG_WAITALL)) == 700
    os.close(into)
    os.close(out)
    client = pair.client.getsockname()[1]
    pair.close()
    closed = {one.sport == client: one for one in told.all(4) if isinstance(one, Close)}
    assert (closed[True].sent_bytes, closed[True].received_bytes) == (50_000, 700)
    assert (closed[False].sent_bytes, closed[False].received_bytes) == (700, 50_000)


def test_a_reset_is_told_to_who_suffers_it(told: Told) -> None:
    pair = connect()
    told.watch(pair.client)
    pair.send(100, 10)
    client = pair.client.getsockname()[1]
    reset(pair.client)
    pair.server.close()
    pair.listener.close()
    closed = {one.sport == client: one for one in told.all(4) if isinstance(one, Close)}
    assert (closed[True].error, closed[False].error) == (0, errno.ECONNRESET)
    assert (closed[True].sent_bytes, closed[False].sent_bytes) == (100, 10)


def test_what_is_sent_again_is_counted(seen: Told, wire: Wire) -> None:
    with wire.right.entered():
        listener = listen(wire.addresses[1])
    with wire.left.entered():
        client = socket.create_connection(listener.getsockname())
    pair = Pair(listener, client, listener.accept()[0])
    seen.watch(pair.client)
    neighbour = (wire.addresses[1], "dev", wire.device)
    wrong = ("lladdr", "02:00:00:00:00:99", "nud", "permanent")
    wire.left.run("ip", "neigh", "replace", *neighbour, *wrong)
    pair.client.sendall(b"lost")
    while retransmits(pair.client) == 0:
        time.sleep(0.01)
    wire.left.run("ip", "neigh", "del", *neighbour)
    pair.server.settimeout(SECONDS)
    assert pair.server.recv(4) == b"lost"
    port = pair.client.getsockname()[1]
    pair.close()
    closed = {one.sport == port: one for one in seen.all(4) if isinstance(one, Close)}
    assert closed[True].retransmits >= 1
    assert (closed[True].sent_bytes, closed[False].received_bytes) == (4, 4)


def retransmits(one: socket.socket) -> int:
    """Of the segment at hand: tcpi_retransmits of struct tcp_info."""
    return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[2]


# --- who -------------------------------------------------------------------------------------------

CLIENT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).recv(1)"


def test_each_end_belongs_to_its_process(told: Told, cgroup: Cgroup) -> None:
    listener = listen()
    told.watch(listener)
    port = str(listener.getsockname()[1])
    child = subprocess.Popen(
        cgroup.command(sys.executable, "-I", "-S", "-c", CLIENT, port), user=None
    )
    listener.accept()[0].close()
    assert child.wait() == 0
    listener.close()
    for event in told.all(4):
        mine = event.sport == int(port)
        assert event.pid == (os.getpid() if mine else child.pid)
        assert (event.cgroup == cgroup.id) is not mine
        assert event.flags == 0


def test_a_connection_belongs_to_who_accepts_not_to_who_listens(told: Told) -> None:
    listener = listen()
    told.watch(listener)
    worker = os.fork()
    if not worker:
        try:
            listener.accept()[0].recv(1)
        finally:
            os._exit(0)
    socket.create_connection(listener.getsockname()).close()
    os.waitpid(worker, 0)
    port = listener.getsockname()[1]
    listener.close()
    servers = [one for one in told.all(4) if one.sport == port]
    assert [type(one) for one in servers] == [Accept, Close]
    assert {one.pid for one in servers} == {worker}


def test_accept_of_other_sockets_is_no_event(told: Told) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0skep-test")
        listener.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("\0skep-test")
            listener.accept()[0].close()
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
        two.bind(("127.0.0.1", 0))
        one.connect(two.getsockname())
        one.send(b"x")
    told.events += told.live[connections.connections].poll()
    assert [one for one in told.events if one.pid == os.getpid()] == []


# --- what fails, and what was not seen from its start ----------------------------------------------


def test_a_refused_connection_is_told_with_its_error(told: Told) -> None:
    listener = listen()
    told.watch(listener)
    address = listener.getsockname()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    (event,) = told.all(1)
    assert isinstance(event, Connect)
    assert (event.flags, event.error, event.pid) == (FAILED, errno.ECONNREFUSED, os.getpid())
    ours, port, theirs, other = ends(event)
    assert (ours, theirs, other) == ("127.0.0.1", "127.0.0.1", address[1])
    assert port > 0


def test_an_attempt_for_which_there_is_no_port_has_failed_with_the_error_of_the_call(
    told: Told,
) -> None:
    listener = listen()
    told.watch(listener)
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("50000 50000")
    with listener, socket.create_connection(listener.getsockname()), socket.socket() as other:
        assert other.connect_ex(listener.getsockname()) == errno.EADDRNOTAVAIL
        opened, failed = told.all(2)
    assert (opened.flags, opened.error, opened.sport) == (0, 0, 50000)
    assert (failed.flags, failed.error, failed.sport) == (FAILED, errno.EADDRNOTAVAIL, 0)
    assert (type(failed), failed.pid) == (Connect, os.getpid())


def test_two_connections_of_the_same_ends_are_not_to_be_had(told: Told) -> None:
    listener = listen()
    told.watch(listener)
    with listener, socket.socket() as one, socket.socket() as other:
        for end in (one, other):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            end.bind(("127.0.0.1", one.getsockname()[1]))
        one.connect(listener.getsockname())
        assert other.connect_ex(listener.getsockname()) == errno.EADDRNOTAVAIL
        opened, failed = told.all(2)
    assert (failed.flags, failed.error) == (FAILED, errno.EADDRNOTAVAIL)
    assert ends(failed) == ends(opened)


def test_an_attempt_that_is_given_up_has_failed_without_an_error(seen: Told, wire: Wire) -> None:
    seen.ports.add(9)
    with wire.left.entered(), socket.socket() as one:
        one.settimeout(0)
        assert one.connect_ex(("10.99.0.77", 9)) == errno.EINPROGRESS
    (event,) = seen.all(1)
    assert (type(event), event.flags, event.error) == (Connect, FAILED, 0)
    assert ends(event)[2:] == ("10.99.0.77", 9)


def test_a_connection_that_nobody_accepts_has_no_process_but_its_sockets_owner(
    told: Told, cgroup: Cgroup
) -> None:
    code = "import socket, sys; s = socket.create_server(('127.0.0.1', 0))\n"
    code += "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    command = cgroup.command(sys.executable, "-I", "-S", "-c", code)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as child:  # type: ignore[call-overload]
        port = int(child.stdout.readline())
        client = socket.create_connection(("127.0.0.1", port))
        told.watch(client)
        child.stdin.close()
    client.close()
    opened, *closed = told.all(3)
    theirs = next(one for one in closed if one.sport == port)
    assert [type(one) for one in (opened, *closed)] == [Connect, Close, Close]
    assert (theirs.flags, theirs.pid, theirs.comm) == (PROCESS_UNKNOWN, 0, "")
    assert (theirs.cgroup, theirs.uid) == (cgroup.id, 0)
    assert theirs.duration_ns > 0


@pytest.fixture
def late(netns: Namespace, machine: Machine) -> Iterator[Callable[[], Told]]:
    """Attaches the programs when it is called."""
    with netns.entered():
        loaded: list[Live] = []

        def attach() -> Told:
            loaded.append(load(*connections.programs(machine.btf), machine=machine))
            return Told(loaded[0])

        yield attach
        for live in loaded:
            live.close()


def test_what_began_before_is_marked_and_belongs_to_who_ends_it(late: Callable[[], Told]) -> None:
    pair = connect()
    told = late()
    told.watch(pair.client)
    pair.send(10, 20)
    client = pair.client.getsockname()[1]
    pair.close()
    closed = {one.sport == client: one for one in told.all(2)}
    for event, sent, received in ((closed[True], 10, 20), (closed[False], 20, 10)):
        assert isinstance(event, Close)
        assert (event.flags, event.duration_ns) == (START_UNKNOWN, 0)
        assert (event.pid, event.comm) == (os.getpid(), comm(os.getpid()))
        assert (event.sent_bytes, event.received_bytes) == pytest.approx((sent, received), abs=1)


def test_what_is_accepted_after_has_its_process_but_no_start(late: Callable[[], Told]) -> None:
    listener = listen()
    client = socket.create_connection(listener.getsockname())
    told = late()
    told.watch(client)
    pair = Pair(listener, client, listener.accept()[0])
    port = listener.getsockname()[1]
    pair.close()
    accepted, *closed = told.all(3)
    assert isinstance(accepted, Accept)
    theirs = next(one for one in closed if one.sport == port)
    for event in (accepted, theirs):
        assert (event.flags, event.pid) == (START_UNKNOWN, os.getpid())
        assert ends(event) == ("127.0.0.1", port, "127.0.0.1", client_port(closed, port))
    assert theirs.duration_ns == 0


def client_port(closed: list[Any], port: int) -> int:
    return next(int(one.sport) for one in closed if one.sport != port)


# --- many ------------------------------------------------------------------------------------------


def test_of_many_connections_none_is_missed(told: Told) -> None:
    listener = listen()
    told.watch(listener)
    for _ in range(100):
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
        client.close()
        server.close()
    listener.close()
    kinds = [type(one) for one in told.all(4 * 100)]
    assert [kinds.count(kind) for kind in (Connect, Accept, Close)] == [100, 100, 200]
    assert own_open(told) == 0
