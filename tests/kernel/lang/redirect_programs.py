"""Programs that send packets and data elsewhere, by map."""

import skep
from skep import (
    Array,
    CpuMap,
    DevHash,
    DevMap,
    ReuseportArray,
    SockHash,
    SockMap,
    Struct,
    XskMap,
    be16,
    s32,
    u8,
    u32,
)

PASS, DROP, REDIRECT = 2, 1, 4
OURS = 0x88B5
INGRESS = 1
STEERED = 7777
CONNECTED, ACCEPTED = 4, 5


class Ethernet(Struct):
    destination: u8[6]
    source: u8[6]
    type: be16


devices = DevMap(5)
by_index = DevHash(4)
cpus = CpuMap(4)
queues = XskMap(4)


@skep.xdp
def to_device(ctx):
    eth = ctx.view(Ethernet)
    if eth is None or eth.type != OURS:
        return PASS
    return devices.redirect(eth.source[5], DROP)


@skep.xdp(at="devmap")
def marks(ctx):
    eth = ctx.view(Ethernet)
    if eth is not None:
        eth.source[0] = 7
    return PASS


@skep.xdp
def to_known_device(ctx):
    key = u32(len(ctx))
    if key not in by_index:
        return PASS
    device = by_index.lookup(key)
    if device is None or device.ifindex != key:
        return DROP
    return by_index.redirect(key)


@skep.xdp
def to_cpu(ctx):
    return cpus.redirect(len(ctx) & 3, PASS)


@skep.xdp
def to_queue(ctx):
    return queues.redirect(ctx.rx_queue_index, PASS)


sockets = SockMap(4)
by_port = SockHash(u32, 8)
results = Array(s32, 2)


@skep.sk_msg
def to_other(ctx):
    return sockets.redirect(ctx, 0, INGRESS)


@skep.sk_msg
def to_port(ctx):
    return by_port.redirect(ctx, ctx.local_port, INGRESS)


@skep.sk_skb("verdict")
def onward(ctx):
    return sockets.redirect(ctx, 0)


@skep.sk_skb("verdict")
def onward_by_port(ctx):
    return by_port.redirect(ctx, ctx.local_port)


@skep.sockops
def keeps(ctx):
    if ctx.op == CONNECTED:
        results[0] = sockets.update(ctx, 3) + 1
    if ctx.op == ACCEPTED:
        results[1] = by_port.update(ctx, ctx.local_port) + 1
        by_port.delete(ctx.local_port)
    return 1


@skep.sk_lookup
def steers(ctx):
    if ctx.local_port == STEERED:
        results[0] = sockets.assign(ctx, 0)
        results[1] = by_port.assign(ctx, ctx.local_port)
    return 1


group = ReuseportArray(4)


@skep.sk_reuseport()
def second(ctx):
    return 1 if group.select(ctx, 1) == 0 else 0
