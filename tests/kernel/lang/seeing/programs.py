"""Programs that see memory as a type of their own: parts of arrays, values, metadata, elements of maps, a socket's."""

import skep
from skep import Array, Hash, Struct, StructOps, be16, be32, u8, u16, u32, u64
from tests.kernel.lang.both import Given


class Ends(Struct):
    """What lies in bytes that were copied."""

    source: be16
    destination: be16
    sequence: be32


class Halves(Struct):
    """A number of 8 bytes in two."""

    low: u32
    high: u32


wide = Array(u64, 1)


@skep.xdp
def seen_as_others(ctx):
    """An array as a Struct, a part of it as a number, a Struct as an array, a value in two halves; each is in place."""
    v, number = ctx.view(Given), wide.lookup(0)
    if v is None or number is None:
        return 0
    data = u8[16]()
    data[:] = v.data[:16]
    ends = data.view(Ends)
    ends.source += 1
    number[0] = v.a
    halves = number.view(Halves)
    halves.high ^= halves.low
    v.out[:8] = ends.view(u8[8])
    v.out[8:16] = number.view(u8[8])
    v.out[16:].view(u32)[0] = v.data[4:].view(be32)[0]
    whole = v.view(u16[8])
    return whole[4] + data[8:10].view(be16)[0]


class Told(Struct):
    """What an XDP program tells those behind it."""

    mark: u32
    hash: u32


@skep.xdp
def tells_before_the_packet(ctx):
    """Room before the packet is filled; what lies behind its end is not there."""
    if skep.xdp_adjust_meta(-8) != 0:
        return 1
    told = ctx.metadata(Told)
    if told is None or ctx.metadata(u64, 4) is not None:
        return 1
    told.mark, told.hash = 7, len(ctx)
    last = ctx.metadata(u32, 4)
    return 2 if last is not None and last == 64 and ctx.metadata(u64) is not None else 1


@skep.tc("ingress")
def reads_before_the_packet(ctx):
    """What was told, as another program sees it."""
    told = ctx.metadata(Told)
    return 0 if told is None else told.mark + told.hash


class Count(Struct):
    """A value of a map."""

    hits: u64
    seen: u32


counts = Hash(u32, Count, 16)


@skep.xdp
def fills(ctx):
    """Two values."""
    counts[5], counts[6] = Count(20), Count(4)
    return 2


@skep.iterator("bpf_map_elem")
def doubles(ctx):
    """Each value of a map changes in place."""
    key, value = ctx.key.view(u32), ctx.value.view(Count)
    if key is None or value is None:
        return 0
    value.hits *= 2
    value.seen = key
    print(f"{key:d} {value.hits}", file=ctx.meta.seq)
    return 0


class Private(Struct):
    """What a congestion control keeps in its sockets."""

    acks: u32
    most: u32
    first: u64


@skep.struct_ops("tcp_congestion_ops.init")
def begins(sk):
    mine = sk.inet_conn.icsk_ca_priv.view(Private)
    mine.acks, mine.most, mine.first = 0, sk.snd_cwnd, skep.ktime_get_ns()


@skep.struct_ops("tcp_congestion_ops.ssthresh")
def halves(sk):
    return max(sk.snd_cwnd // 2, 2)


@skep.struct_ops("tcp_congestion_ops.undo_cwnd")
def restores(sk):
    mine = sk.inet_conn.icsk_ca_priv.view(Private)
    return max(sk.snd_cwnd, mine.most)


acked = Array(u64, 2)


@skep.struct_ops("tcp_congestion_ops.cong_avoid")
def grows(sk, ack, count):
    mine = sk.inet_conn.icsk_ca_priv.view(Private)
    mine.acks += count
    mine.most = max(mine.most, sk.snd_cwnd)
    sk.snd_cwnd = min(sk.snd_cwnd + 1, 50)
    acked.increment(0, mine.acks)
    if mine.first != 0:
        acked.increment(1)


private = StructOps(
    "tcp_congestion_ops",
    name="skep_private",
    init=begins,
    ssthresh=halves,
    undo_cwnd=restores,
    cong_avoid=grows,
)
