"""Sockets: functions for programs that are given a ``struct sock`` of TCP or UDP."""

from typing import Any

from skep.lang.forms import Address
from skep.lang.struct import Struct
from skep.lang.types import u8, u16, u32

INET, INET6, LISTEN = 2, 10, 10
MAPPED = 0xFFFF


class Ends(Struct, forms={"local": Address("family"), "remote": Address("family")}):
    """Both ends of a socket, 40 bytes: ``family`` is 2 for IPv4, whose addresses are the first four bytes, or 10."""

    family: u16
    protocol: u16
    local_port: u16
    remote_port: u16
    local: u8[16]
    remote: u8[16]


def put_ends(ends: Any, sk: Any) -> None:
    """Put both ends of a socket into an Ends. An IPv4 address that an IPv6 socket uses is one of IPv4."""
    common = sk.__sk_common
    ends.protocol = sk.sk_protocol
    ends.local_port = common.skc_num
    ends.remote_port = common.skc_dport
    peer = common.skc_v6_daddr.in6_u.u6_addr32
    own = common.skc_v6_rcv_saddr.in6_u.u6_addr32
    mapped = peer[2] == MAPPED and own[2] in (0, MAPPED) and peer[0] == 0 and peer[1] == 0
    if common.skc_family == INET6 and not mapped:
        ends.family = INET6
        ends.local = common.skc_v6_rcv_saddr.in6_u.u6_addr8
        ends.remote = common.skc_v6_daddr.in6_u.u6_addr8
    else:
        ends.family = INET
        put_ipv4(ends.local, common.skc_rcv_saddr)
        put_ipv4(ends.remote, common.skc_daddr)


def put_ipv4(place: Any, address: u32) -> None:
    """Put an IPv4 address into the first four of the bytes of ``place``."""
    place[0] = u8(address >> 24)
    place[1] = u8(address >> 16)
    place[2] = u8(address >> 8)
    place[3] = u8(address)


def is_listening(sk: Any) -> Any:
    """Whether a socket of TCP waits for connections."""
    return sk.__sk_common.skc_state == LISTEN


def network_namespace(sk: Any) -> Any:
    """The number of a socket's network namespace, that of ``/proc/PID/ns/net``."""
    return u32(sk.__sk_common.skc_net.net.ns.inum)
