"""Programs with bit fields and unions: in packets, on the stack, in maps."""

import skep
from skep import Global, Hash, Struct, Union, be32, bits, s16, s32, s64, u8, u16, u32, u64
from tests.kernel.lang.both import Given


class Header(Struct):
    """The start of an IPv4 header, and odd bits."""

    ihl: u8 = bits(4)
    version: u8 = bits(4)
    tos: u8
    signed: s16 = bits(5)
    rest: s16 = bits(11)
    a: u32 = bits(20)
    b: u32 = bits(12)
    long: u64 = bits(33)
    more: u64 = bits(31)


class Address(Union):
    """An address, in several ways."""

    v4: be32
    v6: u8[16]
    words: u16[8]
    header: Header


class Peer(Struct):
    """A key."""

    port: u16
    address: Address


class Ways(Struct):
    """Arrays whose lengths are no powers of two."""

    counts: s16[6]
    addresses: Address[3]  # type: ignore[type-arg, valid-type]


kept = Global(Header)
totals = Global(Ways)
peers = Hash(Peer, Address, 8)


@skep.xdp
def reads_bits(ctx):
    """Bit fields of a packet."""
    v = ctx.view(Header, 20)
    if v is None:
        return 0
    n = u64(v.ihl) + v.version * 10 + v.tos
    total = s32(v.signed) * 3 + v.rest
    n += v.a ^ v.b
    n += v.long + v.more
    return total + s32(u32(n & 0xFFFFFFFF))


@skep.xdp
def writes_bits(ctx):
    """Bit fields are set, and change in place; what is beside them stays."""
    v = ctx.view(Header, 64)
    g = ctx.view(Given)
    if v is None or g is None:
        return 0
    v.ihl = 5
    v.version = g.e
    v.version += 3
    v.signed = g.b
    v.signed -= 20
    v.rest = -1
    v.long = g.a
    v.more ^= g.a
    v.a -= 1
    local = Header(version=4, ihl=g.f, b=g.c, signed=-3)
    local.b += 4000
    kept.more = local.b
    kept.long = g.a
    kept.tos = local.version
    return s32(local.ihl * 1000 + local.b) + local.signed + s32(u32(kept.long & 0xFFFF))


@skep.xdp
def shares(ctx):
    """What is written to one field of a union is read from the others."""
    g = ctx.view(Given)
    if g is None:
        return 0
    address = Address(v4=g.b)
    address.words[3] = g.d
    address.v6[15] = g.e
    address.header.version = 9
    peer = Peer(port=g.d, address=address)
    peer.address.words[1] += 1
    peers[peer] = address
    found = peers.lookup(peer)
    if found is None:
        return 1
    found.v4 += 256
    g.out[:16] = found.v6
    g.out[16:32] = peer.address.v6
    return s32(found.v4 + found.header.ihl + peer.address.v6[15])


@skep.xdp
def remainders_as_indices(ctx):
    """A remainder bounds an index, of which the verifier knows nothing by itself."""
    g = ctx.view(Given)
    if g is None:
        return 0
    ways, places = Ways(), s32(g.b) - 50
    ways.counts[g.b % 5] = 3
    ways.counts[places % 5] += 4
    ways.counts[1 + places % 3] += 5
    ways.addresses[g.c % 3].v4 = g.b
    totals.counts[s64(places) * 7 % 6] += 1
    near = ctx.view(u8, 64 + places % 50)
    if near is None:
        return 1
    way = ways.addresses[g.e % 3]
    way.v6[15] += near
    g.out[:16] = ways.addresses[1].v6
    total = 0
    for count, other in zip(ways.counts, totals.counts, strict=True):
        total = total * 3 + count + other
    return total


@skep.xdp
def chosen_by_a_bit(ctx):
    """One of two fields, by a bit: LLVM would read where it works it out, the verifier wants a known place."""
    peer, g = ctx.view(Address), ctx.view(Given)
    if peer is None or g is None:
        return 0
    return peer.words[1] if g.b & 1 else peer.words[0]


@skep.tp_btf("inet_sock_set_state")
def chosen_of_a_socket(sk, old, new):
    """The same of an object of the kernel."""
    ends = sk.__sk_common
    totals.counts[0] = s16(old)
    totals.addresses[0].v4 = ends.skc_daddr if not new & 4 else ends.skc_rcv_saddr


ALL = (reads_bits, writes_bits, shares, remainders_as_indices, chosen_by_a_bit)
