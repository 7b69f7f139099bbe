"""The datapath at a pod's veth pair: real clients and servers, in namespaces that a node's namespace routes between."""

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest

import skep
from examples.large.datapath.balance import Backend, Service
from examples.large.datapath.desired import Rule
from examples.large.datapath.pod import from_pod, to_pod
from examples.large.datapath.state import IN, OUT, VERDICTS, Verdict
from skep.lang.library.headers import Protocol
from skep.testing.network import Namespace
from tests.unit.large.datapath_packets import ECHOES, V4, V6, summed
from tests.unit.large.datapath_scenes import Scene, shaped

PROGRAMS = [from_pod, to_pod]
SECONDS = 60.0
PORT = 8080
NAMES = ("pod", "one", "two")
slow = pytest.mark.native("four namespaces each, half a minute under emulation")
VIPS = {V4: "10.96.0.1", V6: "fd96::1"}
PEERS = 7


def address(name: str, family: int, *, node: bool = False) -> str:
    """A namespace's address, or the node's on its side of the wire."""
    number = NAMES.index(name) + 1
    last = 1 if node else 2
    return f"10.2.{number}.{last}" if family == V4 else f"fd02:{number}::{last}"


@dataclass
class Lab:
    """A node, a pod and two peers, and the datapath on the node's end of the pod's wire."""

    node: Namespace
    hosts: dict[str, Namespace]
    scene: Scene
    stack: ExitStack
    servers: dict[str, socket.socket] = field(default_factory=dict)

    def open(self, name: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        families = {V4: socket.AF_INET, V6: socket.AF_INET6}
        with self.hosts[name].entered():
            made = socket.socket(families[family], kind, protocol)
        made.settimeout(SECONDS)
        return self.stack.enter_context(made)

    def bound(self, name: str, family: int, kind: int) -> socket.socket:
        """A socket on the port of a namespace's address; of TCP, it listens."""
        made = self.open(name, family, kind)
        made.bind((address(name, family), PORT))
        if kind == socket.SOCK_STREAM:
            made.listen()
        return made

    def count(self, direction: int, verdict: Verdict) -> int:
        return self.scene.counted()[direction * VERDICTS + verdict][0]


def link(node: Namespace, host: Namespace, name: str) -> None:
    """A wire from the node to a host, whose way to all others goes through the node."""
    ours, theirs = [f"link add {name} type veth peer name eth0 netns {host.pid}"], []
    for family in (V4, V6):
        bits, extra = (24, "") if family == V4 else (64, "nodad")
        gateway = address(name, family, node=True)
        ours.append(f"addr add {gateway}/{bits} dev {name} {extra}")
        theirs.append(f"addr add {address(name, family)}/{bits} dev eth0 {extra}")
    ours.append(f"link set {name} up")
    theirs.append("link set eth0 up")
    node.run("ip", "-batch", "-", text="\n".join([*ours, ""]))
    theirs += [f"-{f} route add default via {address(name, f, node=True)}" for f in (V4, V6)]
    for line in theirs:
        host.run("ip", *line.split())


@pytest.fixture
def lab(namespaces: Callable[[], Namespace]) -> Iterator[Lab]:
    node, hosts = namespaces(), {name: namespaces() for name in NAMES}
    for name, host in hosts.items():
        link(node, host, name)
    forwards = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")
    node.run("sh", "-c", "; ".join(f"echo 1 > /proc/sys/{one}" for one in forwards))
    with ExitStack() as stack, skep.load(from_pod, to_pod, attach=False) as live:
        for program in (from_pod, to_pod):
            live.attach(program, "pod", netns=node.path)
        yield Lab(node, hosts, shaped(live), stack)


def until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@slow
@pytest.mark.parametrize("family", [V4, V6])
def test_connections_that_are_allowed_pass(lab: Lab, family: int) -> None:
    lab.scene.allow(Rule(PEERS, OUT, Protocol.TCP, range(PORT, PORT + 1)))
    server = lab.bound("one", family, socket.SOCK_STREAM)
    client = lab.open("pod", family, socket.SOCK_STREAM)
    client.connect((address("one", family), PORT))
    accepted = lab.stack.enter_context(server.accept()[0])
    client.sendall(b"question")
    assert accepted.recv(8) == b"question"
    accepted.sendall(b"answer")
    assert client.recv(6) == b"answer"
    assert lab.count(OUT, Verdict.NEW) == 1
    assert lab.count(IN, Verdict.REPLY) > 0
    assert lab.count(OUT, Verdict.ESTABLISHED) > 0


@slow
@pytest.mark.parametrize("family", [V4, V6])
def test_connections_that_are_not_allowed_are_dropped(lab: Lab, family: int) -> None:
    """Neither to another port, nor to the pod; where the refusal ends, the same connection comes through."""
    lab.scene.allow(Rule(PEERS, OUT, Protocol.TCP, range(PORT + 1, PORT + 2)))
    for direction, server_name, client_name in ((OUT, "one", "pod"), (IN, "pod", "one")):
        server = lab.bound(server_name, family, socket.SOCK_STREAM)
        client = lab.open(client_name, family, socket.SOCK_STREAM)
        client.setblocking(False)  # noqa: FBT003 - as sockets have it
        client.connect_ex((address(server_name, family), PORT))
        until(lambda way=direction: lab.count(way, Verdict.NOT_ALLOWED) > 0)  # type: ignore[misc]
        assert not select.select([server], [], [], 0)[0]
        lab.scene.allow(Rule(PEERS, direction, Protocol.TCP, range(PORT, PORT + 1)))
        lab.stack.enter_context(server.accept()[0])  # the SYN is sent again
        lab.scene.allow()
    first = next(drop for drop in lab.scene.drops() if drop.protocol == Protocol.TCP)
    assert (first.destination_port, first.identity) == (PORT, PEERS)


@slow
@pytest.mark.parametrize("family", [V4, V6])
def test_datagrams_pass_as_they_are_allowed(lab: Lab, family: int) -> None:
    lab.scene.allow(Rule(PEERS, OUT, Protocol.UDP, range(PORT, PORT + 1)))
    ends = {name: lab.bound(name, family, socket.SOCK_DGRAM) for name in ("pod", "one", "two")}
    where = {name: end.getsockname() for name, end in ends.items()}
    ends["two"].sendto(b"unasked", where["pod"])
    until(lambda: lab.count(IN, Verdict.NOT_ALLOWED) == 1)
    ends["pod"].sendto(b"question", where["one"])
    data, source = ends["one"].recvfrom(16)
    ends["one"].sendto(b"answer", source)
    assert (data, ends["pod"].recv(16)) == (b"question", b"answer")
    assert (lab.count(OUT, Verdict.NEW), lab.count(IN, Verdict.REPLY)) == (1, 1)


@slow
@pytest.mark.parametrize("family", [V4, V6])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_a_service_is_two_backends(lab: Lab, family: int, kind: int) -> None:
    """Clients speak with the service's address only, and meet both backends; much data comes through whole."""
    protocol = Protocol.TCP if kind == socket.SOCK_STREAM else Protocol.UDP
    lab.scene.allow(Rule(PEERS, OUT, protocol, range(PORT, PORT + 1)))
    backends = tuple(Backend(ip_address(address(n, family)), PORT) for n in ("one", "two"))
    lab.scene.serve(Service(ip_address(VIPS[family]), 80, protocol, backends))
    servers = [lab.bound(name, family, kind) for name in ("one", "two")]
    ask = over_tcp if kind == socket.SOCK_STREAM else over_udp
    met: set[int] = set()
    for _ in range(64):
        client = lab.open("pod", family, kind)
        client.connect((VIPS[family], 80))
        met.add(ask(client, servers))
        client.close()
        if len(met) == 2:
            break
    assert met == {0, 1}


def over_tcp(client: socket.socket, servers: list[socket.socket]) -> int:
    """Which server a connection met; 300 kB go each way."""
    data = bytes(range(256)) * 1200
    (ready,) = select.select(servers, [], [], SECONDS)[0]
    end, _ = ready.accept()
    with end:
        end.settimeout(SECONDS)
        for source, target in ((client, end), (end, client)):
            arrived, left = b"", data
            while len(arrived) < len(data):
                left = left[source.send(left[:10000]) :] if left else left
                while select.select([target], [], [], 0 if left else SECONDS)[0]:
                    arrived += target.recv(1 << 20)
                    if len(arrived) == len(data):
                        break
            assert arrived == data
    return servers.index(ready)


def over_udp(client: socket.socket, servers: list[socket.socket]) -> int:
    """Which server a datagram met; its answer comes from where the client is connected to."""
    client.send(b"question")
    (ready,) = select.select(servers, [], [], SECONDS)[0]
    data, source = ready.recvfrom(16)
    ready.sendto(data[::-1], source)
    assert client.recv(16) == b"noitseuq"
    return servers.index(ready)


@slow
@pytest.mark.parametrize("family", [V4, V6])
def test_echoes_are_answered(lab: Lab, family: int) -> None:
    lab.scene.allow(Rule(PEERS, OUT, Protocol.ICMP), Rule(PEERS, OUT, Protocol.ICMPV6))
    protocol = Protocol.ICMP if family == V4 else Protocol.ICMPV6
    client = lab.open("pod", family, socket.SOCK_RAW, protocol)
    asked = struct.pack(">BBHHH", ECHOES[family, True], 0, 0, 77, 1)
    asked = asked[:2] + struct.pack(">H", summed(asked)) + asked[4:]
    client.sendto(asked, (address("one", family), 0))
    answered = b""
    while answered[:1] != bytes([ECHOES[family, False]]):
        answered = client.recv(100)[20 if family == V4 else 0 :]
    assert answered[4:8] == asked[4:8]
    assert (lab.count(OUT, Verdict.NEW), lab.count(IN, Verdict.REPLY)) == (1, 1)


@slow
@pytest.mark.parametrize("family", [V4, V6])
def test_errors_about_what_the_pod_sent_come_through(lab: Lab, family: int) -> None:
    """Nobody listens there: the peer's kernel says so, and the pod's socket hears of it."""
    lab.scene.allow(Rule(PEERS, OUT, Protocol.UDP))
    client = lab.open("pod", family, socket.SOCK_DGRAM)
    client.connect((address("one", family), PORT))
    client.send(b"anybody?")
    with pytest.raises(ConnectionRefusedError):
        client.recv(16)
    assert lab.count(IN, Verdict.RELATED) == 1


@pytest.mark.parametrize("family", [V4, V6])
def test_errors_about_a_backend_come_from_the_service(lab: Lab, family: int) -> None:
    lab.scene.allow(Rule(PEERS, OUT, Protocol.UDP))
    backend = Backend(ip_address(address("one", family)), PORT)
    lab.scene.serve(Service(ip_address(VIPS[family]), 80, Protocol.UDP, (backend,)))
    client = lab.open("pod", family, socket.SOCK_DGRAM)
    client.connect((VIPS[family], 80))
    client.send(b"anybody?")
    with pytest.raises(ConnectionRefusedError):
        client.recv(16)
    assert lab.count(IN, Verdict.RELATED) == 1
