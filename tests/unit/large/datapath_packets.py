"""Packets for the datapath, with checksums as they belong, and what is wrong with those of a packet."""

import struct
from dataclasses import dataclass
from ipaddress import ip_address

from examples.large.datapath import wire
from skep.lang.library.headers import EtherType, Protocol, TcpFlag

V4, V6 = 4, 6
FIN, SYN, RST, ACK = TcpFlag.FIN, TcpFlag.SYN, TcpFlag.RST, TcpFlag.ACK
BY_FAMILY = {V4: EtherType.IPV4, V6: EtherType.IPV6}
ECHOES = {(V4, True): 8, (V4, False): 0, (V6, True): 128, (V6, False): 129}
UNREACHABLE = {V4: 3, V6: 1}


@dataclass(frozen=True, slots=True)
class Ends:
    """From where to where: addresses, and ports."""

    source: str
    destination: str
    source_port: int = 40000
    destination_port: int = 80

    @property
    def family(self) -> int:
        return int(ip_address(self.source).version)

    @property
    def back(self) -> "Ends":
        return Ends(self.destination, self.source, self.destination_port, self.source_port)


def summed(data: bytes) -> int:
    """The Internet checksum (RFC 1071); 0 of what holds its own."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(kind: int, payload: bytes) -> bytes:
    return bytes(range(12)) + struct.pack(">H", kind) + payload


def ip(
    ends: Ends, protocol: int, payload: bytes, *, extra: bytes = b"", fragment: int = 0
) -> bytes:
    """A header of IP and what it carries; ``extra`` are options, or extension headers from ``protocol`` on."""
    addresses = ip_address(ends.source).packed + ip_address(ends.destination).packed
    if ends.family == V6:
        head = struct.pack(">IHBB", 6 << 28, len(extra) + len(payload), protocol, 64)
        return head + addresses + extra + payload
    words, length = 5 + len(extra) // 4, 20 + len(extra) + len(payload)
    head = struct.pack(">BBHHHBBH", 0x40 | words, 0, length, 7, fragment, 64, protocol, 0)
    checksum = summed(head + addresses + extra)
    return head[:10] + struct.pack(">H", checksum) + addresses + extra + payload


def pseudo(ends: Ends, protocol: int, length: int) -> bytes:
    """What the checksum of the transport covers of the network."""
    addresses = ip_address(ends.source).packed + ip_address(ends.destination).packed
    return addresses + struct.pack(">II", length, protocol)


def tcp_segment(ends: Ends, flags: int = SYN, data: bytes = b"") -> bytes:
    head = struct.pack(
        ">HHIIBBHHH", ends.source_port, ends.destination_port, 1, 2, 0x50, flags, 512, 0, 0
    )
    checksum = summed(pseudo(ends, Protocol.TCP, len(head + data)) + head + data)
    return head[:16] + struct.pack(">H", checksum) + head[18:] + data


def udp_datagram(ends: Ends, data: bytes = b"hello", *, checksum: bool = True) -> bytes:
    head = struct.pack(">HHHH", ends.source_port, ends.destination_port, 8 + len(data), 0)
    made = summed(pseudo(ends, Protocol.UDP, len(head + data)) + head + data) or 0xFFFF
    return head[:6] + struct.pack(">H", made if checksum else 0) + data


def packet(ends: Ends, protocol: int, payload: bytes, *, extra: bytes = b"") -> bytes:
    return ethernet(BY_FAMILY[ends.family], ip(ends, protocol, payload, extra=extra))


def tcp(ends: Ends, flags: int = SYN, data: bytes = b"") -> bytes:
    return packet(ends, Protocol.TCP, tcp_segment(ends, flags, data))


def answer(ends: Ends) -> bytes:
    """What answers the SYN that went from ``ends``."""
    return tcp(ends.back, SYN | ACK)


def udp(ends: Ends, *, checksum: bool = True) -> bytes:
    return packet(ends, Protocol.UDP, udp_datagram(ends, checksum=checksum))


def icmp(ends: Ends, kind: int, rest: bytes) -> bytes:
    protocol = Protocol.ICMP if ends.family == V4 else Protocol.ICMPV6
    body = struct.pack(">BBH", kind, 0, 0) + rest
    covered = pseudo(ends, protocol, len(body)) if ends.family == V6 else b""
    checksum = struct.pack(">H", summed(covered + body))
    return packet(ends, protocol, body[:2] + checksum + body[4:])


def echo(ends: Ends, *, asks: bool = True, number: int = 9) -> bytes:
    return icmp(ends, ECHOES[ends.family, asks], struct.pack(">HH", number, 1) + b"ping")


def unreachable(ends: Ends, about: bytes) -> bytes:
    """An ICMP error about a packet, of which it quotes the headers."""
    return icmp(ends, UNREACHABLE[ends.family], bytes(4) + about[wire.ETHERNET :])


def ends_of(data: bytes) -> Ends:
    """Between whom a packet of TCP or UDP goes, without options."""
    at, size = (26, 4) if data[12:14] == b"\x08\x00" else (22, 16)
    source, destination = data[at : at + size], data[at + size : at + 2 * size]
    ports = struct.unpack_from(">HH", data, at + 2 * size)
    return Ends(str(ip_address(source)), str(ip_address(destination)), *ports)


def intact(data: bytes) -> bool:
    """Whether the checksums of a packet of TCP, UDP or ICMP without options are right."""
    ends = ends_of(data)
    at = wire.ETHERNET + (20 if ends.family == V4 else 40)
    protocol = data[23] if ends.family == V4 else data[20]
    header = ends.family == V6 or summed(data[wire.ETHERNET : at]) == 0
    covered = b"" if protocol == Protocol.ICMP else pseudo(ends, protocol, len(data) - at)
    return header and summed(covered + data[at:]) == 0


def quoted(data: bytes) -> bytes:
    """The packet that an ICMP error is about, with an Ethernet header before it."""
    at = wire.ETHERNET + (20 if data[12:14] == b"\x08\x00" else 40) + 8
    return data[: wire.ETHERNET] + data[at:]
