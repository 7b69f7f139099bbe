"""Kinds on packets, messages and sockets: attached, they decide; closed, the kernel decides again."""

import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

import skep
from skep.base.errors import KernelError
from skep.testing.network import Namespace, Wire, join
from tests.kernel.kinds.programs import network as programs

pytestmark = pytest.mark.native("makes namespaces and connections, a minute under emulation")
SECONDS = 60.0


def until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def datagrams(netns: Namespace) -> tuple[socket.socket, socket.socket]:
    """Two sockets of UDP in a namespace: a receiver on a port, and a sender."""
    with netns.entered():
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(SECONDS)
    return receiver, sender


def connection(netns: Namespace) -> tuple[socket.socket, socket.socket]:
    """The two ends of a connection in a namespace."""
    with netns.entered():
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname())
    with server:
        end = server.accept()[0]
    end.settimeout(SECONDS)
    client.settimeout(SECONDS)
    return client, end


def test_a_socket_sees_what_its_filter_keeps(netns: Namespace) -> None:
    receiver, sender = datagrams(netns)
    where = receiver.getsockname()
    with receiver, sender, skep.load(programs.keeps_short_ones) as live:
        link = live.attach(programs.keeps_short_ones, receiver)
        for size in (300, 150, 50):
            sender.sendto(bytes(size), where)
        assert [len(receiver.recv(400)) for _ in range(2)] == [10, 50]
        assert live[programs.counts][0] == 3
        link.close()
        sender.sendto(bytes(300), where)
        assert len(receiver.recv(400)) == 300
        with pytest.raises(skep.SkepError, match="give the socket"):
            live.attach(programs.keeps_short_ones, "lo")


@pytest.mark.requires("prog.xdp_frags")
def test_a_long_packet_has_fragments() -> None:
    assert skep.run(programs.counts_fragments, bytes(9000)).verdict == 1
    assert skep.run(programs.counts_fragments, bytes(200)).verdict == 2


@pytest.mark.requires("prog.xdp_frags")
def test_a_device_of_long_packets_takes_a_program_for_fragments(wire: Wire) -> None:
    for side in (wire.left, wire.right):
        side.run("ip", "link", "set", wire.device, "mtu", "9000")
    with skep.load(programs.measures, programs.redirects) as live:
        with pytest.raises(skep.Unsupported, match=r"MTU need @skep.xdp\(frags=True\)"):
            live.attach(programs.redirects, wire.device, netns=wire.right.path, mode="native")
        with live.attach(programs.redirects, wire.device, netns=wire.right.path) as link:
            assert "generic mode" in link.remarks[0]
        live.attach(programs.measures, wire.device, netns=wire.right.path, mode="native")
        with wire.right.entered():
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            receiver.bind((wire.addresses[1], 9))
            receiver.settimeout(SECONDS)
        with receiver, wire.left.entered(), socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(bytes(8500), (wire.addresses[1], 9))
            assert len(receiver.recv(9000)) == 8500
        assert live[programs.counts][20] == 14 + 20 + 8 + 8500
        assert 0 < live[programs.counts][21] < 8500


def test_a_packet_is_judged_again_behind_a_redirect(wire: Wire) -> None:
    """It goes back to the device that it came from, or to another CPU, and a program there drops it."""
    beside = (programs.drops_before_a_device, programs.drops_on_another_processor)
    with skep.load(programs.redirects, *beside) as live, wire.right.entered():
        live.attach(programs.redirects, wire.device, mode="generic")
        with pytest.raises(KernelError, match="EINVAL"):
            live[programs.devices][0] = (wire.device, live.programs["redirects"])
        live[programs.devices][0] = (wire.device, live.programs["drops_before_a_device"])
        send_to(wire, wire.addresses[1])
        until(lambda: live[programs.counts][14] > 0)
        del live[programs.devices][0]
        live[programs.processors][0] = (192, live.programs["drops_on_another_processor"])
        send_to(wire, wire.addresses[1])
        until(lambda: live[programs.counts][15] > 0)
        with pytest.raises(skep.SkepError, match="a value of the map"):
            live.attach(programs.drops_before_a_device, wire.device)


def test_fields_of_the_context_are_set() -> None:
    done = skep.run(programs.sets_fields, bytes(100), context=bytes(192))
    words = struct.unpack_from("<17I", done.context)
    assert (words[2], words[8]) == (7, 3)  # mark, priority
    assert words[13] == 100  # cb[1]


def test_tc_is_attached_as_a_classic_filter_on_request(wire: Wire) -> None:
    with skep.load(programs.counts_egress) as live:
        with live.attach(
            programs.counts_egress, wire.device, netns=wire.left.path, mode="clsact"
        ) as link:
            assert link.remarks == ()
            assert "clsact" in wire.left.run("tc", "qdisc", "show", "dev", wire.device)
            with wire.left.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"hello", (wire.addresses[1], 9))
            until(lambda: live[programs.counts][1] > 0)
        assert "clsact" not in wire.left.run("tc", "qdisc", "show", "dev", wire.device)


@pytest.mark.requires("prog.sk_lookup")
def test_looking_up_a_socket_is_refused_for_a_port(netns: Namespace) -> None:
    with netns.entered(), ExitStack() as stack:
        for port in (programs.REFUSED, programs.REFUSED + 1):
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        with skep.load(programs.refuses_a_port) as live:
            link = live.attach(programs.refuses_a_port, netns=netns.path)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", programs.REFUSED))
            socket.create_connection(("127.0.0.1", programs.REFUSED + 1)).close()
            link.close()
            socket.create_connection(("127.0.0.1", programs.REFUSED)).close()


@pytest.mark.requires("prog.sk_lookup")
def test_looking_up_a_socket_gives_another(netns: Namespace) -> None:
    with netns.entered(), ExitStack() as stack:
        live = stack.enter_context(skep.load(programs.steers_a_port))
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        live[programs.sockets][0] = server
        live.attach(programs.steers_a_port, netns=netns.path)
        stack.enter_context(socket.create_connection(("127.0.0.1", programs.REFUSED)))
        server.accept()[0].close()


def test_a_group_of_sockets_chooses_by_what_a_datagram_says(netns: Namespace) -> None:
    with netns.entered(), ExitStack() as stack, skep.load(programs.chooses_by_byte) as live:
        members = []
        for _ in range(3):
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind(("127.0.0.1", programs.REFUSED))
            one.settimeout(SECONDS)
            members.append(one)
        for i, one in enumerate(members):
            live[programs.group][i] = one.fileno()
        link = live.attach(programs.chooses_by_byte, members[0])
        sender = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for chosen in (2, 0, 1, 2):
            sender.sendto(bytes([chosen]), ("127.0.0.1", programs.REFUSED))
            assert members[chosen].recv(8) == bytes([chosen])
        assert live[programs.counts][3] == 4
        link.close()
        sender.sendto(b"x", ("127.0.0.1", programs.REFUSED))
        assert live[programs.counts][3] == 4


@pytest.mark.requires("prog.sk_reuseport_migrate")
def test_a_connection_whose_socket_closes_is_chosen_for_again(netns: Namespace) -> None:
    netns.run("sysctl", "-q", "-w", "net.ipv4.tcp_migrate_req=1")
    with netns.entered(), ExitStack() as stack, skep.load(programs.migrates) as live:
        members = []
        for i in range(2):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind(("127.0.0.1", programs.REFUSED))
            one.listen()
            one.settimeout(SECONDS)
            live[programs.group][i] = one
            members.append(one)
        live.attach(programs.migrates, members[0])
        client = stack.enter_context(socket.create_connection(("127.0.0.1", programs.REFUSED)))
        assert (live[programs.counts][16], live[programs.counts][17]) == (1, 0)
        members[0].close()
        end = stack.enter_context(members[1].accept()[0])
        assert end.getpeername() == client.getsockname()
        assert live[programs.counts][17] == 1


def test_messages_through_a_map_of_sockets_are_dropped_and_sent_elsewhere(netns: Namespace) -> None:
    pairs = [connection(netns) for _ in range(2)]
    with ExitStack() as stack, skep.load(programs.sends_elsewhere) as live:
        (client, end), (other, _) = pairs
        for pair in pairs:
            stack.enter_context(pair[0])
            stack.enter_context(pair[1])
        link = live.attach(programs.sends_elsewhere, programs.sockets)
        live[programs.sockets][0] = client
        live[programs.sockets][1] = other
        client.sendall(b"passed")
        assert end.recv(16) == b"passed"
        client.sendall(b"redirected")
        assert other.recv(16) == b"redirected"
        assert live[programs.counts][4] == 2
        with pytest.raises(skep.SkepError, match="give the map"):
            live.attach(programs.sends_elsewhere, "x")
        with pytest.raises(PermissionError):  # and so it stays for this socket, as kernels have it
            client.sendall(b"x dropped")
        link.close()
        live[programs.sockets][2] = end
        end.sendall(b"x passed")
        assert client.recv(16) == b"x passed"
        assert live[programs.counts][4] == 3


def test_what_sockets_of_a_map_receive_is_dropped_and_sent_elsewhere(netns: Namespace) -> None:
    pairs = [connection(netns) for _ in range(2)]
    with ExitStack() as stack, skep.load(programs.drops_what_came) as live:
        (client, end), (other, far) = pairs
        for pair in pairs:
            stack.enter_context(pair[0])
            stack.enter_context(pair[1])
        live.attach(programs.drops_what_came, programs.sockets)
        live[programs.sockets][0] = end
        live[programs.sockets][1] = other
        client.sendall(b"y dropped")
        until(lambda: live[programs.counts][5] == 1)
        client.sendall(b"passed")
        assert end.recv(16) == b"passed"
        client.sendall(b"sent")
        assert far.recv(16) == b"sent"
        assert live[programs.counts][5] == 3


def test_a_stream_is_cut_into_messages(netns: Namespace) -> None:
    client, end = connection(netns)
    with client, end, skep.load(programs.parses, programs.judges) as live:
        live.attach(programs.parses, programs.sockets)
        live.attach(programs.judges, programs.sockets)
        live[programs.sockets][0] = end
        client.sendall(b"onetwo12")
        assert end.recv(8, socket.MSG_WAITALL) == b"onetwo12"
        assert live[programs.counts][7] == 2


def test_a_flow_dissector_fills_the_keys_of_a_flow(netns: Namespace) -> None:
    done = skep.run(programs.dissects, bytes(64))
    keys = struct.unpack_from("<HHHBBBBHI", done.packet)
    assert keys[:2] == (14, 34)
    assert keys[6] == 17
    with skep.load(programs.dissects) as live:
        link = live.attach(programs.dissects, netns=netns.path)
        with pytest.raises(skep.SkepError):
            live.attach(programs.dissects, netns=netns.path)
        link.close()
        live.attach(programs.dissects, netns=netns.path)


def test_packets_are_hashed_by_what_the_flow_dissector_says(wire: Wire) -> None:
    """By its keys all are of one flow; without it they are of as many as there are ports."""
    with skep.load(programs.dissects, programs.hashes_flows) as live:
        live.attach(programs.hashes_flows, wire.device, netns=wire.right.path)
        link = live.attach(programs.dissects, netns=wire.right.path)
        for flows in (1, 4):
            live[programs.hashes].clear()
            for _ in range(4):
                send_to(wire, wire.addresses[1])
            until(lambda: sum(live[programs.hashes].values()) == 4)
            assert len(live[programs.hashes]) == flows
            link.close()


def send_to(wire: Wire, address: str, family: int = socket.AF_INET) -> None:
    with wire.left.entered(), socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"hello", (address, 9))


def test_a_program_of_a_route_decides_on_what_leaves(wire: Wire) -> None:
    xmit, out = programs.counts_what_leaves, programs.drops_what_leaves
    with skep.load(xmit, out) as live:
        route = f"10.77.0.0/24 dev {wire.device} via {wire.addresses[1]}"
        link = live.attach(xmit, route, netns=wire.left.path)
        assert "encap bpf" in wire.left.run("ip", "route", "show", "10.77.0.0/24")
        with pytest.raises(PermissionError):
            send_to(wire, "10.77.0.5")
        assert live[programs.counts][8] == 1
        link.close()
        assert wire.left.run("ip", "route", "show", "10.77.0.0/24") == ""
        six = f"fd77::/64 dev {wire.device} via {wire.addresses6[1]}"
        live.attach(out, six, netns=wire.left.path)
        with pytest.raises(OSError):
            send_to(wire, "fd77::5", socket.AF_INET6)
        assert live[programs.counts][9] == 1
        with pytest.raises(skep.SkepError, match="no network device"):
            live.attach(out, "10.78.0.0/24 dev none", netns=wire.left.path)
        with pytest.raises(skep.SkepError, match="is no route"):
            live.attach(out, "10.78.0.0/24", netns=wire.left.path)


def test_a_program_of_a_route_decides_on_what_comes(wire: Wire) -> None:
    """The route is that of a neighbour of the receiver, for which it would forward."""
    wire.right.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    wire.left.run("ip", "route", "add", "10.77.0.0/24", "via", wire.addresses[1])
    with skep.load(programs.drops_what_comes) as live:
        route = f"10.77.0.0/24 dev {wire.device}"
        live.attach(programs.drops_what_comes, route, netns=wire.right.path)
        send_to(wire, "10.77.0.5")
        until(lambda: live[programs.counts][10] == 1)


@pytest.mark.requires("prog.lwt_seg6local")
def test_a_program_ends_a_segment(wire: Wire) -> None:
    """Packets are sent by two segments, of which the program ends the first."""
    for name in ("all", wire.device):
        wire.right.run("sysctl", "-q", "-w", f"net.ipv6.conf.{name}.seg6_enabled=1")
    via = ("via", wire.addresses6[1], "dev", wire.device)
    wire.left.run("ip", "-6", "route", "add", "fd55::/64", *via)
    segments = ("encap", "seg6", "mode", "encap", "segs", "fd55::1,fd66::1")
    wire.left.run("ip", "-6", "route", "add", "fd77::/64", *segments, "dev", wire.device)
    with skep.load(programs.ends_segments) as live:
        route = f"fd55::1/128 dev {wire.device}"
        link = live.attach(programs.ends_segments, route, netns=wire.right.path)
        assert "End.BPF" in wire.right.run("ip", "-6", "route", "show", "fd55::1")
        send_to(wire, "fd77::5", socket.AF_INET6)
        until(lambda: live[programs.counts][11] == 1)
        link.close()
        assert wire.right.run("ip", "-6", "route", "show", "fd55::1") == ""


@pytest.mark.requires("prog.netfilter")
def test_netfilter_drops_a_port(netns: Namespace) -> None:
    with netns.entered(), ExitStack() as stack, skep.load(programs.drops_a_port) as live:
        ends = []
        for port in (programs.REFUSED, programs.REFUSED + 1):
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind(("127.0.0.1", port))
            one.settimeout(SECONDS)
            ends.append(one)
        sender = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        link = live.attach(programs.drops_a_port, netns=netns.path)
        for port, text in ((7777, b"dropped"), (7778, b"passed")):
            sender.sendto(text, ("127.0.0.1", port))
        assert ends[1].recv(16) == b"passed"
        link.close()
        sender.sendto(b"later", ("127.0.0.1", programs.REFUSED))
        assert ends[0].recv(16) == b"later"


@pytest.mark.requires("prog.netfilter")
def test_netfilter_drops_what_is_forwarded_in_the_order_of_priorities(
    namespaces: Callable[[], Namespace],
) -> None:
    """From left to far, whose way is through the middle."""
    left, middle, far = (namespaces() for _ in range(3))
    join(left, middle)
    pair = f"link add out type veth peer name out netns {far.pid}\n"
    middle.run(
        "ip", "-batch", "-", text=f"{pair}link set out up\naddr add fd88::1/64 dev out nodad\n"
    )
    far.run("ip", "-batch", "-", text="link set out up\naddr add fd88::2/64 dev out nodad\n")
    far.run("ip", "-6", "route", "add", "default", "via", "fd88::1")
    left.run("ip", "-6", "route", "add", "fd88::/64", "via", "fd99::2")
    middle.run("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1")
    wanted = (programs.drops_what_is_forwarded, programs.goes_first)
    with ExitStack() as stack, skep.load(*wanted) as live:
        with far.entered():
            receiver = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        receiver.bind(("fd88::2", 9))
        receiver.settimeout(SECONDS)
        with left.entered():
            sender = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        for program in wanted:
            live.attach(program, netns=middle.path)
        for size in (77, 78):
            sender.sendto(bytes(size), ("fd88::2", 9))
        assert len(receiver.recv(100)) == 78
        assert [live[programs.counts][i] for i in (22, 23)] == [2, 2]
        live.links["goes_first"][0].close()
        sender.sendto(bytes(79), ("fd88::2", 9))
        assert len(receiver.recv(100)) == 79
        assert [live[programs.counts][i] for i in (22, 23)] == [3, 2]


def test_a_writable_tracepoint_changes_what_the_kernel_goes_on_with() -> None:
    with skep.load(programs.fails_test_runs, programs.counts_egress) as live:
        target = live.programs["counts_egress"]
        assert target.test_run(bytes(64)).retval == 0xFFFFFFFF
        live[programs.mine].pid = os.getpid()
        with pytest.raises(KernelError, match="EXDEV"):
            target.test_run(bytes(64))
        (link,) = live.links["fails_test_runs"]
        link.close()
        assert target.test_run(bytes(64)).retval == 0xFFFFFFFF


def test_a_syscall_program_answers_in_its_context() -> None:
    request = programs.Request(left=40, right=2, small=65535)
    done = skep.run(programs.answers, request)
    answer = programs.Request.from_bytes(done.context)
    assert (done.verdict, answer.sum, answer.small, answer.pid) == (5, 42, 0, os.getpid())
    assert answer.address == 0x7F000001
    with skep.load(programs.answers) as live, pytest.raises(skep.SkepError, match=r"skep\.run"):
        live.attach(programs.answers)
