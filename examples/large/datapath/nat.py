"""Another address and port in a packet, and the checksums that cover them mended by what changed.

The kernel's helpers do it, since they know of checksums that the device is yet to fill in.
"""

import skep
from examples.large.datapath import wire
from skep import Struct, be16, u32
from skep.lang.library.headers import Icmp, Protocol

PSEUDO_HEADER, ZERO_IS_NONE, TWO_BYTES = 0x10, 0x20, 2
TCP_CHECKSUM, UDP_CHECKSUM = 16, 6
IPV4_CHECKSUM = wire.ETHERNET + 10
IPV4_SOURCE, IPV4_DESTINATION = wire.ETHERNET + 12, wire.ETHERNET + 16
IPV6_SOURCE, IPV6_DESTINATION = wire.ETHERNET + 8, wire.ETHERNET + 24
ICMP_CHECKSUM = 2
QUOTED = (
    Icmp.size - wire.ETHERNET
)  # from an ICMP header on, what the start of the packet is from its own on


class Port(Struct):
    number: be16


@skep.inline
def source(ctx, at: u32, old, new):
    """Put the place ``new`` where a packet comes from; ``at`` is its transport header. Whether that went well."""
    return mended(ctx, at, old, new) and placed(ctx, at, IPV4_SOURCE, IPV6_SOURCE, new)


@skep.inline
def destination(ctx, at: u32, old, new):
    """The same where it goes to."""
    return mended(ctx, at, old, new) and placed(
        ctx, at + 2, IPV4_DESTINATION, IPV6_DESTINATION, new
    )


@skep.inline
def mended(ctx, at: u32, old, new):
    """The checksums of what ``new`` replaces: IPv4's header, and TCP or UDP with what they cover of the network."""
    change = skep.csum_diff(old.address.bytes, new.address.bytes, 0)
    tcp = old.protocol == Protocol.TCP
    checksum = at + (u32(TCP_CHECKSUM) if tcp else u32(UDP_CHECKSUM))
    flags = u32(0) if tcp else u32(ZERO_IS_NONE)
    was, becomes = skep.htons(old.port), skep.htons(new.port)
    failed = skep.l4_csum_replace(checksum, 0, change, flags | PSEUDO_HEADER)
    failed |= skep.l4_csum_replace(checksum, was, becomes, flags | TWO_BYTES)
    if old.address.words[2] == wire.MAPPED:
        failed |= skep.l3_csum_replace(IPV4_CHECKSUM, 0, change, 0)
    return failed == 0


@skep.inline
def placed(ctx, port_at: u32, ipv4_at, ipv6_at, new):
    """The address and the port themselves."""
    port = Port(new.port)
    failed = skep.skb_store_bytes(port_at, port, 0)
    if new.address.words[2] == wire.MAPPED:
        failed |= skep.skb_store_bytes(ipv4_at, new.address.bytes[12:16], 0)
    else:
        failed |= skep.skb_store_bytes(ipv6_at, new.address.bytes, 0)
    return failed == 0


@skep.inline
def quoted(ctx, at: u32, inside: u32, old, new):
    """The destination of the packet that the ICMP error at ``at`` is about, whose transport header is at ``inside``.

    The checksum of the error covers all of it. That of a quoted transport header is left: nobody looks at it.
    """
    change = skep.csum_diff(old.address.bytes, new.address.bytes, 0)
    was, becomes = skep.htons(old.port), skep.htons(new.port)
    start = at + QUOTED
    failed = skep.l4_csum_replace(at + ICMP_CHECKSUM, was, becomes, TWO_BYTES)
    if (
        old.address.words[2] == wire.MAPPED
    ):  # what its header's checksum changes by makes up for the address
        failed |= skep.l3_csum_replace(start + IPV4_CHECKSUM, 0, change, 0)
    else:
        failed |= skep.l4_csum_replace(at + ICMP_CHECKSUM, 0, change, 0)
    stored = placed(ctx, inside + 2, start + IPV4_DESTINATION, start + IPV6_DESTINATION, new)
    return failed == 0 and stored
