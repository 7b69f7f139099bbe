"""Connects that fail before the kernel begins them, and those that are told of otherwise: each once."""

import ctypes  # noqa: TID251 - connect(2), with addresses that Python does not make
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import skep
from skep.flows import connections
from skep.flows.programs.records import FAILED, Connect
from skep.program.live import Live
from skep.program.load import load
from skep.program.machine import Machine
from skep.testing.cgroups import Cgroup
from skep.testing.network import Namespace
from tests.kernel.flows.calls import connect
from tests.kernel.flows.conftest import ends
from tests.kernel.flows.tcp import Told, listen

LIBC = ctypes.CDLL(None, use_errno=True)
PORT = 4711
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
UNSPECIFIED = struct.pack("H14x", socket.AF_UNSPEC)
UNREACHABLE = struct.pack("!HH4s8x", socket.AF_INET << 8, PORT, b"\xf0\0\0\1")
Scene = Callable[[Told, Namespace], None]
SCENES: list[Scene] = []


def scene(function: Scene) -> Scene:
    """What is to be told the same whichever way calls are watched."""
    SCENES.append(function)
    return function


@skep.cgroup("connect4")
def refuses(ctx):  # type: ignore[no-untyped-def]
    return 0


def attempt(
    address: tuple[str, int], *, protocol: int = 0, kind: int = socket.SOCK_STREAM
) -> int | None:
    """The error with which a connect fails."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, kind, protocol) as one:
        return one.connect_ex(address)


def failures(told: Told, count: int) -> list[tuple[str, str]]:
    """Where to and why, of so many attempts that failed, and of no more."""
    attempt(("127.0.0.1", PORT))  # what ends the list
    *found, last = told.all(count + 1)
    assert ends(last)[2:] == ("127.0.0.1", PORT)
    for event in (*found, last):
        assert (type(event), event.flags, event.pid) == (Connect, FAILED, os.getpid())
    return [(ends(event)[2], errno.errorcode[event.error]) for event in found]


@scene
def without_a_way(told: Told, netns: Namespace) -> None:
    netns.run("ip", "route", "add", "unreachable", "10.9.0.0/24")
    netns.run("ip", "route", "add", "prohibit", "10.9.1.0/24")
    tried = [
        ("240.0.0.1", "ENETUNREACH"),
        ("::ffff:240.0.0.1", "ENETUNREACH"),
        ("2001:db8::1", "ENETUNREACH"),
        ("10.9.0.1", "EHOSTUNREACH"),
        ("10.9.1.1", "EACCES"),
        ("::1", "EADDRNOTAVAIL"),
    ]
    for address, error in tried:
        if error == "EADDRNOTAVAIL":
            netns.run("ip", "-6", "addr", "del", "::1/128", "dev", "lo")
        assert errno.errorcode[attempt((address, PORT)) or 0] == error
    expected = [(address.removeprefix("::ffff:"), error) for address, error in tried]
    assert failures(told, len(tried)) == expected


@scene
def bound_before(told: Told, netns: Namespace) -> None:
    """Its own end is known as far as it was bound."""
    with socket.socket() as one:
        one.bind(("127.0.0.2", 0))
        ours = one.getsockname()
        assert one.connect_ex(("240.0.0.1", PORT)) == errno.ENETUNREACH
    assert failures(told, 1) == [("240.0.0.1", "ENETUNREACH")]
    assert ends(told.events[-2])[:2] == ours


@scene
def tried_again(told: Told, netns: Namespace) -> None:
    """One socket: each attempt is told, and what a call says of an attempt that was told is not."""
    with socket.socket() as one:
        for _ in range(2):
            assert one.connect_ex(("240.0.0.1", PORT)) == errno.ENETUNREACH
        for _ in range(2):
            assert one.connect_ex(("127.0.0.1", PORT)) == errno.ECONNREFUSED
    with socket.socket() as one:
        one.settimeout(0)
        assert one.connect_ex(("127.0.0.1", PORT)) == errno.EINPROGRESS
        assert one.connect_ex(("127.0.0.1", PORT)) == errno.ECONNREFUSED
    unreachable, refused = ("240.0.0.1", "ENETUNREACH"), ("127.0.0.1", "ECONNREFUSED")
    assert failures(told, 5) == [unreachable] * 2 + [refused] * 3


@scene
def without_a_port(told: Told, netns: Namespace) -> None:
    """The kernel begins it, and gives it up; what stays behind is of no other socket."""
    with listen() as listener, socket.create_connection(listener.getsockname()) as held:
        told.watch(listener)
        RANGE.write_text(f"{PORT + 2} {PORT + 2}")
        with socket.socket() as taken, socket.socket() as one:
            taken.bind(("127.0.0.1", PORT + 2))
            for _ in range(2):
                assert one.connect_ex(listener.getsockname()) == errno.EADDRNOTAVAIL
            assert one.connect_ex(("240.0.0.1", PORT)) == errno.ENETUNREACH
        RANGE.write_text("32768 60999")
        held.close()
    attempt(("127.0.0.1", PORT))
    found = [one for one in told.all(7) if one.flags == FAILED]
    errors = [errno.errorcode[one.error] for one in found]
    assert errors == ["EADDRNOTAVAIL", "EADDRNOTAVAIL", "ENETUNREACH", "ECONNREFUSED"]


@scene
def no_attempts(told: Told, netns: Namespace) -> None:
    """Sockets that are none of TCP or none at all, that are connected, that listen; what is no address."""
    with listen() as listener, socket.create_connection(listener.getsockname()) as connected:
        assert connected.connect_ex(("240.0.0.1", PORT)) == errno.EISCONN
        assert listener.connect_ex(("240.0.0.1", PORT)) != 0
        listener.accept()[0].close()
    with socket.socket() as one:
        for raw in (b"", b"\x02\0", struct.pack("HH4s", 2, PORT, b"\xf0\0\0\1"), b"\xff" * 16):
            assert raw_connect(one.fileno(), raw) in (errno.EINVAL, errno.EAFNOSUPPORT)
        raw_connect(one.fileno(), UNSPECIFIED)
    with open("/dev/null", "rb") as file:
        assert raw_connect(file.fileno(), UNREACHABLE) == errno.ENOTSOCK
    assert raw_connect(1 << 20, UNREACHABLE) == errno.EBADF
    assert attempt(("240.0.0.1", PORT), kind=socket.SOCK_DGRAM) == errno.ENETUNREACH
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw_socket:
        assert raw_socket.connect_ex(("240.0.0.1", PORT)) == errno.ENETUNREACH
    with socket.socket(socket.AF_UNIX) as local:
        assert local.connect_ex("\0nobody") == errno.ECONNREFUSED
    assert failures(told, 0) == []


def raw_connect(fd: int, address: bytes) -> int:
    """The error of connect(2) with these bytes as an address."""
    result = LIBC.connect(fd, address, len(address))
    return ctypes.get_errno() if result else 0


@scene
def multipath(told: Told, netns: Namespace) -> None:
    with suppress(OSError):  # where the kernel has it
        protocol = socket.IPPROTO_MPTCP
        socket.socket(proto=protocol).close()
        assert attempt(("240.0.0.1", PORT), protocol=protocol) == errno.ENETUNREACH
        assert failures(told, 1) == [("240.0.0.1", "ENETUNREACH")]


@pytest.mark.parametrize("play", SCENES, ids=lambda one: one.__name__)
def test_where_calls_are_watched_each_attempt_is_told_once(
    told: Told, netns: Namespace, play: Scene
) -> None:
    told.ports.add(PORT)
    play(told, netns)


@pytest.fixture(scope="module")
def watching(machine: Machine) -> Iterator[Live]:
    """The programs of which some watch the kernel's own functions."""
    with load(*connections.from_listeners(), machine=machine) as loaded:
        yield loaded


@pytest.fixture
def watched(watching: Live, netns: Namespace) -> Iterator[Told]:
    """What they tell from now on; the test is in a namespace of its own."""
    for _ in watching[connections.connections].poll():
        pass
    with netns.entered():
        yield Told(watching, ports={PORT})


@pytest.mark.requires("prog.fexit")
@pytest.mark.parametrize("play", SCENES, ids=lambda one: one.__name__)
def test_where_the_kernels_functions_are_watched_each_attempt_is_told_once(
    watched: Told, netns: Namespace, play: Scene
) -> None:
    play(watched, netns)


@pytest.mark.requires("prog.fexit")
def test_where_the_kernels_functions_are_watched_a_send_that_connects_is_told(
    watched: Told, netns: Namespace
) -> None:
    netns.run("sh", "-c", "echo 5 > /proc/sys/net/ipv4/tcp_fastopen")
    with socket.socket() as one, pytest.raises(OSError, match="Network is unreachable"):
        one.sendto(b"early", socket.MSG_FASTOPEN, ("240.0.0.1", PORT))
    assert failures(watched, 1) == [("240.0.0.1", "ENETUNREACH")]


@pytest.mark.requires("prog.fexit")
def test_where_the_kernels_functions_are_watched_io_uring_is_told(watched: Told) -> None:
    with socket.socket() as one:
        assert connect(one, UNREACHABLE) == errno.ENETUNREACH
    assert failures(watched, 1) == [("240.0.0.1", "ENETUNREACH")]


def test_what_a_cgroup_forbids_is_told(told: Told, cgroup: Cgroup) -> None:
    told.ports.add(PORT)
    forbidden(told, cgroup)


@pytest.mark.requires("prog.fexit")
def test_where_the_kernels_functions_are_watched_what_a_cgroup_forbids_is_told(
    watched: Told, cgroup: Cgroup
) -> None:
    forbidden(watched, cgroup)


def forbidden(told: Told, cgroup: Cgroup) -> None:
    """A program of a cgroup refuses a connect of a process in it."""
    code = "import socket, sys; print(socket.socket().connect_ex(('127.0.0.1', int(sys.argv[1]))))"
    with skep.load(refuses) as live:
        live.attach(refuses, cgroup.path)
        done = cgroup.run("python3", "-I", "-S", "-c", code, str(PORT))
    assert done.stdout.strip() == str(errno.EPERM)
    (event,) = told.all(1)
    assert (event.flags, event.error, event.cgroup) == (FAILED, errno.EPERM, cgroup.id)
    assert ends(event)[2:] == ("127.0.0.1", PORT)
