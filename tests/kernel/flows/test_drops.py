"""Packets that the kernel really drops, in namespaces of the test's own, and what is told of them."""

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from skep.flows import drops
from skep.flows.drops import Reasons, SiteTotal
from skep.kernel.symbols import Symbols
from skep.program.live import Live
from skep.program.load import load
from skep.program.machine import Machine
from skep.testing.network import Namespace, Wire
from skep.testing.programs import until
from tests.kernel.flows.conftest import ends

SECONDS = 60.0
BURST = 500
UDP, TCP = 17, 6
IPV4, IPV6 = 0x0800, 0x86DD


@dataclass
class Told:
    """Drops, with the names of their reasons."""

    live: Live
    reasons: Reasons
    events: list[Any] = field(default_factory=list)

    def to(self, port: int, count: int = 1) -> list[Any]:
        """The drops of packets to a port, at least ``count``."""
        deadline = time.monotonic() + SECONDS
        while True:
            self.events += self.live[drops.drops].poll(0.05)
            found = [one for one in self.events if one.dport == port]
            if len(found) >= count or time.monotonic() > deadline:
                assert len(found) >= count, self.events
                return found

    def reason(self, event: Any) -> str | None:  # noqa: ANN401 - a Drop as the ring gives it
        return self.reasons.name(event.reason)

    def totals(self, reason: str) -> list[SiteTotal]:
        found = drops.totals(self.live[drops.sites].items())
        return [one for one in found if self.reasons.name(one.reason) == reason]


@pytest.fixture(scope="module")
def live(machine: Machine) -> Iterator[Live]:
    """The program, attached for all tests."""
    with load(*drops.programs(machine.btf), machine=machine) as loaded:
        yield loaded


@pytest.fixture
def told(live: Live, machine: Machine) -> Iterator[Told]:
    """What is told from now on, each site with its whole budget."""
    for _ in live[drops.drops].poll():
        pass
    live[drops.sites].clear()
    yield Told(live, Reasons(machine.btf))
    assert live[drops.unlisted].memory().cast("Q")[0] == 0


def inode(namespace: Namespace) -> int:
    return os.stat(namespace.path).st_ino


def free_port(family: socket.AddressFamily = socket.AF_INET) -> int:
    with socket.socket(family) as one:
        one.bind(("::" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize(
    ("address", "protocol", "length"), [("127.0.0.1", IPV4, 60), ("::1", IPV6, 80)]
)
def test_a_connection_to_a_closed_port_is_dropped(
    told: Told, netns: Namespace, address: str, protocol: int, length: int
) -> None:
    with netns.entered():
        port = free_port()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port))
    (event,) = told.to(port)
    assert told.reason(event) == "NO_SOCKET"
    ours, source, theirs, destination = ends(event)
    assert (ours, theirs, destination) == (address, address, port)
    assert source > 0
    assert (event.ethertype, event.protocol, event.length) == (protocol, TCP, length)
    assert (event.ifindex, event.netns) == (1, inode(netns))
    where = "tcp_v4_rcv" if protocol == IPV4 else "tcp_v6_rcv"
    assert Symbols().caller(event.location).startswith(where)


def test_a_drop_names_the_device_and_the_namespace_of_the_receiver(told: Told, wire: Wire) -> None:
    with wire.right.entered():
        port = free_port()
    with wire.left.entered(), pytest.raises(ConnectionRefusedError):
        socket.create_connection((wire.addresses[1], port))
    (event,) = told.to(port)
    assert (event.ifindex, event.netns) == (wire.right.index(wire.device), inode(wire.right))
    assert (ends(event)[0], ends(event)[2]) == wire.addresses


@dataclass
class Full:
    """A UDP socket in which there is no room, and one that sends to it: each datagram is dropped."""

    namespace: Namespace
    receiver: socket.socket
    sender: socket.socket

    @property
    def port(self) -> int:
        return int(self.receiver.getsockname()[1])

    def send(self, count: int) -> None:
        """Send datagrams, and wait until the kernel says that it dropped them, which it does in its own time."""
        before = self.dropped
        for sent in range(1, count + 1):
            self.sender.send(bytes(500))
            if sent % BURST == 0 or sent == count:
                until(lambda sent=sent: self.dropped >= before + sent, seconds=SECONDS)  # type: ignore[misc]
        assert self.dropped == before + count

    @property
    def dropped(self) -> int:
        return self._memory()[8]

    def fill(self) -> None:
        """Send until the first is dropped."""
        while not self.dropped:
            before = self._memory()
            self.sender.send(bytes(500))
            until(lambda before=before: self._memory() != before, seconds=SECONDS)  # type: ignore[misc]

    def _memory(self) -> tuple[int, ...]:
        """SO_MEMINFO of the receiver, by enum sk_meminfo of linux/sock_diag.h: what it holds, what it dropped."""
        return struct.unpack("9I", self.receiver.getsockopt(socket.SOL_SOCKET, 55, 36))


@pytest.fixture
def full(netns: Namespace) -> Iterator[Full]:
    with netns.entered(), socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        receiver.bind(("127.0.0.1", 0))
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.connect(receiver.getsockname())
            made = Full(netns, receiver, sender)
            made.fill()
            yield made


def test_what_a_full_socket_cannot_take_is_dropped(full: Full, told: Told, cgroup_id: int) -> None:
    full.send(6)
    found = told.to(full.port, 6)
    assert len(found) == 6
    for event in found:
        assert told.reason(event) == "SOCKET_RCVBUFF"
        assert (event.ethertype, event.protocol, event.length) == (IPV4, UDP, 528)
        assert ends(event)[::2] == ("127.0.0.1", "127.0.0.1")
        assert event.sport == full.sender.getsockname()[1]
        assert event.ifindex == 1
    if has_receiver(told):
        assert {one.netns for one in found} == {inode(full.namespace)}
        assert {one.cgroup for one in found} == {cgroup_id}


def has_receiver(told: Told) -> bool:
    """Whether the tracepoint names the receiving socket (Linux 6.11)."""
    return "on_drop" in told.live.programs


@pytest.fixture
def cgroup_id() -> int:
    """The id of the cgroup that the tests run in."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        path = next(line for line in file if line.startswith("0::"))[3:].rstrip("\n")
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        root = next(line.split()[4] for line in mounts if " - cgroup2 " in line)
    return os.stat(root + path).st_ino


def test_a_flood_is_told_in_part_and_counted_in_whole(full: Full, told: Told) -> None:
    full.send(9_000)
    found = told.to(full.port)
    (site,) = told.totals("SOCKET_RCVBUFF")
    assert site.location == found[0].location
    assert site.total == 9_000
    assert site.told == len(found) < 900
    assert told.live[drops.drops].lost == 0
    full.send(8)
    assert told.totals("SOCKET_RCVBUFF")[0].total == 9_008


def test_messages_of_local_sockets_are_no_packets(told: Told) -> None:
    def close_unread() -> None:
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.send(bytes(77))
        one.close()
        other.close()

    _none(told, close_unread, length=77)


def _none(told: Told, provoke: Callable[[], None], length: int) -> None:
    provoke()
    told.events += told.live[drops.drops].poll()
    assert [one for one in told.events if one.length == length] == []


def test_what_nobody_asked_for_is_counted_and_not_told(told: Told, wire: Wire) -> None:
    """Multicast packets to a group of the link that nobody joined."""
    deadline = time.monotonic() + SECONDS
    with wire.left.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
        group = ("ff02::99", 9999, 0, wire.left.index(wire.device))
        before = strays(told)
        while strays(told) < before + 20:
            one.sendto(bytes(99), group)
            assert time.monotonic() < deadline
    told.events += told.live[drops.drops].poll()
    own = {inode(wire.left), inode(wire.right)}
    mine = [one for one in told.events if one.netns in own]
    assert [one for one in mine if told.reason(one) == "NOT_SPECIFIED"] == []


def strays(told: Told) -> int:
    return sum(site.total for site in told.totals("NOT_SPECIFIED"))
