"""Packets for programs that look at them, and which of them a program is timed on. Only what is read is right."""

import socket
import struct
from collections.abc import Mapping, Sequence

IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"
SYN, ACK = 0x02, 0x10
DROPPED = 5555
"""The port that ``examples/04_drop_port.py`` lets nothing through to."""
PORTS = (DROPPED, 5556, 80, 8080)


def packet(
    protocol: int, source: int, destination: int, options: int = 0, version: int = 4
) -> bytes:
    """An Ethernet frame with IPv4."""
    words = 5 + options
    head = struct.pack(">BBHHHBBH8s", version << 4 | words, 0, 100, 1, 0, 64, protocol, 0, bytes(8))
    ports = struct.pack(">HH", source, destination)
    return bytes(12) + IPV4 + head + bytes(4 * options) + ports + b"payload."


def tcp(flags: int, port: int, version: int = 4, options: int = 0, offset: int = 0) -> bytes:
    """A frame with a TCP header."""
    head = struct.pack(">HH9sBxxxxxx", 40000, port, bytes(9), flags)
    if version == 6:
        ethertype, ip = IPV6, struct.pack(">IHBB32x", 6 << 28, 20, 6, 64)
    else:
        ethertype = IPV4
        ip = struct.pack(">BBHHHBBH8x", 0x45 + options, 0, 40, 1, offset, 64, 6, 0)
    return bytes(12) + ethertype + ip + bytes(4 * options) + head


def opening(port: int, flags: int = SYN, words: int = 10) -> bytes:
    """A frame with a TCP segment to 127.0.0.1 as Linux begins a connection: 20 bytes of options."""
    home = bytes((127, 0, 0, 1))
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 60, 1, 0x4000, 64, 6, 0, home, home)
    options = b"\x02\x04\xff\xd7\x04\x02\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07"
    head = struct.pack(">HHIIBBHHH", 40000, port, 7, 0, words << 4, flags, 65495, 0, 0)
    return bytes(range(12)) + IPV4 + ip + head + options


COUNTED = (packet(socket.IPPROTO_TCP, 80, 40000), packet(socket.IPPROTO_UDP, 53, 40000, 1))
TIMED: Mapping[str, Sequence[bytes]] = {
    "examples/04_drop_port.py drop": (
        packet(socket.IPPROTO_UDP, 80, DROPPED),
        packet(socket.IPPROTO_UDP, 80, 8080),
        packet(socket.IPPROTO_TCP, 80, DROPPED),
    ),
    "examples/05_bytes.py on_egress": COUNTED,
    "examples/05_bytes.py on_ingress": COUNTED,
    "examples/13_rate_limit.py limit": (packet(socket.IPPROTO_UDP, 80, 8080), tcp(SYN, 80, 6)),
    "examples/14_syn_counter.py on_packet": (tcp(SYN, 80), tcp(SYN, 80, 6), tcp(ACK, 80)),
    "examples/17_syn_cookies.py answers": (opening(80), opening(80, ACK), tcp(SYN, 80, 6)),
}
"""By program, as ``Shipped`` names it: a packet for each of the ways that matter."""
