"""Maps that say where packets and data go. Packets are sent in namespaces of the test's own."""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest

import skep
from skep.base.errors import BadInput, KernelError
from skep.kernel.namespaces import inside
from skep.testing.cgroups import Cgroup
from skep.testing.network import Namespace, Wire, join
from tests.kernel.lang import redirect_programs as p
from tests.kernel.lang.redirect_programs import DROP, OURS, PASS, REDIRECT
from tests.kernel.lang.xsk import Xsk

SECONDS = 60.0


def frame(number: int) -> bytes:
    return bytes(11) + bytes([number]) + OURS.to_bytes(2, "big") + b"hello".ljust(46, b"\0")


# --- verdicts -----------------------------------------------------------------------------------------------------


def test_a_redirect_is_a_verdict_and_something_else_where_there_is_nothing() -> None:
    kernel = skep.FakeKernel()
    kernel[p.devices][1] = skep.Device(1)
    with skep.load(p.to_device, attach=False) as live:
        live[p.devices][1] = "lo"
        for number, verdict in ((1, REDIRECT), (2, DROP)):
            assert live.programs["to_device"].test_run(frame(number)).retval == verdict
            assert p.to_device.py(frame(number), kernel=kernel) == verdict
    assert kernel[p.devices].sent == [1]


def test_a_device_is_looked_up() -> None:
    kernel = skep.FakeKernel()
    kernel[p.by_index][60] = skep.Device(60)
    kernel[p.by_index][61] = skep.Device(1)
    with skep.load(p.to_known_device, attach=False) as live:
        run = live.programs["to_known_device"].test_run
        assert run(bytes(60)).retval == p.to_known_device.py(bytes(59), kernel=kernel) == PASS
        live[p.by_index][61] = "lo"
        assert run(bytes(61)).retval == p.to_known_device.py(bytes(61), kernel=kernel) == DROP
        assert p.to_known_device.py(bytes(60), kernel=kernel) == REDIRECT


def test_devices_are_given_by_name_or_index_and_read_as_what_they_are() -> None:
    lo = socket.if_nametoindex("lo")
    with skep.load(p.to_device, attach=False) as live:
        devices = live[p.devices]
        devices.update({0: "lo", 2: lo})
        assert dict(devices.items()) == {0: skep.Device(lo), 2: skep.Device(lo)}
        assert (len(devices), 1 in devices, 2 in devices) == (2, False, True)
        del devices[0]
        assert list(devices) == [2]
        with pytest.raises(OSError, match=r"[Nn]o such device|interface"):
            devices[0] = "no-such-device"
        with pytest.raises(TypeError, match=r"devices takes names or indexes of devices, not 1\.5"):
            devices[0] = 1.5
        with pytest.raises(IndexError, match="devices has entries 0 to 4, not 5"):
            devices[5] = "lo"
        with pytest.raises(KernelError, match="EINVAL"):
            devices[0] = 1 << 30
        devices.clear()
        assert len(devices) == 0


def test_packets_wait_for_a_cpu() -> None:
    with skep.load(p.to_cpu, attach=False) as live:
        live[p.cpus][0] = 64
        assert live[p.cpus][0] == skep.Processor(64)
        assert live.programs["to_cpu"].test_run(bytes(60)).retval == REDIRECT
        assert live.programs["to_cpu"].test_run(bytes(61)).retval == PASS
        with pytest.raises(TypeError, match="how many packets may wait, not 0"):
            live[p.cpus][1] = 0


@pytest.mark.requires("map.xskmap")
def test_a_queue_without_a_socket_passes() -> None:
    assert skep.run(p.to_queue, bytes(60), maps={}).verdict == PASS
    assert p.to_queue.py(skep.Packet(bytes(60), rx_queue_index=0)) == PASS


# --- packets ------------------------------------------------------------------------------------------------------


def raw(device: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(OURS))
    made.bind((device, OURS))
    made.settimeout(SECONDS)
    return made


@contextmanager
def between() -> Iterator[tuple[Namespace, Namespace, Namespace]]:
    """Three namespaces in a row: the middle one's device to the right is named ``out``."""
    with ExitStack() as stack:
        left, middle, right = (Namespace() for _ in range(3))
        for one in (left, middle, right):
            stack.callback(one.close)
        join(left, middle)
        pair = f"link add out type veth peer name out netns {right.pid}\nlink set out up\n"
        middle.run("ip", "-batch", "-", text=pair)
        right.run("ip", "link", "set", "out", "up")
        yield left, middle, right


@pytest.mark.requires("prog.xdp_devmap")
def test_a_packet_leaves_by_another_device() -> None:
    with between() as (left, middle, right), skep.load(p.to_device, p.marks) as live:
        with middle.entered():
            live[p.devices].update({3: "out", 4: ("out", p.marks)})
        assert live[p.devices][4].program == live.programs["marks"].info().id
        live.attach(p.to_device, "wire", netns=middle.path, mode="generic")
        sender = inside(left.path, lambda: raw("wire"))
        receiver = inside(right.path, lambda: raw("out"))
        with sender, receiver:
            for number in (2, 3, 4):
                sender.send(frame(number))
            assert receiver.recv(100) == frame(3)
            marked = receiver.recv(100)
        assert (marked[6], marked[7:]) == (7, frame(4)[7:])


@pytest.mark.requires("map.xskmap")
def test_a_packet_goes_to_the_socket_of_its_queue(wire: Wire) -> None:
    with skep.load(p.to_queue) as live:
        live.attach(p.to_queue, wire.device, netns=wire.right.path, mode="generic")
        sender = inside(wire.left.path, lambda: raw(wire.device))
        receiver = inside(wire.right.path, lambda: raw(wire.device))
        with inside(wire.right.path, lambda: Xsk(wire.device)) as xsk, sender, receiver:
            sender.send(frame(1))
            assert receiver.recv(100) == frame(1)
            live[p.queues][0] = xsk
            sender.send(frame(2))
            seen = [xsk.recv(SECONDS)]
            while seen[-1][12:14] != frame(2)[12:14]:  # a device that is up is spoken to by IPv6
                seen.append(xsk.recv(SECONDS))
            assert seen[-1] == frame(2)
            del live[p.queues][0]
            sender.send(frame(3))
            assert receiver.recv(100) == frame(3)


def test_only_loaded_programs_stand_beside_a_device() -> None:
    with skep.load(p.to_device, attach=False) as live:
        with pytest.raises(BadInput, match="marks: this program was not loaded here"):
            live[p.devices][0] = ("lo", p.marks)
        with pytest.raises(TypeError, match="beside a Device stands a loaded program, not 5"):
            live[p.devices][0] = ("lo", 5)
        with pytest.raises(KernelError, match="EINVAL"):
            live[p.devices][0] = ("lo", p.to_device)
        assert len(live[p.devices]) == 0


# --- sockets ------------------------------------------------------------------------------------------------------


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            with accepted:
                for one in (client, accepted):
                    one.settimeout(SECONDS)
                yield client, accepted


def test_what_is_sent_arrives_at_another_socket(netns: Namespace) -> None:
    with (
        netns.entered(),
        pair() as (sender, _),
        pair() as (_, other),
        skep.load(p.to_other) as live,
    ):
        sockets = live[p.sockets]
        live.attach(p.to_other, sockets.fd)
        sockets.update({0: other, 1: sender})
        sender.send(b"hello")
        assert other.recv(10) == b"hello"
        assert sorted(sockets) == [0, 1]
        assert sockets[0] != sockets[1]
        with pytest.raises(TypeError, match="sockets takes sockets, or their descriptors, not 'x'"):
            sockets[2] = "x"
        with socket.socket() as loose, pytest.raises(KernelError, match="connected TCP sockets"):
            sockets[2] = loose
        with open("/dev/null", "rb") as file, pytest.raises(KernelError, match="takes sockets"):
            sockets[2] = file
        del sockets[1]
        assert 1 not in sockets


def test_sockets_are_found_by_any_key(netns: Namespace) -> None:
    with (
        netns.entered(),
        pair() as (sender, receiver),
        pair() as (_, other),
        skep.load(p.to_port) as live,
    ):
        live.attach(p.to_port, live[p.by_port].fd)
        live[p.by_port][sender.getsockname()[1]] = other
        live[p.by_port][1] = sender
        sender.send(b"hello")
        assert other.recv(10) == b"hello"
        assert receiver.getsockname()[1] not in live[p.by_port]


@pytest.mark.parametrize("by_key", [False, True], ids=["map", "hash"])
def test_what_is_received_goes_on_by_another_socket(netns: Namespace, *, by_key: bool) -> None:
    program, declared = (p.onward_by_port, p.by_port) if by_key else (p.onward, p.sockets)
    with (
        netns.entered(),
        pair() as (sender, receiver),
        pair() as (out, other),
        skep.load(program) as live,
    ):
        sockets = live[declared]
        live.attach(program, sockets.fd)
        sockets[receiver.getsockname()[1] if by_key else 0] = out
        sockets[1] = receiver
        sender.send(b"hello")
        assert other.recv(10) == b"hello"


CONNECTS = """
import socket
with socket.socket() as server:
    server.bind(("127.0.0.1", 0))
    server.listen()
    socket.create_connection(server.getsockname()).close()
"""


def test_a_sockops_program_keeps_its_socket(netns: Namespace, cgroup: Cgroup) -> None:
    with skep.load(p.keeps) as live:
        live.attach(p.keeps, str(cgroup.path))
        cgroup.run(*netns.command(sys.executable, "-c", CONNECTS))
        assert dict(live[p.results].items()) == {0: 1, 1: 1}


def test_a_socket_of_a_group_is_selected(netns: Namespace) -> None:
    with netns.entered(), ExitStack() as stack, skep.load(p.second) as live:
        sockets = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2)]
        for one in sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.settimeout(SECONDS)
            one.bind(("127.0.0.1", sockets[0].getsockname()[1]))
        live[p.group].update(enumerate(sockets))
        live.attach(p.second, sockets[0].fileno())
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            for n in range(4):
                sender.sendto(bytes([n]), sockets[0].getsockname())
        assert [sockets[1].recv(10) for _ in range(4)] == [bytes([n]) for n in range(4)]


def test_a_connection_is_given_to_a_socket_of_another_port(netns: Namespace) -> None:
    with netns.entered(), skep.load(p.steers) as live, socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        live[p.sockets][0] = server
        live.attach(p.steers, netns=netns.path)
        with socket.create_connection(("127.0.0.1", p.STEERED), SECONDS) as client:
            accepted, _ = server.accept()
            with accepted:
                client.send(b"hello")
                assert accepted.recv(10) == b"hello"
        assert dict(live[p.results].items()) == {0: 0, 1: -2}
        del live[p.sockets][0]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", p.STEERED), SECONDS)
        assert live[p.results][0] == -2


def test_data_is_redirected_in_plain_python() -> None:
    kernel = skep.FakeKernel()
    context = SimpleNamespace(local_port=5, op=p.ACCEPTED)
    assert p.to_port.py(context, kernel=kernel) == 0
    kernel[p.by_port][5] = "a socket"
    assert p.to_port.py(context, kernel=kernel) == 1
    assert kernel[p.by_port].sent == [5]
    assert p.keeps.py(context, kernel=kernel) == 1
    assert (5 in kernel[p.by_port], dict(kernel[p.results])) == (False, {0: 0, 1: 1})
    context.local_port = p.STEERED
    kernel[p.sockets][0] = "a socket"
    assert p.steers.py(context, kernel=kernel) == 1
    assert dict(kernel[p.results]) == {0: 0, 1: -2}
    assert p.second.py(context, kernel=kernel) == 0
    kernel[p.group][1] = "a socket"
    assert p.second.py(context, kernel=kernel) == 1
