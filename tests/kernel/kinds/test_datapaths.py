"""Programs of datapaths meet packets on devices: their order, both ends of a pair, what they answer and wrap up."""

import ipaddress
import socket
import struct
from collections.abc import Callable
from functools import partial

import pytest

import skep
from skep.base.errors import BadInput
from skep.testing.network import End, Namespace, Wire, pair
from skep.testing.programs import Loader, until
from tests.kernel.kinds.programs import datapaths as programs

COUNTS = programs.counts
IP_RECVTTL = 12


def datagram(space: Namespace, peer: tuple[str, int], payload: bytes = b"hello") -> socket.socket:
    """A socket in a namespace that has sent a datagram."""
    with space.entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.settimeout(10)
    sender.sendto(payload, peer)
    return sender


@pytest.mark.requires("link.tcx")
def test_a_program_runs_before_one_that_was_there(loaded: Loader, wire: Wire) -> None:
    live = loaded(programs.counts_marked, programs.marks)
    right = wire.right.path
    there = live.attach(programs.counts_marked, wire.device, netns=right)
    first = live.attach(programs.marks, wire.device, netns=right)
    with datagram(wire.left, (wire.addresses[1], 9)):
        until(lambda: live[COUNTS][1])
    first.close()
    assert live[COUNTS][0] == 0
    live.attach(programs.marks, wire.device, netns=right, before=there)
    with datagram(wire.left, (wire.addresses[1], 9)):
        until(lambda: live[COUNTS][0])


def test_only_programs_in_an_order_have_a_place_in_it(loaded: Loader, wire: Wire) -> None:
    live = loaded(programs.answers_names, programs.marks)
    with pytest.raises(BadInput, match="only tc and netkit programs stand in an order"):
        live.attach(programs.answers_names, wire.device, netns=wire.right.path, before=True)
    with pytest.raises(BadInput, match="'first' is no place among the programs of a device"):
        live.attach(programs.marks, wire.device, before="first")  # type: ignore[arg-type]


@pytest.mark.requires("link.netkit")
def test_both_ends_of_a_netkit_pair_have_a_program(loaded: Loader, netns: Namespace) -> None:
    pod = Namespace()
    try:
        netns.run("ip", "link", "add", "node0", "type", "netkit")
        peer = next(
            line.split()[1].partition("@")[0].rstrip(":")
            for line in netns.run("ip", "-o", "link").splitlines()
            if "@node0" in line
        )
        netns.run("ip", "link", "set", peer, "netns", str(pod.pid))
        for space, device, address in ((netns, "node0", 1), (pod, peer, 2)):
            space.run("ip", "addr", "add", f"10.98.0.{address}/24", "dev", device)
            space.run("ip", "link", "set", device, "up")
        live = loaded(programs.leaves_the_node, programs.leaves_the_pod)
        live.attach(programs.leaves_the_node, "node0", netns=netns.path)
        live.attach(programs.leaves_the_pod, "node0", netns=netns.path)
        with pod.entered():
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with receiver:
            receiver.bind(("10.98.0.2", 8))
            receiver.settimeout(10)
            with datagram(netns, ("10.98.0.2", 7)), datagram(netns, ("10.98.0.2", 8)) as sender:
                text, back = receiver.recvfrom(16)
                receiver.sendto(text, back)
                assert sender.recv(16) == b"hello"
        assert (live[COUNTS][2] >= 2, live[COUNTS][3] >= 1) == (True, True)
    finally:
        pod.close()


def test_a_device_that_is_no_netkit_says_so(loaded: Loader, wire: Wire) -> None:
    live = loaded(programs.leaves_the_node)
    told = "is not the primary end of a netkit pair|does not offer netkit"
    with pytest.raises((BadInput, skep.Unsupported), match=rf"{told}"):
        live.attach(programs.leaves_the_node, wire.device, netns=wire.right.path)


@pytest.mark.requires("kfunc.bpf_xdp_metadata_rx_hash")
def test_a_device_tells_of_its_packets(loaded: Loader, wire: Wire) -> None:
    with wire.right.entered():
        live = loaded(programs.asks_the_device)
        live.attach(programs.asks_the_device)
    with datagram(wire.left, (wire.addresses[1], 9)):
        until(lambda: live[programs.told][1])
    assert live[programs.told][0] != 0


def test_a_tag_is_pushed_and_popped(loaded: Loader, wire: Wire) -> None:
    live = loaded(programs.tags, programs.untags)
    live.attach(programs.tags, wire.device, netns=wire.left.path)
    live.attach(programs.untags, wire.device, netns=wire.right.path)
    with wire.right.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((wire.addresses[1], 9))
        receiver.settimeout(10)
        with datagram(wire.left, (wire.addresses[1], 9)):
            assert receiver.recv(16) == b"hello"
    assert live[COUNTS][4] >= programs.VLAN


def test_datagrams_over_ipv6_become_some_over_ipv4(loaded: Loader, wire: Wire) -> None:
    wire.left.run("ip", "-6", "route", "add", "64:ff9b::/96", "via", wire.addresses6[1])
    live = loaded(programs.translates)
    live.attach(programs.translates, wire.device, netns=wire.right.path)
    with wire.right.entered():
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with wire.left.entered():
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.bind((wire.addresses[1], 9))
        receiver.settimeout(10)
        sender.sendto(b"hello", ("64:ff9b::a63:2", 9))
        text, (source, _) = receiver.recvfrom(16)
        assert (text, source, live[COUNTS][5]) == (b"hello", "10.99.0.99", 1)


def routed(left: Namespace, router: Namespace, right: Namespace) -> None:
    """Two networks, 10.1.0.0/24 and 10.2.0.0/24, fd01::/64 and fd02::/64, with a router between them."""
    router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
    for number, space in enumerate((left, right), 1):
        ends = (
            End(one, device, (f"10.{number}.0.{last}/24", f"fd0{number}::{last}/64"))
            for one, device, last in ((router, f"r{number}", 1), (space, "eth0", 2))
        )
        pair(*ends)
        space.run("ip", "route", "add", "default", "via", f"10.{number}.0.1")
        space.run("ip", "-6", "route", "add", "default", "via", f"fd0{number}::1")


@pytest.mark.parametrize(
    ("program", "count"), [(programs.routes, 6), (programs.routes_in_tc, 7)], ids=["xdp", "tc"]
)
def test_packets_take_the_hop_that_the_kernel_knows(
    loaded: Loader, namespaces: Callable[[], Namespace], program: skep.Program, count: int
) -> None:
    left, router, right = namespaces(), namespaces(), namespaces()
    routed(left, router, right)
    live = loaded(program)
    with router.entered():
        for device in ("r1", "r2") if program is programs.routes else ():
            live[programs.devices][router.index(device)] = device
    for family, peer in ((socket.AF_INET, "10.2.0.2"), (socket.AF_INET6, "fd02::2")):
        with right.entered():
            receiver = socket.socket(family, socket.SOCK_DGRAM)
        with left.entered():
            sender = socket.socket(family, socket.SOCK_DGRAM)
        with receiver, sender:
            if family == socket.AF_INET6:
                receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            else:
                receiver.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
            receiver.settimeout(10)
            receiver.bind((peer, 9))
            sender.settimeout(10)
            sender.sendto(
                b"first", (peer, 9)
            )  # the kernel's own way, by which neighbours are known
            text, _, _, back = receiver.recvmsg(16, 64)
            receiver.sendto(text, back)
            assert sender.recv(16) == b"first"
            mode = "generic" if program is programs.routes else ""
            link = live.attach(program, "r1", netns=router.path, mode=mode)
            before = live[COUNTS][count]
            sender.sendto(b"second", (peer, 9))
            text, told, _, _ = receiver.recvmsg(16, 64)
            link.close()
        assert (text, [int.from_bytes(data, "little") for *_, data in told]) == (b"second", [63])
        assert live[COUNTS][count] > before


def _knows(space: Namespace, address: str, mac: str) -> bool:
    return mac in space.run("ip", "neigh", "show", address)


def test_one_answers_for_neighbours(loaded: Loader, wire: Wire) -> None:
    mac = [2, 0, 0, 0, 0, 9]
    live = loaded(programs.answers_for_neighbours, programs.answers_for_neighbours_v6)
    other = ipaddress.ip_address("fd99::9")
    live[programs.neighbours][0x0A630009] = programs.Mac(mac)
    live[programs.neighbours_v6][programs.V6(list(other.packed))] = programs.Mac(mac)
    asked = (
        (programs.answers_for_neighbours, "10.99.0.9", socket.AF_INET),
        (programs.answers_for_neighbours_v6, str(other), socket.AF_INET6),
    )
    for program, address, family in asked:
        link = live.attach(program, wire.device, netns=wire.right.path, mode="generic")
        with wire.left.entered(), socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"hello", (address, 9))
        until(partial(_knows, wire.left, address, "02:00:00:00:00:09"))
        link.close()


def test_segments_are_limited_as_connections_begin(loaded: Loader, wire: Wire) -> None:
    live = loaded(programs.limits_segments)
    live.attach(programs.limits_segments, wire.device, netns=wire.right.path)
    with wire.right.entered():
        server = socket.create_server((wire.addresses[1], 80))
    with wire.left.entered():
        client = socket.create_connection((wire.addresses[1], 80), timeout=10)
    with server, client, server.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= programs.MOST
        client.sendall(bytes(5000))
        accepted.settimeout(10)
        assert accepted.recv(1) == b"\0"


@pytest.mark.parametrize("name", [b"\3web\7Example\3org\0", b"\1a\0"])
def test_names_are_answered_before_the_stack(loaded: Loader, wire: Wire, name: bytes) -> None:
    lower = name.lower()
    live = loaded(programs.answers_names)
    live[programs.names][programs.Name(lower[:-1] + bytes(65 - len(lower)))] = 0x01020304
    live.attach(programs.answers_names, wire.device, netns=wire.right.path, mode="generic")
    asked = struct.pack(">6H", 0x1234, 0x0100, 1, 0, 0, 0) + name + b"\0\1\0\1"
    with datagram(wire.left, (wire.addresses[1], 53), asked) as sender:
        told = sender.recv(512)
    assert told[:8] == struct.pack(">4H", 0x1234, 0x8180, 1, 1)
    assert told[12 : len(asked)] == asked[12:]
    assert told[len(asked) :] == bytes.fromhex("c00c00010001") + struct.pack(">IH", 60, 4) + (
        b"\1\2\3\4"
    )


def test_a_frame_enters_a_tunnel_as_it_was() -> None:
    ends = socket.inet_aton("10.77.0.1") + socket.inet_aton("10.77.0.5")
    frame = bytes(range(12)) + b"\x08\0" + struct.pack(">BBHIBBH", 0x45, 0, 40, 0, 64, 17, 0) + ends
    frame += bytes(range(20))
    tunnel = programs.Tunnel(0x0A630001, 0x0A630002, 77, list(b"here00"), list(b"there0"))
    done = skep.run(programs.enters_a_tunnel, frame, maps={programs.tunnels: {0x0A4D0005: tunnel}})
    kernel, packet = skep.FakeKernel(), skep.Packet(frame)
    kernel[programs.tunnels][0x0A4D0005] = tunnel
    assert programs.enters_a_tunnel.py(packet, kernel=kernel) == done.verdict == 3
    assert done.packet == bytes(packet.bytes)
    outer = programs.Outer.from_bytes(done.packet)
    assert done.packet[programs.Outer.size :] == frame
    assert (outer.eth.type, outer.udp.destination, outer.vxlan.network >> 8) == (0x0800, 4789, 77)
    assert (outer.ip.length, outer.udp.length) == (len(frame) + 36, len(frame) + 16)
