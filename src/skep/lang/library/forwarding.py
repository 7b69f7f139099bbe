"""Where packets go: what the kernel's helpers are asked and tell of routes, neighbours, tunnels and connections.

The Structs have the layouts and the names of ``linux/bpf.h``; each helper takes one with all of its bytes. Functions
ask for the route of a packet, and let it take a hop:

    route = FibLookup(ifindex=ctx.ingress_ifindex)
    if asks(ctx, route) and skep.fib_lookup(route, 0) == FibResult.SUCCESS and hops(ctx, route):
        return skep.redirect(route.ifindex, 0)
"""

from enum import IntEnum
from typing import Any

from skep.lang.library.headers import Ethernet, EtherType, IPv4, IPv6
from skep.lang.library.packets import replaced16
from skep.lang.struct import Struct, Union
from skep.lang.types import be16, be32, u8, u16, u32

INET, INET6 = 2, 10
_AT, _LAST = Ethernet.size, 1


class FibResult(IntEnum):
    """What ``fib_lookup()`` gives, but for negative error numbers."""

    SUCCESS = 0
    BLACKHOLE = 1
    UNREACHABLE = 2
    PROHIBIT = 3
    NOT_FWDED = 4
    FWD_DISABLED = 5
    UNSUPP_LWT = 6
    NO_NEIGH = 7
    FRAG_NEEDED = 8
    NO_SRC_ADDR = 9


class FibFlag(IntEnum):
    """Bits of its flags."""

    DIRECT = 1
    OUTPUT = 2
    SKIP_NEIGH = 4
    TBID = 8
    SRC = 16
    MARK = 32


class Address(Union):
    """An address of either family."""

    v4: be32
    v6: u8[16]


class FlowInfo(Union):
    """Asked: the type of service of IPv4, or traffic class and flow label of IPv6; told: the metric of the route."""

    tos: u8
    flowinfo: be32
    rt_metric: u32


class FibLookup(Struct):
    """``struct bpf_fib_lookup``, 64 bytes. ``ifindex`` and ``dst`` become device and next hop, ``tot_len`` the MTU."""

    family: u8
    l4_protocol: u8
    sport: be16
    dport: be16
    tot_len: u16
    ifindex: u32
    flow: FlowInfo
    src: Address
    dst: Address
    vlan_proto: be16
    vlan_tci: be16
    smac: u8[6]
    dmac: u8[6]


class RedirNeigh(Struct):
    """``struct bpf_redir_neigh``, 20 bytes: the next hop of ``redirect_neigh()``."""

    nh_family: u32
    nh: Address


class TunnelFlag(IntEnum):
    """Bits of the flags of ``skb_set_tunnel_key()`` and ``skb_get_tunnel_key()``."""

    IPV6 = 1
    ZERO_CSUM_TX = 2
    DONT_FRAGMENT = 4
    SEQ_NUMBER = 8
    NO_TUNNEL_KEY = 16


class TunnelEnd(Union):
    """An end of a tunnel: IPv4 as an ordinary number, IPv6 as it lies in packets."""

    v4: u32
    v6: u8[16]


class TunnelKey(Struct):
    """``struct bpf_tunnel_key``, 44 bytes: what a tunnel's outer header says, or is to say."""

    tunnel_id: u32
    remote: TunnelEnd
    tunnel_tos: u8
    tunnel_ttl: u8
    tunnel_ext: u16
    tunnel_label: u32
    local: TunnelEnd


class SockTuple4(Struct):
    """``struct bpf_sock_tuple`` of IPv4, 12 bytes: for ``sk_lookup_tcp()`` and its like."""

    saddr: be32
    daddr: be32
    sport: be16
    dport: be16


class SockTuple6(Struct):
    """The same of IPv6, 36 bytes."""

    saddr: u8[16]
    daddr: u8[16]
    sport: be16
    dport: be16


def asks(ctx: Any, route: Any) -> Any:
    """Put what a packet of IPv4 or IPv6 is routed by into a FibLookup. False where it is none, or has no hop left."""
    eth = ctx.view(Ethernet)
    if eth is None:
        return False
    if eth.type == EtherType.IPV4:
        old = ctx.view(IPv4, _AT)
        if old is None or old.ttl <= _LAST:
            return False
        route.family, route.l4_protocol, route.tot_len = INET, old.protocol, old.length
        route.flow.tos = old.tos
        route.src.v4, route.dst.v4 = old.source, old.destination
        return True
    new = ctx.view(IPv6, _AT)
    if eth.type != EtherType.IPV6 or new is None or new.hops <= _LAST:
        return False
    route.family, route.l4_protocol, route.tot_len = INET6, new.next, new.length
    route.flow.flowinfo = new.start & 0x0FFF_FFFF
    route.src.v6, route.dst.v6 = new.source, new.destination
    return True


def hops(ctx: Any, route: Any) -> Any:
    """Let a packet take the hop that was found: one less is left, and its frame is for the neighbour.

    False where it is no packet of the family that was asked for.
    """
    eth = ctx.view(Ethernet)
    if eth is None:
        return False
    if eth.type == EtherType.IPV4:
        old = ctx.view(IPv4, _AT)
        if old is None:
            return False
        word: u16 = old.ttl << 8 | old.protocol
        old.checksum = replaced16(old.checksum, word, word - 0x100)
        old.ttl -= 1
    else:
        new = ctx.view(IPv6, _AT)
        if new is None:
            return False
        new.hops -= 1
    eth.source, eth.destination = route.smac, route.dmac
    return True
