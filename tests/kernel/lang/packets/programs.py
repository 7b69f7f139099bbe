"""A program that parses packets, changes them, and mends their checksums."""

import skep
from skep import Array, Global, Hash, Struct, be16, be32, u8, u16, u32, u64
from skep.lang.library.headers import Ethernet, EtherType, IPv4, IPv6, Protocol, Tcp, Udp
from skep.lang.library.packets import (
    checksum_over_ipv4,
    checksum_over_ipv6,
    ethernet,
    header_checksum,
    ipv4,
    ipv6,
    ports,
    replaced16,
    replaced32,
    tcp_option,
    vxlan,
)
from skep.lang.library.verdicts import Tc, Xdp

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


class Quic(Struct, packed=True):
    """What a long header of QUIC begins with."""

    flags: u8
    version: be32
    length: u8
    id: u64


class Noted(Struct, packed=True):
    """A packed value: numbers and Structs at any address, on the stack and in maps."""

    kind: u8
    heads: Quic[2]  # type: ignore[type-arg, valid-type]
    sum: u64


class Ends(Struct, packed=True):
    """A key without padding."""

    protocol: u8
    version: be32
    port: be16


noted = Hash(Ends, Noted, 4)
total = Global(Noted)


@skep.xdp
def notes(ctx):
    """Reads and writes unaligned numbers wherever they lie."""
    quic = ctx.view(Quic, 1)
    if quic is None:
        return 1
    note = Noted(kind=1, sum=5)
    note.heads[1] = quic
    note.heads[0].version = quic.version + 1
    note.heads[quic.flags & 1].id += 7
    note.sum += note.heads[1].id
    total.heads[0].version += note.heads[0].version
    total.sum -= 3
    ends = Ends(17, quic.version, 443)
    noted[ends] = note
    found = noted.lookup(ends)
    if found is None:
        return 0
    found.heads[1].length += 1
    found.sum += found.heads[1].length
    quic.version += 1
    return 2 if note.heads[0].version == quic.version else 3


class Text(Struct):
    """What follows a length."""

    data: u8[64]
    length: u32


texts = Array(Text, 4)


def copied(ctx, index: u32, at: u32, size: u32):
    """Keep bytes of a packet."""
    text = Text(length=size)
    if size == 0 or size > 64 or skep.skb_load_bytes(at, text.data, size) != 0:
        return
    texts[index] = text


@skep.tc("ingress")
def copies(ctx):
    """Sizes that the packet tells, and differences, are tested before helpers are given them."""
    told = ctx.view(be16, 14)
    if told is None:
        return 1
    size: u32 = told[0]
    text = Text(length=size)
    if 1 <= size <= 64 and skep.skb_load_bytes(16, text.data, size) == 0:
        texts[0] = text
    copied(ctx, 1, 16, told[0])
    at: u32 = 16
    if ctx.len > at:
        copied(ctx, 2, at, min(ctx.len - at, 64))
        rest = min(ctx.len - at, 64)
        if rest != 0 and skep.skb_load_bytes(at, text.data, rest) == 0:
            texts[3] = text
    return 2


segments = Array(u32, 2)


@skep.xdp
def sums(ctx):
    """The checksum of 12 bytes of TCP or UDP anew, as it was and as it is."""
    kind, at = ethernet(ctx)
    protocol, transport = u32(0), u32(0)
    if kind == EtherType.IPV4:
        protocol, transport = ipv4(ctx, at)
    elif kind == EtherType.IPV6:
        protocol, transport = ipv6(ctx, at)
    udp, whole = ctx.view(Udp, transport), ctx.view(u8[12], transport)
    if udp is None or whole is None:
        return 1
    segments[0], udp.checksum = udp.checksum, 0
    total = u32(skep.csum_diff(None, 0, whole, 12, 0))
    old, new = ctx.view(IPv4, at), ctx.view(IPv6, at)
    if kind == EtherType.IPV4 and old is not None:
        udp.checksum = checksum_over_ipv4(old, 12, total)
    elif new is not None:
        udp.checksum = checksum_over_ipv6(new, protocol, 12, total)
    segments[1] = udp.checksum
    return 2


@skep.xdp
def keeps_a_copy(ctx):
    """What was at the start of a packet stands at the start of what is left of it."""
    eth, saved = ctx.view(Ethernet), Ethernet()
    if eth is None:
        return Xdp.DROP
    saved[0] = eth
    if skep.xdp_adjust_head(20) != 0:
        return Xdp.DROP
    eth = ctx.view(Ethernet)
    if eth is None:
        return Xdp.DROP
    eth[0] = saved
    eth[0].type += 1
    return Xdp.PASS


@skep.xdp
def finds_options(ctx):
    """The options of a kind, by which the packet begins."""
    kind = ctx.view(u8)
    return 1 if kind is None else 2 + tcp_option(ctx, 14 + 20, kind[0])


@skep.tc("ingress")
def decides(ctx):
    """By the first byte, a verdict."""
    first = ctx.view(u8)
    if first is None:
        return Tc.PASS
    return Tc.NEXT if first == 255 else Tc.DROP


ALL = (
    decides,
    keeps_a_copy,
    sums,
    finds_options,
    copies,
    notes,
    parses,
    translates,
    opens_a_tunnel,
)
