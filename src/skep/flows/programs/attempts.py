"""Connects that fail before the kernel begins them: no route, no address of their own, forbidden.

Such a socket never changes its state, so ``connections`` does not see it: it is the end of the call
that tells. Runs when connect(2) returns, or, where programs may watch it, the kernel's own function
for it, whoever calls that and how. An attempt that had begun is told by its states, and not here: no
sequence of its socket has begun where none was made, nor is it held to be open. A socket that had begun
one before, and tries again, is not told of.
"""

from skep.flows.programs.connections import (
    CLOSED,
    TCP,
    connections,
    open_now,
    socket_at,
    subflow,
)
from skep.flows.programs.owners import (
    INET,
    INET6,
    MAPPED,
    get_current_task_btf,
    put_current,
    put_v4,
)
from skep.flows.programs.records import FAILED, Connect
from skep.lang.decorators.tracing import fexit, tracepoint
from skep.lang.helpers import HELPERS
from skep.lang.kernel_names import kernel_struct
from skep.lang.programs import inline
from skep.lang.struct import Struct
from skep.lang.types import be16, be32, s64, u8, u16, u32, u64

NO_SOCKET = (-9, -88)
"""EBADF, ENOTSOCK: what was given to connect(2) is none."""
STREAM = 1
V4, V6 = 16, 24
"""The least size of an address that connect(2) takes."""

SOCK = kernel_struct("sock")
MPTCP_SOCK = kernel_struct("mptcp_sock")
TCP_SOCK = kernel_struct("tcp_sock")

probe_read_kernel = HELPERS["probe_read_kernel"]
probe_read_user = HELPERS["probe_read_user"]
task_pt_regs = HELPERS["task_pt_regs"]


class Peer(Struct):
    """The begin of a socket address; ``address`` is that of IPv4."""

    family: u16
    port: be16
    address: be32


class Peer6(Struct):
    """What follows it in one of IPv6: the address."""

    words: be32[4]


@fexit("__inet_stream_connect")
def on_connected(sock, uaddr, addr_len, flags, is_sendmsg, result):  # noqa: PLR0917 - the kernel's own
    """The kernel has tried to connect a socket."""
    if result >= 0:
        return
    sk = fresh(first_subflow(u64(sock.sk)))
    if not sk or nested(u64(sock.sk)):
        return
    peer, peer6 = Peer(), Peer6()
    probe_read_kernel(peer, u64(uaddr))
    if peer.family == INET6:
        probe_read_kernel(peer6, u64(uaddr) + Peer.size)
    failed(sk, peer, peer6, addr_len, result)


@tracepoint("syscalls/sys_exit_connect")
def on_connect(context):
    """A call of connect is over. Its arguments are kept until then."""
    if context.ret >= 0 or context.ret in NO_SOCKET:
        return
    registers = task_pt_regs(get_current_task_btf())
    sk = fresh(first_subflow(socket_at(s64(u32(registers.di)))))
    if not sk:
        return
    peer, peer6 = Peer(), Peer6()
    probe_read_user(peer, registers.si)
    if peer.family == INET6:
        probe_read_user(peer6, registers.si + Peer.size)
    failed(sk, peer, peer6, u32(registers.dx), context.ret)


@inline
def first_subflow(address: u64):
    """A socket as what TCP connects; a kernel may be without Multipath TCP."""
    if MPTCP_SOCK is None:
        return address
    return subflow(address)


@inline
def nested(address: u64):
    """Whether this is the attempt of a subflow, in that of its socket, which tells: before Linux 6.4."""
    tcp = TCP_SOCK(address)
    if hasattr(tcp, "is_mptcp"):
        return SOCK(address).sk_protocol == TCP and tcp.is_mptcp != 0
    return False


def fresh(address: u64):
    """The address of a TCP socket with which no attempt has begun, else 0. A raw socket may have TCP's number."""
    sk = SOCK(address)
    common = sk.__sk_common
    if sk.sk_type != STREAM or sk.sk_protocol != TCP or common.skc_family not in (INET, INET6):
        return u64(0)
    if common.skc_state != CLOSED or TCP_SOCK(address).write_seq:
        return u64(0)
    if open_now.lookup(address) is not None:
        open_now.delete(address)
        return u64(0)
    return address


@inline
def failed(address: u64, peer, peer6, size: u32, result: s64):
    """Tell of an attempt that ended with ``result``. Where nothing is an address, there was none."""
    if peer.family not in (INET, INET6) or size < (V4 if peer.family == INET else V6):
        return
    event = connections.reserve(Connect)
    if event is None:
        return
    put_current(event)
    event.flags = FAILED
    event.error = u16(-result)
    common = SOCK(address).__sk_common
    event.sport = common.skc_num
    event.dport = peer.port
    words = peer6.words
    if peer.family == INET:
        event.family = INET
        put_v4(event.saddr, common.skc_rcv_saddr)
        put_v4(event.daddr, peer.address)
    elif words[0] == 0 and words[1] == 0 and words[2] == MAPPED:
        event.family = INET
        put_v4(event.saddr, common.skc_rcv_saddr)
        put_v4(event.daddr, words[3])
    else:
        event.family = INET6
        event.saddr = common.skc_v6_rcv_saddr.in6_u.u6_addr8
        for i in range(16):
            event.daddr[i] = u8(words[i // 4] >> (24 - i % 4 * 8))
    event.submit()
