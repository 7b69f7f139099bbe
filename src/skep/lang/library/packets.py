"""Parsing packets, and checksums: functions for programs that have a packet as context.

Each gives several results, which are taken apart: ``type, offset = ethernet(ctx)``. Offsets are bytes from where the
packet of the context begins. Where a packet is too short, what is asked for is 0.
"""

from typing import Any

from skep.lang.library.headers import (
    Ethernet,
    EtherType,
    Extension,
    Icmp,
    IPv4,
    IPv6,
    Protocol,
    Tcp,
    Udp,
    Vlan,
    Vxlan,
)
from skep.lang.types import be32, u16, u32

ETHERNET, TAG, IPV4, IPV6 = Ethernet.size, Vlan.size, IPv4.size, IPv6.size
TAGS, EXTENSIONS = 2, 6
FRAGMENT_OFFSET = 0x1FFF
_NETWORK_IS_VALID = 8


def ethernet(ctx: Any, start: u32 = 0) -> Any:
    """The type of what an Ethernet header, and up to two VLAN tags, are followed by, and where: (type, offset)."""
    header = ctx.view(Ethernet, start)
    if header is None:
        return u16(0), u32(0)
    kind: u16 = header.type
    offset: u32 = start + ETHERNET
    for _ in range(TAGS):
        if kind not in (EtherType.VLAN, EtherType.SERVICE_VLAN):
            break
        tag = ctx.view(Vlan, offset)
        if tag is None:
            return u16(0), u32(0)
        kind = tag.type
        offset += TAG
    return kind, offset


def ipv4(ctx: Any, offset: u32) -> Any:
    """What the IPv4 header at ``offset`` is followed by, and where: (protocol, offset).

    Of a fragment that is not the first, the offset is 0: it has no header of a transport.
    """
    header = ctx.view(IPv4, offset)
    if header is None or header.version != 4 or header.words < 5:
        return u32(0), u32(0)
    if header.fragment & FRAGMENT_OFFSET != 0:
        return u32(header.protocol), u32(0)
    return u32(header.protocol), offset + header.words * 4


def ipv6(ctx: Any, offset: u32) -> Any:
    """What the IPv6 header at ``offset``, and up to six extension headers, are followed by: (protocol, offset).

    Of a fragment that is not the first, and behind a seventh extension, the offset is 0.
    """
    header = ctx.view(IPv6, offset)
    if header is None or header.start >> 28 != 6:
        return u32(0), u32(0)
    kind: u32 = header.next
    offset += IPV6
    for _ in range(EXTENSIONS):
        if kind not in (
            Protocol.HOPS,
            Protocol.ROUTING,
            Protocol.FRAGMENT,
            Protocol.AUTHENTICATION,
            Protocol.OPTIONS,
        ):
            return kind, offset
        extension = ctx.view(Extension, offset)
        if extension is None:
            return u32(0), u32(0)
        size: u32 = (extension.units + 1) * 8
        if kind == Protocol.AUTHENTICATION:
            size = (extension.units + 2) * 4
        if kind == Protocol.FRAGMENT:
            size = 8
            place = ctx.view(be32, offset)
            if place is None or place & 0xFFF8 != 0:
                return u32(extension.next), u32(0)
        kind = extension.next
        offset += size
    return kind, u32(0)


def ports(ctx: Any, protocol: u32, offset: u32) -> Any:
    """The ports of TCP and UDP, and the type and code of ICMP, at ``offset``: (source, destination)."""
    if protocol == Protocol.TCP:
        segment = ctx.view(Tcp, offset)
        if segment is not None:
            return segment.source, segment.destination
    elif protocol == Protocol.UDP:
        datagram = ctx.view(Udp, offset)
        if datagram is not None:
            return datagram.source, datagram.destination
    elif protocol in (Protocol.ICMP, Protocol.ICMPV6):
        message = ctx.view(Icmp, offset)
        if message is not None:
            return u16(message.type), u16(message.code)
    return u16(0), u16(0)


# --- checksums (RFC 1071, RFC 1624) -----------------------------------------------------------------------------------


def vxlan(ctx: Any, offset: u32) -> Any:
    """The network of what is behind a VXLAN header at ``offset``, and where the frame in it begins: (vni, offset)."""
    header = ctx.view(Vxlan, offset)
    if header is None or header.flags & _NETWORK_IS_VALID == 0:
        return u32(0), u32(0)
    return header.network >> 8, offset + Vxlan.size


def folded(total: u32) -> Any:
    """The checksum of a sum of 16-bit words; at most 65,537 of them."""
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return u16(~total)


def replaced16(checksum: u16, old: u16, new: u16) -> Any:
    """A checksum after a 16-bit word has changed."""
    return folded((~checksum & 0xFFFF) + (~old & 0xFFFF) + new)


def replaced32(checksum: u16, old: u32, new: u32) -> Any:
    """A checksum after two 16-bit words, as an address has them, have changed."""
    before = (~old >> 16) + (~old & 0xFFFF)
    return folded((~checksum & 0xFFFF) + before + (new >> 16) + (new & 0xFFFF))


def header_checksum(header: Any) -> Any:
    """The checksum of an IPv4 header without options, whatever its checksum field holds."""
    total: u32 = (header.version << 12) + (header.words << 8) + header.tos + header.length
    total += header.id + header.fragment + (header.ttl << 8) + header.protocol
    total += (header.source >> 16) + (header.source & 0xFFFF)
    total += (header.destination >> 16) + (header.destination & 0xFFFF)
    return folded(total)
