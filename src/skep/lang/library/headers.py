"""The headers of packets as they lie on the wire. Numbers are read in the host's order.

Sources: IEEE 802.3 and 802.1Q, RFC 791 (IPv4), 8200 (IPv6), 9293 (TCP), 768 (UDP), 792 and 4443 (ICMP), 826 (ARP),
7348 (VXLAN).
"""

from enum import IntEnum

from skep.lang.layout import bits
from skep.lang.struct import Struct
from skep.lang.types import be16, be32, u8


class EtherType(IntEnum):
    """What follows an Ethernet header."""

    IPV4 = 0x0800
    ARP = 0x0806
    VLAN = 0x8100
    IPV6 = 0x86DD
    SERVICE_VLAN = 0x88A8


class Protocol(IntEnum):
    """What follows an IP header."""

    HOPS = 0
    ICMP = 1
    TCP = 6
    UDP = 17
    ROUTING = 43
    FRAGMENT = 44
    AUTHENTICATION = 51
    ICMPV6 = 58
    NOTHING = 59
    OPTIONS = 60


class TcpFlag(IntEnum):
    """Bits of ``Tcp.flags``."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16
    URG = 32


class Ethernet(Struct):
    """14 bytes."""

    destination: u8[6]
    source: u8[6]
    type: be16


class Vlan(Struct):
    """A tag of 802.1Q, behind the addresses: ``tag & 0xFFF`` is the VLAN."""

    tag: be16
    type: be16


class Arp(Struct, packed=True):
    """ARP for IPv4 over Ethernet, 28 bytes."""

    hardware: be16
    protocol: be16
    hardware_size: u8
    protocol_size: u8
    operation: be16
    sender: u8[6]
    sender_ip: be32
    target: u8[6]
    target_ip: be32


class IPv4(Struct):
    """20 bytes, and options: ``words`` counts all in words of 4 bytes.

    ``fragment`` has three flags, and the offset of a fragment in units of 8 bytes.
    """

    words: u8 = bits(4)
    version: u8 = bits(4)
    tos: u8
    length: be16
    id: be16
    fragment: be16
    ttl: u8
    protocol: u8
    checksum: be16
    source: be32
    destination: be32


class IPv6(Struct):
    """40 bytes; ``start`` is the version (4 bits), the traffic class (8) and the flow label (20)."""

    start: be32
    length: be16
    next: u8
    hops: u8
    source: u8[16]
    destination: u8[16]


class Extension(Struct):
    """The start of an IPv6 extension header: its length is ``8 * (units + 1)`` bytes."""

    next: u8
    units: u8


class Tcp(Struct):
    """20 bytes, and options: ``words`` counts all in words of 4 bytes."""

    source: be16
    destination: be16
    sequence: be32
    acknowledged: be32
    reserved: u8 = bits(4)
    words: u8 = bits(4)
    flags: u8
    window: be16
    checksum: be16
    urgent: be16


class Udp(Struct):
    """8 bytes; ``length`` counts them too."""

    source: be16
    destination: be16
    length: be16
    checksum: be16


class Icmp(Struct):
    """The start of ICMP and ICMPv6, 8 bytes; ``id`` and ``sequence`` are those of an echo."""

    type: u8
    code: u8
    checksum: be16
    id: be16
    sequence: be16


class Vxlan(Struct):
    """8 bytes behind UDP port 4789: ``network >> 8`` is the VNI, valid where ``flags & 8``."""

    flags: u8
    reserved: u8[3]
    network: be32
