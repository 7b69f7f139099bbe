"""TCP connections that are opened, accepted and closed: fills the ring ``connections``.

Runs in the kernel when a TCP socket changes its state and when a connection is taken from its
listener; where programs may not watch that function, when accept(2) returns and when io_uring has
completed a request. It never runs for a packet. A map holds the connections that are open, by the address of
their socket: who they belong to, which is known only while that process calls, and since when. Where
that was not seen, it is the process that ends the connection; where none does, its socket still tells
user and cgroup. Of Multipath TCP each subflow is a connection.
"""

from skep.flows.programs.owners import (
    INET,
    INET6,
    get_current_task_btf,
    put_addresses,
    put_current,
    put_owner,
    put_socket_owner,
)
from skep.flows.programs.records import (
    FAILED,
    PROCESS_UNKNOWN,
    START_UNKNOWN,
    Accept,
    Close,
    Connect,
)
from skep.lang.decorators.tracing import fexit, tp_btf, tracepoint
from skep.lang.helpers import HELPERS
from skep.lang.kernel_names import kernel_struct
from skep.lang.maps import LruHash, Ring
from skep.lang.programs import inline
from skep.lang.struct import Struct
from skep.lang.types import char, s64, u16, u32, u64


class Connection(Struct):
    """An open connection: the process (0: not known yet), ``opened`` by it (OWN) or by the peer (0).

    Or an attempt that has failed before its first segment, TOLD of while the call that made it goes on.
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

OWN, TOLD = 1, 2

# enum of include/net/tcp_states.h
ESTABLISHED, SYN_SENT, SYN_RECV, CLOSED, LISTEN = 1, 2, 3, 7, 10
FIN_SENT = (4, 5, 9, 11)
"""FIN_WAIT1, FIN_WAIT2, LAST_ACK, CLOSING."""
ENDING = (4, 9)
"""FIN_WAIT1, LAST_ACK: a socket gets there by a call of shutdown(2) or close(2)."""
TCP, MPTCP = 6, 262
SOCK_DONE = 1 << 1
"""Bit of skc_flags: the peer's FIN was received (enum sock_flags)."""

EADDRNOTAVAIL = 99
IORING_OP_ACCEPT = 13
PF_KTHREAD = 1 << 21

SOCKET = kernel_struct("socket")
SOCK = kernel_struct("sock")
MPTCP_SOCK = kernel_struct("mptcp_sock")
REQUEST = kernel_struct("io_kiocb")

ktime_get_boot_ns = HELPERS["ktime_get_boot_ns"]
skc_to_tcp_sock = HELPERS["skc_to_tcp_sock"]


@tp_btf("inet_sock_set_state")
def on_state(sk, old, new):
    """A socket of TCP, SCTP or DCCP changes its state."""
    if sk.sk_protocol != TCP:
        return
    if new == SYN_SENT:
        begun = Connection(opened=OWN)
        put_current(begun)
        open_now.update(u64(sk), begun)
    elif new == SYN_RECV and old == LISTEN:
        open_now.update(u64(sk), Connection())
    elif new == ESTABLISHED:
        established(sk, old)
    elif new in ENDING:
        ending(sk)
    elif new == CLOSED and old not in (CLOSED, LISTEN):
        closed(sk, old)


@fexit("inet_csk_accept")
def on_accepted(listener, result):
    """The kernel took a connection from a listener's queue, for whoever asked, and in whatever way."""
    accepted(u64(result))


@tracepoint("syscalls/sys_exit_accept4")
def on_accept4(context):
    """A call of accept4 is over."""
    accepted(subflow(given(context.ret)))


@tracepoint("syscalls/sys_exit_accept")
def on_accept(context):
    """A call of accept is over."""
    accepted(subflow(given(context.ret)))


@tracepoint("syscalls/sys_exit_accept4")
def on_accept4_plain(context):
    """The same, for a kernel without Multipath TCP."""
    accepted(given(context.ret))


@tracepoint("syscalls/sys_exit_accept")
def on_accept_plain(context):
    """The same, for a kernel without Multipath TCP."""
    accepted(given(context.ret))


@tp_btf("io_uring_complete")
def on_io_uring(ring, request, completion):
    """Since Linux 6.16: a request of io_uring is done."""
    completed(u64(request), completion.res)


@tp_btf("io_uring_complete")
def on_io_uring_before(ring, request, user_data, result):
    """Before 6.16."""
    completed(u64(request), result)


def established(sk, old):
    """The handshake is over. An own connection is told; the peer's when its process is known."""
    found = open_now.lookup(u64(sk))
    begun = found is not None and found.since == 0
    own = found is not None and found.opened == OWN
    if old == SYN_SENT or (old == SYN_RECV and begun and own):
        if found is not None:
            found.since = ktime_get_boot_ns()
        connected(sk, sk.__sk_common.skc_num, 0, 0)
    elif old == SYN_RECV:
        if found is not None and begun:
            found.since = ktime_get_boot_ns()
        else:
            open_now.update(u64(sk), Connection(since=ktime_get_boot_ns()))


def ending(sk):
    """Who ends a connection has it: the process, where none was seen before, and it is no kernel thread."""
    if get_current_task_btf().flags & PF_KTHREAD:
        return
    found = open_now.lookup(u64(sk))
    if found is None:
        late = Connection()
        put_current(late)
        open_now.update(u64(sk), late)
    elif found.pid == 0:
        put_current(found)


def connected(sk, sport: u16, flags: u32, error: u16):
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
    event.error = error
    event.submit()


def closed(sk, old):
    """A socket is given up: the end of a connection, or of an attempt. Its port is so already."""
    tcp = skc_to_tcp_sock(sk)
    if tcp is None:
        return
    sport = tcp.inet_conn.icsk_inet.inet_sport
    if old == SYN_SENT:
        connected(sk, sport, FAILED, failure(sk, tcp))
    found = open_now.lookup(u64(sk))
    if old == SYN_SENT:
        if found is not None and tcp.write_seq == 0:
            found.opened = TOLD
        else:
            open_now.delete(u64(sk))
        return
    if old == SYN_RECV and (found is None or found.pid == 0):
        open_now.delete(u64(sk))
        return
    event = connections.reserve(Close)
    if event is not None:
        flags: u32 = 0
        event.duration_ns = 0
        if found is not None and found.since:
            event.duration_ns = event.time - found.since
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
        event.sent_bytes = acknowledged(tcp, syn, old)
        fin = (sk.__sk_common.skc_flags & SOCK_DONE) // SOCK_DONE
        event.received_bytes = tcp.bytes_received - fin
        event.srtt_us = tcp.srtt_us >> 3
        event.retransmits = tcp.total_retrans
        event.submit()
    open_now.delete(u64(sk))


@inline
def failure(sk, tcp):
    """The errno with which an attempt failed; 0 where its process gave it up.

    Where the kernel has no port for it, it tells nobody but connect(2), and no sequence has begun.
    """
    error = u16(sk.sk_err)
    if error == 0 and tcp.write_seq == 0:
        return u16(EADDRNOTAVAIL)
    return error


@inline
def acknowledged(tcp, syn: u64, state):
    """Bytes of payload that the peer acknowledged: the kernel counts SYN and FIN as bytes too.

    Where it is not known who sent the SYN, what was sent once is the upper bound.
    """
    acked = tcp.bytes_acked - syn
    if state in FIN_SENT and tcp.snd_una == tcp.write_seq:
        acked -= 1
    return min(acked, tcp.bytes_sent - tcp.bytes_retrans)


@inline
def given(fd: s64):
    """The address of the socket that a call gave to the process as ``fd``; 0 where it gave none."""
    if fd < 0:
        return u64(0)
    return socket_at(fd)


@inline
def socket_at(fd: s64):
    """The address of the socket that a process has as ``fd``; no number of a socket where it is none."""
    task = get_current_task_btf()
    return u64(SOCKET(task.files.fdt.fd[fd].private_data).sk)


@inline
def subflow(address: u64):
    """A socket of Multipath TCP as the one of its first subflow, which the handshake made."""
    if SOCK(address).sk_protocol == MPTCP:
        return u64(MPTCP_SOCK(address).first)
    return address


def completed(request: u64, result: s64):
    """A request of io_uring is done: an accept, or one of many that were asked for at once (0)."""
    if result < 0 or (request and REQUEST(request).opcode != IORING_OP_ACCEPT):
        return
    if u32(result) >= get_current_task_btf().files.fdt.max_fds:
        return
    address = socket_at(result)
    found = open_now.lookup(address)
    if found is not None and found.pid == 0:
        accepted(address)


def accepted(address: u64):
    """A process was given the socket of a connection that a peer opened."""
    if not address:
        return
    sk = SOCK(address)
    found = open_now.lookup(address)
    if found is None:
        if sk.sk_protocol != TCP or sk.__sk_common.skc_family not in (INET, INET6):
            return
        late = Connection()
        put_current(late)
        open_now.update(address, late)
    else:
        put_current(found)
    event = connections.reserve(Accept)
    if event is None:
        return
    put_current(event)
    event.flags = START_UNKNOWN if found is None else 0
    put_addresses(event, sk, sk.__sk_common.skc_num)
    event.submit()
