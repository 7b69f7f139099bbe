"""Ends of one connection as each kind of program sees them: addresses and ports are ordinary numbers in all."""

import skep
from skep import Array, SockMap, Struct, be16, be32, u16, u32

NEAR, FAR = 0x7F000001, 0x7F000002
NEAR_PORT, FAR_PORT = 0x1357, 0x1234
ACTIVE, SYN_SENT = 4, 2


class Ends(Struct):
    """Both ends, as numbers and as they lie in a packet."""

    near: u32
    far: u32
    near_port: u16
    far_port: u16
    lies: be32
    port_lies: be16
    seen: u16


EVENTS, OPERATIONS, PACKETS, MESSAGES, STREAM, CONNECTS = range(6)
ends = Array(Ends, 6)
sockets = SockMap(4)


@skep.tp_btf("inet_sock_set_state")
def sees_a_socket(sk, old, new):
    common = sk.__sk_common
    here = ends.lookup(EVENTS)
    mine = common.skc_daddr == FAR and common.skc_dport == FAR_PORT
    if here is None or new != SYN_SENT or not mine:
        return
    here.near, here.far = common.skc_rcv_saddr, common.skc_daddr
    here.near_port, here.far_port = common.skc_num, common.skc_dport
    here.lies, here.port_lies = common.skc_daddr, common.skc_dport
    here.seen += 1


def told(here, ctx):
    """The ends of a context that has both."""
    here.near, here.far, here.lies = ctx.local_ip4, ctx.remote_ip4, ctx.remote_ip4
    here.near_port, here.far_port = u16(ctx.local_port), u16(ctx.remote_port)
    here.port_lies = u16(ctx.remote_port)
    here.seen += ctx.remote_port == FAR_PORT


@skep.sockops
def sees_an_operation(ctx):
    here = ends.lookup(OPERATIONS)
    if here is not None and ctx.op == ACTIVE:
        told(here, ctx)
    return 1


@skep.sk_msg
def sees_a_message(ctx):
    here = ends.lookup(MESSAGES)
    if here is None:
        return skep.msg_redirect_map(sockets, 1, 1)
    told(here, ctx)
    return 1


@skep.sk_skb("verdict")
def sees_a_stream(ctx):
    here = ends.lookup(STREAM)
    if here is not None:
        told(here, ctx)
    return 1


@skep.cgroup("skb_egress")
def sees_a_packet(ctx):
    sk, here = ctx.sk, ends.lookup(PACKETS)
    if here is None or sk is None:
        return 1
    whole = skep.sk_fullsock(sk)
    if whole is None or whole.dst_port != FAR_PORT:
        return 1
    here.near, here.far = whole.src_ip4, whole.dst_ip4
    here.near_port, here.far_port = u16(whole.src_port), whole.dst_port
    here.lies, here.port_lies = whole.dst_ip4, whole.dst_port
    here.seen += ctx.protocol == 0x0800
    return 1


@skep.cgroup("connect4")
def sees_a_connect(ctx):
    here = ends.lookup(CONNECTS)
    if here is None or ctx.user_port != FAR_PORT:
        return 1
    here.near, here.far, here.near_port = NEAR, ctx.user_ip4, u16(NEAR_PORT)
    here.far_port = ctx.user_port
    here.lies, here.port_lies = ctx.user_ip4, ctx.user_port
    here.seen += 1
    ctx.user_ip4 = FAR
    ctx.user_port = FAR_PORT
    return 1


@skep.tc("ingress")
def sees_an_ethertype(ctx):
    return 2 if ctx.protocol == 0x0806 else 0
