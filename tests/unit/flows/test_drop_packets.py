"""The program of drops as plain Python: what it reads of packets, what it leaves out, how much it tells."""

from types import SimpleNamespace
from typing import Any

import pytest

from skep.flows.programs import drops
from skep.lang.plain.kernel import FakeKernel
from tests.unit.node.programs.memory import Memory

HEAD, KERNEL = 0xFFFF_8880_0000_0000, 0xFFFF_8881_0000_0000
WHERE, NOT_SPECIFIED, NO_SOCKET, CONSUMED = 0xFFFF_FFFF_8100_0010, 2, 3, 1
IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
BROADCAST, MULTICAST, OTHER = 1, 2, 3
UDP4 = bytes.fromhex("4500002a00004000401100000a0000010a000002") + bytes.fromhex("04d20050")
UDP6 = bytes.fromhex("6000000000081140" + "fd" + "00" * 14 + "01" + "fd" + "00" * 14 + "02")
UDP6 += bytes.fromhex("04d20050")


class Object(SimpleNamespace):
    """A kernel object at an address."""

    address: int = KERNEL

    def __int__(self) -> int:
        return self.address

    __index__ = __int__


class Address(int):
    """A pointer to a byte."""


def packet(protocol: int = IPV4, *, kind: int = 0, **more: Any) -> Any:  # noqa: ANN401 - fields of any type
    """A packet, received by device 4 of network namespace 99."""
    net = Object(net=Object(ns=Object(inum=99)))
    made = Object(len=30, protocol=protocol, pkt_type=kind, skb_iif=4)
    made.dev = Object(ifindex=4, nd_net=net)
    made.sk, made.head, made.network_header = 0, Address(HEAD), 14
    vars(made).update(more)
    return made


def owner(state: int = 1) -> Any:  # noqa: ANN401 - as above
    """A socket in network namespace 98, cgroup 6."""
    common = Object(skc_state=state, skc_net=Object(net=Object(ns=Object(inum=98))))
    made = Object(sk_cgrp_data=Object(cgroup=Object(kn=Object(id=6))))
    setattr(made, "__sk_common", common)
    return made


class Run:
    """Runs the program on packets whose header is ``header``."""

    def __init__(self, header: bytes = UDP4) -> None:
        self.ticks = 1000
        memory = Memory(**{f"at_{HEAD + 14:#x}": header})
        helpers = {**memory.helpers, "jiffies64": lambda: self.ticks}
        self.kernel = FakeKernel(helpers=helpers)

    def drop(self, skb: Any, reason: int = NO_SOCKET, rx_sk: Any = None) -> list[Any]:  # noqa: ANN401 - as above
        """What is told of a drop."""
        for one in (skb.sk, rx_sk):
            self.kernel.objects[int(one or 0)] = one
        drops.on_drop.py(skb, WHERE, reason, rx_sk, kernel=self.kernel)
        found: list[Any] = self.kernel[drops.drops].poll()
        return found

    def counts(self, reason: int = NO_SOCKET) -> tuple[int, int]:
        """All drops at the site, and those that were told."""
        site = drops.Site(location=WHERE, reason=reason)
        found = self.kernel[drops.sites]
        if site not in found:
            return (0, 0)
        return sum(c.total for c in found[site]), sum(c.told for c in found[site])


def test_a_packet_is_told_with_both_ends() -> None:
    (event,) = Run().drop(packet())
    assert (event.reason, event.location, event.ethertype, event.family) == (3, WHERE, 0x800, 2)
    assert bytes(event.saddr) == bytes([10, 0, 0, 1]) + bytes(12)
    assert bytes(event.daddr) == bytes([10, 0, 0, 2]) + bytes(12)
    assert (event.sport, event.dport, event.protocol, event.length) == (1234, 80, 17, 42)
    assert (event.ifindex, event.netns, event.cgroup) == (4, 99, 0)


def test_so_is_an_ipv6_packet() -> None:
    (event,) = Run(UDP6).drop(packet(IPV6))
    assert (event.ethertype, event.family, event.protocol, event.length) == (0x86DD, 10, 17, 48)
    assert (event.sport, event.dport) == (1234, 80)
    assert (bytes(event.saddr), bytes(event.daddr)) == (UDP6[8:24], UDP6[24:40])


def test_options_move_the_ports() -> None:
    header = bytes([0x46]) + UDP4[1:20] + bytes(4) + UDP4[20:]
    (event,) = Run(header).drop(packet())
    assert (event.sport, event.dport) == (1234, 80)


@pytest.mark.parametrize("offset", ["2001", "0001", "1fff"])
def test_a_later_fragment_has_no_ports(offset: str) -> None:
    (event,) = Run(UDP4[:6] + bytes.fromhex(offset) + UDP4[8:]).drop(packet())
    assert (event.family, event.protocol, event.sport, event.dport) == (2, 17, 0, 0)


@pytest.mark.parametrize("protocol", [1, 58, 47])
def test_what_has_no_ports_is_told_without(protocol: int) -> None:
    (event,) = Run(UDP4[:9] + bytes([protocol]) + UDP4[10:]).drop(packet())
    assert (event.protocol, event.sport, event.dport) == (protocol, 0, 0)


def test_a_header_that_is_not_there_or_is_another_is_not_believed() -> None:
    for run in (Run(b""), Run(UDP6)):
        (event,) = run.drop(packet())
        assert (event.ethertype, event.family, event.protocol, event.length) == (0x800, 0, 0, 30)
    (event,) = Run(UDP4).drop(packet(IPV6))
    assert event.family == 0
    (event,) = Run().drop(packet(ARP))
    assert (event.ethertype, event.family) == (0x806, 0)


def test_a_length_that_the_header_does_not_hold_is_the_buffers() -> None:
    (event,) = Run(UDP4[:2] + bytes(2) + UDP4[4:]).drop(packet())
    assert event.length == 30


def test_what_is_no_device_is_none() -> None:
    (event,) = Run().drop(packet(dev=Object(address=0x0100_01F4_0000_0300)))
    assert (event.ifindex, event.netns) == (4, 0)


def test_the_socket_says_whose_it_was() -> None:
    (event,) = Run().drop(packet(dev=0), rx_sk=owner())
    assert (event.netns, event.cgroup) == (98, 6)
    (event,) = Run().drop(packet(sk=owner()))
    assert (event.netns, event.cgroup) == (98, 6)


@pytest.mark.parametrize("state", [6, 12])
def test_a_socket_that_is_only_the_beginning_of_one_has_no_cgroup(state: int) -> None:
    (event,) = Run().drop(packet(sk=owner(state)))
    assert (event.netns, event.cgroup) == (98, 0)


def test_what_is_in_the_sockets_place_may_be_no_socket() -> None:
    (event,) = Run().drop(packet(sk=1480))  # a fragment's offset
    assert (event.netns, event.cgroup) == (99, 0)


# --- what is not told ------------------------------------------------------------------------------


@pytest.mark.parametrize(("protocol", "reason"), [(IPV4, CONSUMED), (IPV4, 0), (0, NO_SOCKET)])
def test_what_is_no_drop_or_no_packet_is_not_even_counted(protocol: int, reason: int) -> None:
    run = Run()
    assert run.drop(packet(protocol), reason) == []
    assert run.counts(reason) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "reason", "told"),
    [
        (MULTICAST, NOT_SPECIFIED, 0),
        (BROADCAST, NOT_SPECIFIED, 0),
        (OTHER, NOT_SPECIFIED, 1),
        (0, NOT_SPECIFIED, 1),
        (MULTICAST, NO_SOCKET, 1),
    ],
)
def test_what_nobody_asked_for_is_counted_only(kind: int, reason: int, told: int) -> None:
    run = Run()
    assert len(run.drop(packet(kind=kind), reason)) == told
    assert run.counts(reason) == (1, told)


def test_a_flood_is_told_in_part_until_the_next_window() -> None:
    run = Run()
    told = sum(len(run.drop(packet())) for _ in range(20))
    assert told == drops.TOLD
    assert run.counts() == (20, drops.TOLD)
    run.ticks += 1 << drops.WINDOW
    assert len(run.drop(packet())) == 1
    assert run.counts() == (21, drops.TOLD + 1)


def test_another_reason_has_a_budget_of_its_own() -> None:
    run = Run()
    for _ in range(20):
        run.drop(packet())
    assert len(run.drop(packet(), NO_SOCKET + 1)) == 1


def test_a_cpu_has_a_budget_of_its_own() -> None:
    run = Run()
    for _ in range(20):
        run.drop(packet())
    run.kernel.cpu = 1
    assert len(run.drop(packet())) == 1


def test_drops_at_more_sites_than_there_is_room_for_are_counted_together() -> None:
    run = Run()
    run.drop(packet())
    full = run.kernel[drops.sites]
    for reason in range(1000, 1000 + drops.sites.entries - 1):
        full[drops.Site(location=WHERE, reason=reason)] = [drops.Count(), drops.Count()]
    for reason in range(10, 13):
        assert run.drop(packet(), reason) == []
    assert run.kernel[drops.unlisted][0].total == 3
    assert len(run.drop(packet())) == 1
