"""A program that parses packets, changes them, and mends their checksums."""

import skep
from skep import Hash, Struct, u16, u32
from skep.lang.library.headers import EtherType, IPv4, Protocol, Tcp, Udp
from skep.lang.library.packets import (
    ethernet,
    header_checksum,
    ipv4,
    ipv6,
    ports,
    replaced16,
    replaced32,
    vxlan,
)

VXLAN = 4789


class Found(Struct):
    """What was found in a packet."""

    type: u16
    protocol: u16
    at: u32
    transport: u32
    source: u16
    destination: u16


found = Hash(u32, Found, 4)


@skep.xdp
def parses(ctx):
    """Everything down to the ports."""
    kind, at = ethernet(ctx)
    protocol, transport = u32(0), u32(0)
    if kind == EtherType.IPV4:
        protocol, transport = ipv4(ctx, at)
    elif kind == EtherType.IPV6:
        protocol, transport = ipv6(ctx, at)
    source, destination = u16(0), u16(0)
    if transport != 0:
        source, destination = ports(ctx, protocol, transport)
    found[1] = Found(kind, u16(protocol), at, transport, source, destination)
    return 2


@skep.xdp
def translates(ctx):
    """Another destination and port, with the checksums mended."""
    kind, at = ethernet(ctx)
    if kind != EtherType.IPV4:
        return 2
    protocol, transport = ipv4(ctx, at)
    header = ctx.view(IPv4, at)
    if header is None or transport == 0:
        return 1
    old, new = header.destination, u32(0x0A0B0C0D)
    header.destination = new
    header.ttl -= 1
    header.checksum = header_checksum(header)
    if protocol == Protocol.UDP:
        datagram = ctx.view(Udp, transport)
        if datagram is None:
            return 1
        mended = replaced16(datagram.checksum, datagram.destination, 5353)
        datagram.checksum = replaced32(mended, old, new)
        datagram.destination = 5353
    elif protocol == Protocol.TCP:
        segment = ctx.view(Tcp, transport)
        if segment is None:
            return 1
        mended = replaced16(segment.checksum, segment.destination, 8443)
        segment.checksum = replaced32(mended, old, new)
        segment.destination = 8443
    return 3


inner = Hash(u32, Found, 4)


@skep.xdp
def opens_a_tunnel(ctx):
    """What is in a frame behind VXLAN, by network."""
    kind, at = ethernet(ctx)
    if kind != EtherType.IPV4:
        return 2
    protocol, transport = ipv4(ctx, at)
    source, destination = ports(ctx, protocol, transport)
    if protocol != Protocol.UDP or destination != VXLAN:
        return 2
    network, frame = vxlan(ctx, transport + Udp.size)
    if frame == 0:
        return 1
    kind, at = ethernet(ctx, frame)
    protocol, transport = ipv4(ctx, at)
    source, destination = ports(ctx, protocol, transport)
    inner[network] = Found(kind, u16(protocol), at, transport, source, destination)
    return 3


ALL = (parses, translates, opens_a_tunnel)
