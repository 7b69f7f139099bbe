"""Routing netlink, as little as skep needs: devices, addresses, routes read; clsact filters set.

``Netlink`` is one socket in the network namespace of the thread that opens it, until it is closed.
Answers are values. It raises OSError with the kernel's errno; it attaches no BPF program by itself.
Source: include/uapi/linux/{netlink,rtnetlink,if_link,pkt_sched,pkt_cls}.h.
"""

import os
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Self

from skep.base.lazy import lazy

if TYPE_CHECKING:
    import socket
else:
    socket = lazy("socket")  # 5 ms that only network programs pay

_HEADER = struct.Struct("<IHHII")
_LINK = struct.Struct("<BxHiII")
_ADDRESS = struct.Struct("<BBBBI")
_ROUTE = struct.Struct("<BBBBBBBBI")
_TC = struct.Struct("<BxxxiIII")
_ATTRIBUTE = struct.Struct("<HH")

_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP, _CREATE, _EXCL = 0x1, 0x4, 0x300, 0x400, 0x200
_NEWLINK, _GETLINK, _GETADDR = 16, 18, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_NEWQDISC, _DELQDISC, _GETQDISC = 36, 37, 38
_NEWTFILTER, _DELTFILTER, _GETTFILTER = 44, 45, 46

_IFNAME, _MTU, _XDP, _LINKINFO = 3, 4, 43, 18
_XDP_PROG_ID, _INFO_KIND = 4, 1
_NESTED = 0x3FFF  # the type without its flags
_UP = 1

_CLSACT = 0xFFFFFFF1  # parent and, with minor 0, handle
_CLSACT_HANDLE = 0xFFFF0000
INGRESS, EGRESS = 0xFFFFFFF2, 0xFFFFFFF3
_ALL_PROTOCOLS = 0x0300  # ETH_P_ALL in network order
_KIND, _OPTIONS = 1, 2
BPF = "bpf"
"""The kind of filters that have a program."""
_BPF_FD, _BPF_NAME, _BPF_FLAGS, _BPF_ID = 6, 7, 8, 11
_DIRECT_ACTION = 1

_RECEIVE = 1 << 16


class Device(NamedTuple):
    """A network device; ``kind`` is "" for hardware, ``xdp`` the id of its XDP program or 0."""

    ifindex: int
    name: str
    up: bool
    mtu: int
    kind: str
    xdp: int


class Address(NamedTuple):
    """An address of a device: packed, as it goes over the wire."""

    ifindex: int
    family: int
    prefix: int
    address: bytes


class Route(NamedTuple):
    """A route: ``destination`` b"" is the default, ``gateway`` b"" is on link."""

    family: int
    prefix: int
    table: int
    ifindex: int
    destination: bytes
    gateway: bytes


class Filter(NamedTuple):
    """A filter of a clsact qdisc; ``kind`` is "bpf", or of others, which have no name and no program."""

    handle: int
    priority: int
    name: str
    program_id: int
    kind: str = BPF


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes in a message, by type; of a type that comes twice, the last."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4:
            break
        found[kind & _NESTED] = data[at + 4 : at + length]
        at += -(-length // 4) * 4
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return _ATTRIBUTE.pack(len(value) + 4, kind) + value + bytes(-len(value) % 4)


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "little")


def _text(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode("utf-8", "replace")


class Netlink:
    """``with Netlink() as netlink: netlink.devices()``: the network of the thread's namespace."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._sequence = 0

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._sequence += 1
        header = _HEADER.pack(16 + len(body), kind, flags | _REQUEST, self._sequence, 0)
        self._socket.send(header + body)

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        """The answers to the last request; OSError where the kernel refuses it."""
        while True:
            data = self._socket.recv(_RECEIVE)
            at = 0
            while at + 16 <= len(data):
                length, kind, _, sequence, _ = _HEADER.unpack_from(data, at)
                body = data[at + 16 : at + length]
                at += -(-length // 4) * 4
                if sequence != self._sequence:
                    continue
                if kind in (_ERROR, _DONE):
                    code = -struct.unpack_from("<i", body)[0] if len(body) >= 4 else 0
                    if code:
                        raise OSError(code, os.strerror(code))
                    return
                yield kind, body

    def _dump(self, kind: int, body: bytes) -> Iterator[bytes]:
        self._send(kind, _DUMP, body)
        return (answer for _, answer in self._messages())

    def _change(self, kind: int, body: bytes, flags: int = 0) -> None:
        self._send(kind, flags | _ACK, body)
        for _ in self._messages():
            pass

    def devices(self) -> list[Device]:
        """All devices of the namespace."""
        return [_device(body) for body in self._dump(_GETLINK, _LINK.pack(0, 0, 0, 0, 0))]

    def addresses(self) -> list[Address]:
        """All addresses of the namespace."""
        found = []
        for body in self._dump(_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0)):
            family, prefix, _, _, index = _ADDRESS.unpack_from(body)
            values = attributes(body[_ADDRESS.size :])
            found.append(Address(index, family, prefix, values.get(2) or values.get(1) or b""))
        return found

    def routes(self) -> list[Route]:
        """All routes of the namespace, those of the local table too."""
        found = []
        for body in self._dump(_GETROUTE, _ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)):
            family, prefix, _, _, table = _ROUTE.unpack_from(body)[:5]
            values = attributes(body[_ROUTE.size :])
            table = _number(values[15]) if 15 in values else table
            index, target, gateway = _number(values.get(4)), values.get(1, b""), values.get(5, b"")
            found.append(Route(family, prefix, table, index, target, gateway))
        return found

    def set_up(self, index: int) -> None:
        """Brings a device up."""
        self._change(_NEWLINK, _LINK.pack(0, 0, index, _UP, _UP))

    def add_route(self, body: bytes) -> None:
        """Makes a route of a ``struct rtmsg`` with attributes; EEXIST where there is one."""
        self._change(_NEWROUTE, body, _CREATE | _EXCL)

    def delete_route(self, body: bytes) -> None:
        """Takes it away."""
        self._change(_DELROUTE, body)

    def qdiscs(self, index: int) -> list[str]:
        """The kinds of the queueing disciplines on a device."""
        bodies = self._dump(_GETQDISC, _TC.pack(0, index, 0, 0, 0))
        mine = [body for body in bodies if _TC.unpack_from(body)[1] == index]
        return [_text(attributes(body[_TC.size :]).get(_KIND)) for body in mine]

    def add_clsact(self, index: int) -> None:
        """Gives a device a clsact qdisc; EEXIST where it has one."""
        body = _TC.pack(0, index, _CLSACT_HANDLE, _CLSACT, 0) + attribute(_KIND, b"clsact\0")
        self._change(_NEWQDISC, body, _CREATE | _EXCL)

    def delete_clsact(self, index: int) -> None:
        """Takes it away with all its filters, whoever set them."""
        body = _TC.pack(0, index, _CLSACT_HANDLE, _CLSACT, 0) + attribute(_KIND, b"clsact\0")
        self._change(_DELQDISC, body)

    def add_filter(self, index: int, parent: int, priority: int, fd: int, name: str) -> None:
        """Puts a program on INGRESS or EGRESS of a device: it runs in the order of priorities."""
        options = (
            attribute(_BPF_FD, struct.pack("<I", fd))
            + attribute(_BPF_NAME, name.encode() + b"\0")
            + attribute(_BPF_FLAGS, struct.pack("<I", _DIRECT_ACTION))
        )
        body = (
            _TC.pack(0, index, 1, parent, priority << 16 | _ALL_PROTOCOLS)
            + attribute(_KIND, BPF.encode() + b"\0")
            + attribute(_OPTIONS, options)
        )
        self._change(_NEWTFILTER, body, _CREATE | _EXCL)

    def delete_filter(self, index: int, parent: int, priority: int) -> None:
        """Takes the filters of that priority away."""
        body = _TC.pack(0, index, 0, parent, priority << 16 | _ALL_PROTOCOLS)
        self._change(_DELTFILTER, body)

    def filters(self, index: int, parent: int) -> list[Filter]:
        """The filters on INGRESS or EGRESS of a device, of any kind."""
        bodies = self._dump(_GETTFILTER, _TC.pack(0, index, 0, parent, 0))
        return [one for one in map(_filter, bodies) if one.handle]

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _filter(body: bytes) -> Filter:
    """A filter; the kernel tells of each priority, too, with the handle 0."""
    _, _, handle, _, info = _TC.unpack_from(body)
    values = attributes(body[_TC.size :])
    kind = _text(values.get(_KIND))
    if kind != BPF:  # numbers of attributes are another's
        return Filter(handle, info >> 16, "", 0, kind)
    options = attributes(values.get(_OPTIONS, b""))
    name, program = _text(options.get(_BPF_NAME)), _number(options.get(_BPF_ID))
    return Filter(handle, info >> 16, name, program)


def _device(body: bytes) -> Device:
    _, _, index, flags, _ = _LINK.unpack_from(body)
    values = attributes(body[_LINK.size :])
    kind = _text(attributes(values.get(_LINKINFO, b"")).get(_INFO_KIND))
    xdp = _number(attributes(values.get(_XDP, b"")).get(_XDP_PROG_ID))
    name, mtu = _text(values.get(_IFNAME)), _number(values.get(_MTU))
    return Device(index, name, bool(flags & _UP), mtu, kind, xdp)
