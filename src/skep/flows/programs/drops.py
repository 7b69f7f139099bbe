"""Packets that the kernel drops: fills the ring ``drops``, and counts every drop by where and why.

Runs in the kernel when a packet is freed without having been used. A flood costs a count: of one
place and reason a CPU tells only some drops in detail; ``sites`` has the number of all and of those.
Nothing of a packet's payload is read.
"""

from skep.flows.programs.records import Drop
from skep.lang.decorators.tracing import tp_btf
from skep.lang.helpers import HELPERS
from skep.lang.intrinsics import atomic_add
from skep.lang.kernel_names import kernel_enum, kernel_struct
from skep.lang.maps import Global, PerCpuHash, Ring
from skep.lang.programs import inline
from skep.lang.struct import Struct
from skep.lang.types import be16, u8, u32, u64


class Site(Struct):
    """Where and why: an address in the kernel, a number of enum skb_drop_reason."""

    location: u64
    reason: u32
    unused: u32


class Count(Struct):
    """Drops at a site on one CPU: all, those told in detail, and how many of them in ``window``."""

    total: u64
    told: u64
    window: u64
    in_window: u64


class Unlisted(Struct):
    """Drops at sites for which ``sites`` had no room."""

    total: u64


drops = Ring(Drop, name="drops")
sites = PerCpuHash(Site, Count, 1024, name="drop_sites")
unlisted = Global(Unlisted, name="drop_unlisted")

TOLD, WINDOW = 16, 8
"""Of a site each CPU tells so many drops in 1 << WINDOW ticks of the kernel (0.26 to 2.6 s)."""
NO_EXIST = 1

INET, INET6 = 2, 10
IPV4, IPV6 = 0x0800, 0x86DD
TCP, UDP, SCTP, UDPLITE = 6, 17, 132, 136
FRAGMENT = 0x1FFF
KERNEL = 0xFF << 56
"""Addresses of the kernel begin here: what lies below is another use of a pointer's place."""
STRAY = (1, 2)
"""Kinds of packets, broadcast and multicast, that come though nobody here asked for them: counted only."""
SMALL = (6, 12)
"""States of sockets that are struct sock_common only: TIME_WAIT, NEW_SYN_RECV."""


class Ip4(Struct):
    """An IPv4 header without options."""

    version: u8
    service: u8
    length: be16
    number: be16
    fragment: be16
    ttl: u8
    protocol: u8
    checksum: be16
    source: u8[4]
    destination: u8[4]


class Ip6(Struct):
    """An IPv6 header."""

    version: u8
    unused: u8[3]
    length: be16
    next: u8
    hops: u8
    source: u8[16]
    destination: u8[16]


class Ports(Struct):
    """The ports, with which a TCP, UDP or SCTP header begins."""

    source: be16
    destination: be16


REASON = kernel_enum("skb_drop_reason", SKB_DROP_REASON_NOT_SPECIFIED=2)
SKB = kernel_struct("sk_buff")
SOCK = kernel_struct("sock")

jiffies64 = HELPERS["jiffies64"]
probe_read_kernel = HELPERS["probe_read_kernel"]


@tp_btf("kfree_skb")
def on_drop(skb, location, reason, rx_sk):
    """Since Linux 6.11 the kernel names the socket that a packet was for."""
    if wanted(skb, u64(location), reason):
        sk = u64(SKB(skb).sk)
        if rx_sk is not None:
            sk = u64(rx_sk)
        tell(skb, u64(location), reason, sk)


@tp_btf("kfree_skb")
def on_drop_alone(skb, location, reason):
    """Since Linux 5.17 it gives a reason."""
    if wanted(skb, u64(location), reason):
        tell(skb, u64(location), reason, u64(SKB(skb).sk))


@inline
def wanted(skb, location: u64, reason: u32):
    """Whether to tell of it. What has no ethertype is a message of a local socket, no packet."""
    if reason < REASON.SKB_DROP_REASON_NOT_SPECIFIED or skb.protocol == 0:
        return False
    stray = reason == REASON.SKB_DROP_REASON_NOT_SPECIFIED and skb.pkt_type in STRAY
    return counted(location, reason, 0 if stray else TOLD)


def counted(location: u64, reason: u32, most: u64):
    """Count a drop; whether it is to be told in detail, as at most ``most`` of a window are."""
    site = Site(location=location, reason=reason)
    count = sites.lookup(site)
    if count is None:
        sites.update(site, Count(), NO_EXIST)
        count = sites.lookup(site)
        if count is None:
            atomic_add(unlisted.total, 1)
            return False
    count.total += 1
    window = jiffies64() >> WINDOW
    if count.window != window:
        count.window = window
        count.in_window = 0
    if count.in_window >= most:
        return False
    count.in_window += 1
    count.told += 1
    return True


def tell(skb, location: u64, reason: u32, sk: u64):
    """Tell of a drop in detail. What ``dev`` and ``sk`` are the place of may be another thing."""
    event = drops.reserve(Drop)
    if event is None:
        return
    event.reason = reason
    event.location = location
    event.length = skb.len
    ethertype = skb.protocol
    event.ethertype = ethertype
    dev = skb.dev
    if u64(dev) >= KERNEL:
        event.ifindex = u32(dev.ifindex)
        event.netns = dev.nd_net.net.ns.inum
    else:
        event.ifindex = u32(skb.skb_iif)
    if sk >= KERNEL:
        put_socket(event, SOCK(sk))
    header = u64(skb.head) + skb.network_header
    if ethertype == IPV4:
        put_v4(event, header)
    elif ethertype == IPV6:
        put_v6(event, header)
    event.submit()


@inline
def put_socket(event, sk):
    """Put whose socket a packet is for, or from, into an event."""
    common = sk.__sk_common
    event.netns = common.skc_net.net.ns.inum
    if common.skc_state not in SMALL:
        event.cgroup = sk.sk_cgrp_data.cgroup.kn.id


@inline
def put_v4(event, header: u64):
    """Put what an IPv4 header says into an event."""
    ip = Ip4()
    probe_read_kernel(ip, header)
    if ip.version >> 4 != 4:
        return
    event.family = INET
    if ip.length:
        event.length = ip.length
    event.protocol = ip.protocol
    for i in range(4):
        event.saddr[i] = ip.source[i]
        event.daddr[i] = ip.destination[i]
    if ip.fragment & FRAGMENT == 0:
        put_ports(event, ip.protocol, header + (ip.version & 15) * 4)


@inline
def put_v6(event, header: u64):
    """Put what an IPv6 header says into an event; behind extension headers no port is looked for."""
    ip = Ip6()
    probe_read_kernel(ip, header)
    if ip.version >> 4 != 6:
        return
    event.family = INET6
    if ip.length:
        event.length = ip.length + Ip6.size
    event.protocol = ip.next
    event.saddr = ip.source
    event.daddr = ip.destination
    put_ports(event, ip.next, header + Ip6.size)


@inline
def put_ports(event, protocol: u8, header: u64):
    """Put the ports of a transport header into an event, where the protocol has ports."""
    if protocol not in (TCP, UDP, SCTP, UDPLITE):
        return
    ports = Ports()
    probe_read_kernel(ports, header)
    event.sport = ports.source
    event.dport = ports.destination
