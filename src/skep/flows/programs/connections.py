"""TCP connections that are opened, accepted and closed: fills the ring ``connections``.

Runs in the kernel when a TCP socket changes its state, and when accept(2) returns; never for a packet.
A map holds the connections that are open, by the address of their socket: who they belong to, which is
known only while that process calls, and since when. What began before the programs were attached is
told with marks: which process it is may then be unknown; its socket still tells user and cgroup.
"""

from skep.flows.programs.records import (
    FAILED,
    PROCESS_UNKNOWN,
    START_UNKNOWN,
    Accept,
    Close,
    Connect,
)
from skep.lang.helpers import HELPERS
from skep.lang.intrinsics import htonl, ntohs
from skep.lang.kernel_names import kernel_struct
from skep.lang.maps import LruHash, Ring
from skep.lang.programs import inline, tp_btf, tracepoint
from skep.lang.struct import Struct
from skep.lang.types import char, s64, u8, u16, u32, u64


class Connection(Struct):
    """An open connection: the process (0: not known yet), ``opened`` by it or by the peer.

    ``since`` is 0 before it is established, and where that was not seen.
    """

    since: u64
    cgroup: u64
    pid: u32
    uid: u32
    opened: u32
    unused: u32
    comm: char[16]


connections = Ring(Connect, Accept, Close, name="connections")
open_now = LruHash(u64, Connection, 1 << 16, name="tcp_open")

# enum of include/net/tcp_states.h
ESTABLISHED, SYN_SENT, SYN_RECV, CLOSED, LISTEN = 1, 2, 3, 7, 10
FIN_SENT = (4, 5, 9, 11)
"""FIN_WAIT1, FIN_WAIT2, LAST_ACK, CLOSING."""
TCP = 6
INET, INET6 = 2, 10
MAPPED = htonl(0xFFFF)
SOCK_DONE = 1 << 1
"""Bit of skc_flags: the peer's FIN was received (enum sock_flags)."""

SOCKET = kernel_struct("socket")

get_current_task_btf = HELPERS["get_current_task_btf"]
ktime_get_boot_ns = HELPERS["ktime_get_boot_ns"]
skc_to_tcp_sock = HELPERS["skc_to_tcp_sock"]


@tp_btf("inet_sock_set_state")
def on_state(sk, old, new):
    """A socket of TCP, SCTP or DCCP changes its state."""
    if sk.sk_protocol != TCP:
        return
    if new == SYN_SENT:
        begun = Connection(opened=1)
        put_current(begun)
        open_now.update(u64(sk), begun)
    elif new == ESTABLISHED:
        established(sk, old)
    elif new == CLOSED and old not in (CLOSED, LISTEN):
        closed(sk, old)


@tracepoint("syscalls/sys_exit_accept4")
def on_accept4(context):
    """A call of accept4 is over."""
    accepted(context.ret)


@tracepoint("syscalls/sys_exit_accept")
def on_accept(context):
    """A call of accept is over."""
    accepted(context.ret)


def established(sk, old):
    """The handshake is over. An own connection is told; who accepts the peer's is not known yet."""
    found = open_now.lookup(u64(sk))
    at_once = found is not None and found.opened == 1 and found.since == 0
    if old == SYN_SENT or (old == SYN_RECV and at_once):
        if found is not None:
            found.since = ktime_get_boot_ns()
        connected(sk, sk.__sk_common.skc_num, 0)
    elif old == SYN_RECV:
        by_peer = Connection(since=ktime_get_boot_ns())
        open_now.update(u64(sk), by_peer)


def connected(sk, sport: u16, flags: u32):
    """Tell of a connection that this host opened, or tried to open."""
    event = connections.reserve(Connect)
    if event is None:
        return
    found = open_now.lookup(u64(sk))
    if found is not None:
        put_owner(event, found)
        event.flags = flags
    else:
        put_socket_owner(event, sk)
        event.flags = flags | PROCESS_UNKNOWN | START_UNKNOWN
    put_addresses(event, sk, sport)
    event.error = u16(sk.sk_err) if flags else u16(0)
    event.submit()


def closed(sk, old):
    """A socket is given up: the end of a connection, or of an attempt. Its port is so already."""
    tcp = skc_to_tcp_sock(sk)
    if tcp is None:
        return
    sport = ntohs(tcp.inet_conn.icsk_inet.inet_sport)
    if old == SYN_SENT:
        connected(sk, sport, FAILED)
        open_now.delete(u64(sk))
        return
    found = open_now.lookup(u64(sk))
    if old == SYN_RECV and found is None:
        return
    event = connections.reserve(Close)
    if event is not None:
        flags: u32 = 0
        event.duration = 0
        if found is not None and found.since:
            event.duration = event.time - found.since
        else:
            flags = START_UNKNOWN
        syn: u64 = 0
        if found is not None and found.pid:
            put_owner(event, found)
            syn = found.opened
        else:
            put_socket_owner(event, sk)
            flags |= PROCESS_UNKNOWN
        event.flags = flags
        put_addresses(event, sk, sport)
        event.error = u16(sk.sk_err)
        event.sent = acknowledged(tcp, syn, old)
        fin = (sk.__sk_common.skc_flags & SOCK_DONE) // SOCK_DONE
        event.received = tcp.bytes_received - fin
        event.srtt = tcp.srtt_us >> 3
        event.retransmits = tcp.total_retrans
        event.submit()
    open_now.delete(u64(sk))


@inline
def acknowledged(tcp, syn: u64, state):
    """Bytes of payload that the peer acknowledged: the kernel counts SYN and FIN as bytes too.

    Where it is not known who sent the SYN, what was sent once is the upper bound.
    """
    acked = tcp.bytes_acked - syn
    if state in FIN_SENT and tcp.snd_una == tcp.write_seq:
        acked -= 1
    return min(acked, tcp.bytes_sent - tcp.bytes_retrans)


def accepted(fd: s64):
    """A process was given the socket of a connection that a peer opened."""
    if fd < 0:
        return
    task = get_current_task_btf()
    sk = SOCKET(task.files.fdt.fd[fd].private_data).sk
    found = open_now.lookup(u64(sk))
    if found is None:
        if sk.sk_protocol != TCP or sk.__sk_common.skc_family not in (INET, INET6):
            return
        late = Connection()
        put_current(late)
        open_now.update(u64(sk), late)
    else:
        put_current(found)
    event = connections.reserve(Accept)
    if event is None:
        return
    put_current(event)
    event.flags = START_UNKNOWN if found is None else 0
    put_addresses(event, sk, sk.__sk_common.skc_num)
    event.submit()


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
    event.dport = ntohs(common.skc_dport)
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
    """Put an IPv4 address, in network order, into the first four of the bytes of ``place``."""
    place[0] = u8(address)
    place[1] = u8(address >> 8)
    place[2] = u8(address >> 16)
    place[3] = u8(address >> 24)
