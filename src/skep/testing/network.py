"""Network namespaces for tests: made for one test, gone with it, and with the test process where that is killed.

A namespace lives as long as a process that only holds it; it has no name, so nothing else can meet it. A command inside
is started with nsenter, never with ``ip netns exec``, which remounts /sys and so hides cgroups and bpffs. Devices are
made with iproute2's ``ip``, which the machine must have.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from skep.base.frozen import frozen
from skep.kernel.bpf import DOOR, NEW_NETWORK
from skep.kernel.namespaces import inside

HOLDER = ("unshare", "--net", "sh", "-c", "ip link set lo up && echo; read line")


class Namespace:
    """A network namespace with its loopback device up."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            HOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._holder.stdout is None or self._holder.stdout.readline() != "\n":
            self.close()
            raise PermissionError("a network namespace needs CAP_SYS_ADMIN, and ip of iproute2")

    @property
    def pid(self) -> int:
        """The process that holds the namespace."""
        return self._holder.pid

    @property
    def path(self) -> str:
        """A file that names the namespace while it lives."""
        return f"/proc/{self.pid}/ns/net"

    def command(self, *arguments: str) -> list[str]:
        """``arguments`` as a command that runs inside."""
        return ["nsenter", f"--net={self.path}", "--", *arguments]

    def run(self, *arguments: str, text: str = "") -> str:
        """What a command prints inside when it is given ``text``; CalledProcessError where it fails."""
        done = subprocess.run(
            self.command(*arguments),
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            error = subprocess.CalledProcessError(done.returncode, arguments, done.stdout)
            error.add_note(done.stdout)
            raise error
        return done.stdout

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is inside: sockets that it makes, and indexes of devices that it names, are those here."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(self.path, os.O_RDONLY)
        try:
            DOOR.enter(there, NEW_NETWORK)
            yield
        finally:
            DOOR.enter(home, NEW_NETWORK)
            os.close(there)
            os.close(home)

    def index(self, device: str) -> int:
        """The index of a device inside."""
        return inside(self.path, lambda: socket.if_nametoindex(device))

    def mac(self, device: str) -> bytes:
        """The hardware address of a device inside: six bytes."""
        _, _, address, *_ = self.run("ip", "-br", "link", "show", device).split()
        return bytes.fromhex(address.replace(":", ""))

    def close(self) -> None:
        """End the holder; the kernel then takes the namespace and its devices away."""
        for stream in (self._holder.stdin, self._holder.stdout):
            if stream is not None:
                stream.close()
        self._holder.wait()


@frozen
class Wire:
    """Two namespaces joined by a veth pair: device ``wire`` in each, 10.99.0.1 and fd99::1 left, 2 right."""

    left: Namespace
    right: Namespace
    device: str = "wire"
    addresses: tuple[str, str] = ("10.99.0.1", "10.99.0.2")
    addresses6: tuple[str, str] = ("fd99::1", "fd99::2")


def join(left: Namespace, right: Namespace) -> Wire:
    """A veth pair between two namespaces, with addresses, up."""
    wire = Wire(left, right)
    ends = [
        End(side, wire.device, (f"{v4}/24", f"{v6}/64"))
        for side, v4, v6 in zip((left, right), wire.addresses, wire.addresses6, strict=True)
    ]
    pair(*ends)
    return wire


@frozen
class End:
    """An end of a veth pair: a device of a namespace, with its addresses and their prefixes, as "10.0.0.1/24"."""

    namespace: Namespace
    device: str
    addresses: tuple[str, ...] = ()


def pair(left: End, right: End) -> None:
    """A veth pair of any devices, up: several make a network, as of a node, its pods and another node."""
    peer = f"peer name {right.device} netns {right.namespace.pid}"
    first = f"link add {left.device} type veth {peer}\n"
    for end, begin in ((left, first), (right, "")):
        lines = [
            f"addr add {one} dev {end.device}{' nodad' if ':' in one else ''}\n"
            for one in end.addresses
        ]
        text = f"{begin}{''.join(lines)}link set {end.device} up\n"
        end.namespace.run("ip", "-batch", "-", text=text)
