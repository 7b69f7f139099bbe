"""From a packet to a flow: Ethernet, IPv4 with options, IPv6 with extension headers, TCP, UDP and ICMP.

Each step gives a verdict, NEW where it found nothing wrong, and where the next header begins.
"""

import skep
from examples.large.datapath import wire
from examples.large.datapath.state import Verdict
from skep import u8, u32
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
)

EXTENSIONS = 4
ICMP_HEADER = Icmp.size
HEADERS = 128
"""Bytes at the start of a packet that are looked at, without those of the farthest options."""
ECHO, ECHO_REPLY, ECHO_V6, ECHO_REPLY_V6 = 8, 0, 128, 129
ERRORS = (3, 11, 12)
LAST_ERROR_V6 = 4
NEIGHBOURS, LISTENERS = range(130, 138), 143
"""What ICMPv6 finds routers, neighbours and listeners with: without it there is no link."""


@skep.inline
def reachable(ctx):
    """Make the headers readable, where the packet came in pieces."""
    if len(ctx) < HEADERS and len(ctx) < ctx.len:
        skep.skb_pull_data(min(ctx.len, HEADERS))


@skep.inline
def network(ctx, flow):
    """Addresses and protocol; where the transport header begins."""
    eth = ctx.view(Ethernet)
    if eth is None:
        return Verdict.SHORT, u32(0)
    match eth.type:
        case EtherType.IPV4:
            return ipv4(ctx, flow, u32(wire.ETHERNET))
        case EtherType.IPV6:
            return ipv6(ctx, flow, u32(wire.ETHERNET))
        case EtherType.ARP:
            return Verdict.CONTROL, u32(0)
    return Verdict.ETHERTYPE, u32(0)


@skep.inline
def ipv4(ctx, flow, at: u32):
    ip = ctx.view(IPv4, at)
    if ip is None:
        return Verdict.SHORT, at
    if ip.version != 4 or ip.words < 5:
        return Verdict.MALFORMED, at
    flow.source.words[2] = wire.MAPPED
    flow.source.words[3] = skep.htonl(ip.source)
    flow.destination.words[2] = wire.MAPPED
    flow.destination.words[3] = skep.htonl(ip.destination)
    flow.protocol = ip.protocol
    if ip.fragment & wire.FRAGMENTED:
        return Verdict.FRAGMENT, at
    return Verdict.NEW, at + u32(ip.words) * 4


@skep.inline
def mapped(address):
    """Whether an address is one of IPv4, which no packet of IPv6 has: it would be taken for that peer."""
    words = address.words
    return words[0] | words[1] == 0 and words[2] == wire.MAPPED


@skep.inline
def ipv6(ctx, flow, at: u32):
    ip = ctx.view(IPv6, at)
    if ip is None:
        return Verdict.SHORT, at
    if ip.start >> 28 != 6:
        return Verdict.MALFORMED, at
    flow.source.bytes = ip.source
    flow.destination.bytes = ip.destination
    if mapped(flow.source) or mapped(flow.destination):
        return Verdict.MALFORMED, at
    following = ip.next
    at += IPv6.size
    for _ in range(EXTENSIONS):
        if following not in (Protocol.HOPS, Protocol.ROUTING, Protocol.OPTIONS):
            break
        extension = ctx.view(Extension, at)
        if extension is None:
            return Verdict.SHORT, at
        following = extension.next
        at += (u32(extension.units) + 1) * 8
    flow.protocol = following
    return (Verdict.FRAGMENT if following == Protocol.FRAGMENT else Verdict.NEW), at


@skep.inline
def transport(ctx, flow, at: u32):
    """Ports, or what stands for them; and the flags of TCP."""
    match flow.protocol:
        case Protocol.TCP:
            tcp = ctx.view(Tcp, at)
            if tcp is None:
                return Verdict.SHORT, u8(0)
            flow.source_port = tcp.source
            flow.destination_port = tcp.destination
            return Verdict.NEW, tcp.flags
        case Protocol.UDP:
            udp = ctx.view(Udp, at)
            if udp is None:
                return Verdict.SHORT, u8(0)
            flow.source_port = udp.source
            flow.destination_port = udp.destination
            return Verdict.NEW, u8(0)
        case Protocol.ICMP | Protocol.ICMPV6:
            return echo(ctx, flow, at), u8(0)
    return Verdict.PROTOCOL, u8(0)


@skep.inline
def echo(ctx, flow, at: u32):
    """An echo's id is the port of the one who asks. RELATED is an error about another packet, which lies inside."""
    icmp = ctx.view(Icmp, at)
    if icmp is None:
        return Verdict.SHORT
    old = flow.protocol == Protocol.ICMP
    if icmp.type == (ECHO if old else ECHO_V6):
        flow.source_port = icmp.id
    elif icmp.type == (ECHO_REPLY if old else ECHO_REPLY_V6):
        flow.destination_port = icmp.id
    elif icmp.type in ERRORS if old else icmp.type <= LAST_ERROR_V6:
        return Verdict.RELATED
    elif not old and (icmp.type in NEIGHBOURS or icmp.type == LISTENERS):
        return Verdict.CONTROL
    return Verdict.NEW


@skep.inline
def header(ctx, flow, at: u32, old):
    if old:
        return ipv4(ctx, flow, at)
    return ipv6(ctx, flow, at)


@skep.inline
def quoted(ctx, flow, at: u32, old):
    """The packet that an ICMP error is about, as far as it is quoted: its header, and ports or an echo's id."""
    verdict, inside = header(ctx, flow, at, old)
    if verdict != Verdict.NEW:
        return verdict, inside
    if flow.protocol in (Protocol.ICMP, Protocol.ICMPV6):
        return echo(ctx, flow, inside), inside
    ports = ctx.view(wire.Ports, inside)
    if ports is None:
        return Verdict.SHORT, inside
    flow.source_port = ports.source
    flow.destination_port = ports.destination
    return Verdict.NEW, inside
