"""Connections of the tests' own, and what the ring tells of them."""

import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any

from skep.flows import connections
from skep.program.live import Live

SECONDS = 60.0


@dataclass
class Told:
    """Events of the ring that are about the tests' own ports."""

    live: Live
    ports: set[int] = field(default_factory=set)
    events: list[Any] = field(default_factory=list)

    def watch(self, *sockets: socket.socket) -> None:
        """Take in the ports of these sockets."""
        self.ports |= {one.getsockname()[1] for one in sockets}

    def all(self, count: int) -> list[Any]:
        """The ``count`` events that there are to be; waits for the last of them."""
        deadline = time.monotonic() + SECONDS
        while True:
            self.events += self.live[connections.connections].poll(0.05)
            found = [one for one in self.events if {one.sport, one.dport} & self.ports]
            if len(found) >= count or time.monotonic() > deadline:
                assert len(found) == count, (found, self.live[connections.connections].lost)
                return sorted(found, key=lambda one: one.seq)


@dataclass
class Pair:
    """Both ends of a connection, and the socket that listened."""

    listener: socket.socket
    client: socket.socket
    server: socket.socket

    def send(self, up: int, down: int) -> None:
        """Move bytes both ways, all of them."""
        for one, other, size in (
            (self.client, self.server, up),
            (self.server, self.client, down),
        ):
            one.sendall(bytes(size))
            left = size
            while left:
                left -= len(other.recv(left))

    def close(self) -> None:
        """The client first; both have ended when it returns."""
        self.client.shutdown(socket.SHUT_WR)
        assert self.server.recv(1) == b""
        self.server.close()
        assert self.client.recv(1) == b""
        self.client.close()
        self.listener.close()


def listen(address: str = "127.0.0.1") -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, 0), family=family, dualstack_ipv6=address == "::")


def connect(address: str = "127.0.0.1", to: str = "") -> Pair:
    listener = listen(address)
    client = socket.create_connection((to or address, listener.getsockname()[1]))
    return Pair(listener, client, listener.accept()[0])


def reset(one: socket.socket) -> None:
    """Close it with a RST."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
