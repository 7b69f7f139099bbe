"""Declarations of maps that name where packets go: devices, CPUs, AF_XDP sockets, and sockets."""

from typing import Any, Unpack

from skep.lang.maps import Declaration, Options, compiled
from skep.lang.spec import MapType
from skep.lang.struct import Struct
from skep.lang.types import u32, u64


class Device(Struct):
    """A device, and the program that runs on what is sent out of it (Linux 5.8): its descriptor, read as its id."""

    ifindex: u32
    program: u32


class Processor(Struct):
    """Packets that wait for a CPU, at most, and the program that runs there (Linux 5.9)."""

    queue: u32
    program: u32


class Redirect(Declaration):
    """What the maps of XDP have in common."""

    def redirect(self, key: int, otherwise: int = 0) -> int:
        """Send the packet there: the verdict to return, which is ``otherwise`` where there is nothing under the key."""
        raise compiled("redirect")

    def __contains__(self, key: int) -> bool:
        raise compiled("in")


class DevMap(Redirect):
    """``DevMap(entries)``: devices by number, for XDP. Linux 4.14."""

    type = MapType.DEVMAP

    def __init__(self, entries: int, **options: Unpack[Options]) -> None:
        super().__init__(u32, Device, entries, **options)


class DevHash(DevMap):
    """``DevHash(entries)``: devices by any u32, such as their own index, for XDP. Linux 5.4."""

    type = MapType.DEVMAP_HASH


class CpuMap(Redirect):
    """``CpuMap(entries)``: CPUs by their number, for XDP: the network stack runs there. Linux 4.15."""

    type = MapType.CPUMAP

    def __init__(self, entries: int, **options: Unpack[Options]) -> None:
        super().__init__(u32, Processor, entries, **options)


class XskMap(Redirect):
    """``XskMap(entries)``: AF_XDP sockets by number, such as that of the queue. Linux 4.18."""

    type = MapType.XSKMAP

    def __init__(self, entries: int, **options: Unpack[Options]) -> None:
        super().__init__(u32, u32, entries, **options)


class SockMap(Declaration):
    """``SockMap(entries)``: sockets by number, for sk_msg, sk_skb and sockops programs. Linux 4.14."""

    type = MapType.SOCKMAP

    def __init__(self, entries: int, **options: Unpack[Options]) -> None:
        super().__init__(u32, u64, entries, **options)

    def lookup(self, key: Any) -> Any:
        """The socket of a key, or None; ``skep.sk_release(socket)`` gives it back."""
        raise compiled("lookup")

    def redirect(self, context: Any, key: Any, flags: int = 0) -> int:
        """Give data to the socket of a key, ``flags`` 1: as if it had come in. The verdict to return."""
        raise compiled("redirect")

    def update(self, context: Any, key: Any, flags: int = 0) -> int:
        """In a sockops program: its socket under a key; in others one that they found. 0, or a negative errno."""
        raise compiled("update")

    def delete(self, key: Any) -> int:
        """Forget a socket; 0, or a negative errno."""
        raise compiled("delete")

    def assign(self, context: Any, key: Any, flags: int = 0) -> int:
        """In sk_lookup and tc programs: the socket of a key gets the packet; 0, or a negative errno."""
        raise compiled("assign")


class SockHash(SockMap):
    """``SockHash(key, entries)``: sockets by key. Linux 4.18."""

    type = MapType.SOCKHASH

    def __init__(self, key: Any, entries: int, **options: Unpack[Options]) -> None:
        super().__init__(entries, **options)
        self.key = key


class ReuseportArray(Declaration):
    """``ReuseportArray(entries)``: sockets of a reuseport group by number, for sk_reuseport programs. Linux 4.19."""

    type = MapType.REUSEPORT_SOCKARRAY

    def __init__(self, entries: int, **options: Unpack[Options]) -> None:
        super().__init__(u32, u64, entries, **options)

    def select(self, context: Any, key: int) -> int:
        """This socket gets the packet; 0, or a negative errno where there is none, or it cannot take it."""
        raise compiled("select")
