"""What runs in a test's cgroup: ``python inside.py SCENE``, one line of words as the answer."""

import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

Words = Iterator[object]
PORT, OTHER, LOW, PRIORITY = 5555, 5556, 80, 12
DATAGRAM, STREAM = socket.SOCK_DGRAM, socket.SOCK_STREAM
V4, V6, LOCAL = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX


def tried(action: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - whatever it gives
    """What an action gives, or the number of its error."""
    try:
        return action(*arguments)
    except OSError as error:
        return f"E{error.errno}"


def create() -> Words:
    """The mark's neighbour, the priority, of a new socket; and a raw socket."""
    with socket.socket(V4, DATAGRAM) as one:
        yield one.getsockopt(socket.SOL_SOCKET, PRIORITY)
    yield tried(socket.socket, V4, socket.SOCK_RAW, 1)


def bind(family: int, host: str) -> Words:
    """Where a bind to two ports ends."""
    for port in (PORT, OTHER):
        with socket.socket(family, STREAM) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            failed = tried(one.bind, (host, port))
            yield failed or "{}:{}".format(*one.getsockname()[:2])


def connect() -> Words:
    """A connection that is moved, one that is refused, and one over IPv6."""
    with socket.create_server(("127.0.0.1", OTHER)):
        with socket.socket(V4, STREAM) as one:
            yield tried(one.connect, ("10.9.9.9", 1)) or "{}:{}".format(*one.getpeername())
        with socket.socket(V4, STREAM) as one:
            yield tried(one.connect, ("10.9.9.8", 1))
    with socket.socket(V6, STREAM) as one:
        yield tried(one.connect, ("fd99::9", 1))


def connect_six() -> Words:
    """A connection over IPv6 that is moved."""
    with socket.create_server(("::1", OTHER), family=V6), socket.socket(V6, STREAM) as one:
        yield tried(one.connect, ("fd99::9", 1)) or "{}:{}".format(*one.getpeername()[:2])


def low_port() -> Words:
    """A port that asks for a right, without it."""
    os.setuid(65534)
    with socket.socket(V4, STREAM) as one:
        yield tried(one.bind, ("127.0.0.1", LOW))


def datagrams(family: int, host: str, moved: str) -> Words:
    """A datagram to another address, and who is told to have sent it."""
    with socket.socket(family, DATAGRAM) as receiver, socket.socket(family, DATAGRAM) as sender:
        receiver.bind((host, 0))
        receiver.settimeout(60)
        sender.settimeout(60)
        where = (moved, receiver.getsockname()[1])
        sent = tried(sender.sendto, b"hello", where)
        yield sent
        yield "{}:{}".format(*receiver.recvfrom(16)[1][:2]) if sent == 5 else "nobody"
        yield tried(sender.sendto, b"hello", (host, OTHER))


def names(family: int, host: str) -> Words:
    """Who a connection says that its ends are."""
    with socket.create_server((host, OTHER), family=family), socket.socket(family, STREAM) as one:
        one.connect((host, OTHER))
        yield "{}:{}".format(*one.getpeername()[:2])
        yield "{}:{}".format(*one.getsockname()[:2])


def marks() -> Words:
    """Whether a connection has ECN: a bit in the options of its tcp_info."""
    with socket.create_server(("127.0.0.1", OTHER)), socket.socket(V4, STREAM) as one:
        one.connect(("127.0.0.1", OTHER))
        yield one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5] >> 3 & 1


def local() -> Words:
    """Local sockets: connecting, sending, receiving, names."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = os.path.join(folder, "socket")
        server, client, other = (
            stack.enter_context(socket.socket(LOCAL, kind)) for kind in (STREAM, STREAM, DATAGRAM)
        )
        server.bind(path)
        server.listen()
        yield tried(client.connect, path)
        yield server.getsockname() == path
        server = stack.enter_context(socket.socket(LOCAL, DATAGRAM))
        server.bind(path + "2")
        other.bind(path + "3")
        sent = tried(other.sendto, b"hello", path + "2")
        yield sent
        yield server.recvfrom(8)[1] == path + "3" if sent == 5 else "nobody"
        yield tried(client.getpeername) == path


def moved_name() -> Words:
    """A connection to a local socket that is moved to another one."""
    with socket.socket(LOCAL) as server, socket.socket(LOCAL) as client:
        server.bind(b"\0skep-other")
        server.listen()
        yield tried(client.connect, b"\0skep-none")


def options() -> Words:
    """A priority, told; priorities, set, and what they then are."""
    with socket.socket(V4, DATAGRAM) as one:
        yield one.getsockopt(socket.SOL_SOCKET, PRIORITY)
        for value in (4, 6, 3):
            yield tried(one.setsockopt, socket.SOL_SOCKET, PRIORITY, value)
            yield one.getsockopt(socket.SOL_SOCKET, PRIORITY)


def read(path: str) -> str:
    """Whether a file can be read."""
    with open(path, "rb") as file:
        file.read(1)
    return "read"


def write(path: str, text: bytes) -> str:
    """Whether a file can be written."""
    with open(path, "r+b", buffering=0) as file:
        file.write(text)
    return "written"


def sysctl() -> Words:
    """Two sysctls read, one written as it is."""
    for path in ("/proc/sys/kernel/ostype", "/proc/sys/kernel/osrelease"):
        yield tried(read, path)
    yield tried(write, "/proc/sys/kernel/printk_ratelimit", b"5\n")


def time_to_live() -> Words:
    """A sysctl of the network namespace: written, and what it then is."""
    path = "/proc/sys/net/ipv4/ip_default_ttl"
    for text in (b"7\n", b"5\n"):
        yield tried(write, path, text)
        with open(path, encoding="ascii") as file:
            yield file.read().strip()


def device() -> Words:
    """Two devices opened."""
    for path in ("/dev/null", "/dev/zero"):
        yield tried(read, path)


def packets() -> Words:
    """Datagrams, a short and a long one."""
    with socket.socket(V4, DATAGRAM) as receiver, socket.socket(V4, DATAGRAM) as sender:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(60)
        for size in (300, 20):
            tried(sender.sendto, bytes(size), receiver.getsockname())
        yield len(receiver.recv(400))


SCENES: dict[str, Callable[[], Words]] = {
    "create": create,
    "bind4": lambda: bind(V4, "127.0.0.1"),
    "bind6": lambda: bind(V6, "::"),
    "connect": connect,
    "connect6": connect_six,
    "low port": low_port,
    "moved name": moved_name,
    "time to live": time_to_live,
    "moved datagrams6": lambda: datagrams(V6, "::1", "fd99::9"),
    "datagrams4": lambda: datagrams(V4, "127.0.0.1", "10.9.9.9"),
    "datagrams6": lambda: datagrams(V6, "::1", "::1"),
    "names4": lambda: names(V4, "127.0.0.1"),
    "names6": lambda: names(V6, "::1"),
    "marks": marks,
    "local": local,
    "options": options,
    "sysctl": sysctl,
    "device": device,
    "packets": packets,
}

if __name__ == "__main__":
    print(*SCENES[sys.argv[1]]())  # noqa: T201 - the answer
