"""Parsing packets, and checksums: functions for programs that have a packet as context.

Each gives several results, which are taken apart: ``type, offset = ethernet(ctx)``. Offsets are bytes from where the
packet of the context begins. Where a packet is too short, what is asked for is 0.
"""

from typing import Any

from skep.lang.intrinsics import ntohs
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
from skep.lang.types import be32, u8, u16, u32

ETHERNET, TAG, IPV4, IPV6 = Ethernet.size, Vlan.size, IPv4.size, IPv6.size
TAGS, EXTENSIONS, TCP_OPTIONS = 2, 6, 12
_END, _NOTHING = 0, 1  # options of TCP that are one byte
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


def tcp_option(ctx: Any, offset: u32, kind: u8) -> Any:
    """Where the option of that kind begins, of the TCP header at ``offset``; 0 where it is not among the first twelve.

    Its kind and its length are a byte each: ``ctx.view(be16, at + 2)`` is the segment size of option 2.
    """
    header = ctx.view(Tcp, offset)
    if header is None:
        return u32(0)
    at: u32 = offset + Tcp.size
    end: u32 = offset + header.words * 4
    for _ in range(TCP_OPTIONS):
        option = ctx.view(u8[2], at)
        if option is None or at >= end or option[0] == _END:
            break
        if option[0] == kind:
            return at
        at += 1 if option[0] == _NOTHING else u32(option[1])
    return u32(0)


def vxlan(ctx: Any, offset: u32) -> Any:
    """The network of what is behind a VXLAN header at ``offset``, and where the frame in it begins: (vni, offset)."""
    header = ctx.view(Vxlan, offset)
    if header is None or header.flags & _NETWORK_IS_VALID == 0:
        return u32(0), u32(0)
    return header.network >> 8, offset + Vxlan.size


# --- checksums (RFC 1071, RFC 1624) -----------------------------------------------------------------------------------


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


def _summed(segment: u32) -> Any:
    """The sum of 16-bit words that ``csum_diff()`` found, as an ordinary number."""
    return u32(ntohs(u16(~folded(segment))))


def checksum_over_ipv4(header: Any, length: u32, segment: u32) -> Any:
    """The checksum of ``length`` bytes of TCP or UDP behind an IPv4 header, which add up to ``segment``.

    That is ``u32(skep.csum_diff(None, 0, bytes, length, 0))``, where their own checksum is 0.
    """
    total: u32 = _summed(segment) + header.protocol + length
    total += (header.source >> 16) + (header.source & 0xFFFF)
    total += (header.destination >> 16) + (header.destination & 0xFFFF)
    return _sent(folded(total), header.protocol)


def checksum_over_ipv6(header: Any, protocol: u32, length: u32, segment: u32) -> Any:
    """The same behind an IPv6 header, of ICMPv6 too."""
    total: u32 = _summed(segment) + protocol + length
    for i in range(0, 16, 2):
        total += (header.source[i] << 8) + header.source[i + 1]
        total += (header.destination[i] << 8) + header.destination[i + 1]
    return _sent(folded(total), protocol)


def _sent(checksum: u16, protocol: u32) -> Any:
    """As it is sent: of UDP, 0 says that there is none."""
    return u16(0xFFFF) if checksum == 0 and protocol == Protocol.UDP else checksum
