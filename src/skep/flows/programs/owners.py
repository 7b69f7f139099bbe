"""Whose a connection is and between which ends: what its events and the map of open ones get.

The process that runs is whose it is only while that process calls; a socket itself tells user and cgroup.
"""

from skep.lang.helpers import HELPERS
from skep.lang.programs import inline
from skep.lang.types import u8, u16, u32

INET, INET6 = 2, 10
MAPPED = 0xFFFF

get_current_task_btf = HELPERS["get_current_task_btf"]


@inline
def put_current(place):
    """Put the current process into an event or a Connection."""
    task = get_current_task_btf()
    place.pid = task.tgid
    place.uid = task.real_cred.uid.val
    place.cgroup = task.cgroups.dfl_cgrp.kn.id
    place.comm = task.group_leader.comm


@inline
def put_owner(event, connection):
    """Put the process of a Connection into an event."""
    event.pid = connection.pid
    event.uid = connection.uid
    event.cgroup = connection.cgroup
    event.comm = connection.comm


@inline
def put_socket_owner(event, sk):
    """Put what a socket tells of its owner into an event."""
    event.uid = sk.sk_uid.val
    event.cgroup = sk.sk_cgrp_data.cgroup.kn.id


@inline
def put_addresses(event, sk, sport: u16):
    """Put both ends into an event. An IPv4 address that an IPv6 socket uses is an IPv4 address."""
    common = sk.__sk_common
    event.sport = sport
    event.dport = common.skc_dport
    peer = common.skc_v6_daddr.in6_u.u6_addr32
    if common.skc_family == INET6 and (peer[0] != 0 or peer[1] != 0 or peer[2] != MAPPED):
        event.family = INET6
        event.saddr = common.skc_v6_rcv_saddr.in6_u.u6_addr8
        event.daddr = common.skc_v6_daddr.in6_u.u6_addr8
    else:
        event.family = INET
        put_v4(event.saddr, common.skc_rcv_saddr)
        put_v4(event.daddr, common.skc_daddr)


@inline
def put_v4(place, address: u32):
    """Put an IPv4 address into the first four of the bytes of ``place``."""
    place[0] = u8(address >> 24)
    place[1] = u8(address >> 16)
    place[2] = u8(address >> 8)
    place[3] = u8(address)
