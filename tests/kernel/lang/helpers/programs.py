"""Programs that call helpers of packets and of text, well and badly, and write down what these say."""

import skep
from skep import Struct, s64, u8, u16, u32


class Told(Struct):
    """What helpers said, at the end of a packet's first bytes."""

    results: s64[8]
    data: u8[16]


class Change(Struct):
    """Words before and after, for checksums."""

    words: u32[2]


HEAD = 14


def folded(total: s64):
    """A sum of 16 bits, whatever length the kernel gave it."""
    low = u32(total)
    half = (low & 0xFFFF) + (low >> 16)
    return s64((half & 0xFFFF) + (half >> 16))


@skep.tc("ingress")
def bytes_of_an_skb(ctx):
    told = Told()
    told.results[0] = skep.skb_load_bytes(2, told.data[:8])
    told.results[1] = skep.skb_load_bytes(4000, told.data[8:12])
    told.results[2] = skep.skb_load_bytes_relative(2, told.data[12:14], 2, 1)
    told.results[3] = skep.skb_load_bytes_relative(2, told.data[14:], 2, 0)
    told.results[4] = skep.skb_store_bytes(100, told.data[:4], 4, 0)
    told.results[5] = skep.skb_store_bytes(4000, told.data[:4], 4, 0)
    told.results[6] = skep.skb_store_bytes(100, told.data[:4], 4, 1 << 8)
    told.results[7] = skep.skb_load_bytes_relative(0, told.data[14:], 2, 7)
    skep.skb_store_bytes(HEAD, told, 0)
    return 2


NUMBER = "-12ab"


@skep.tc("ingress")
def text_that_is_written_out(ctx):
    told = Told()
    told.results[0] = skep.skb_store_bytes(100, "ab", 0)
    told.results[1] = skep.skb_store_bytes(110, b"\x01\0\x03", 0)
    told.results[2] = skep.skb_store_bytes(120, "abcdef", 2, 0)
    told.results[3] = skep.strtol(NUMBER, 10, told.results[4:5])
    told.results[5] = skep.strtol(b"77777", 2, 8, told.results[6:7])
    skep.skb_store_bytes(HEAD, told, 0)
    return 2


@skep.cgroup("skb_egress")
def bytes_of_a_cgroups_packet(ctx):
    told = Told()
    told.results[0] = skep.skb_load_bytes(2, told.data[:8])
    told.results[1] = skep.skb_load_bytes_relative(2, told.data[12:14], 2, 1)
    same = told.data[0] == told.data[12] and told.results[0] == told.results[1] == 0
    return same and told.data[0] & 1 == 1


@skep.tc("ingress")
def lengths_of_an_skb(ctx):
    told = Told()
    told.results[0] = skep.skb_pull_data(0)
    told.results[1] = skep.skb_pull_data(4000)
    told.results[2] = skep.skb_change_tail(150, 0)
    told.results[3] = skep.skb_change_tail(150, 1)
    told.results[4] = s64(len(ctx))
    told.results[5] = skep.skb_change_head(8, 0)
    told.results[6] = skep.skb_change_head(8, 1)
    told.results[7] = s64(ctx.len)
    skep.skb_store_bytes(HEAD, told, 0)
    return 2


@skep.tc("ingress")
def grows_an_skb(ctx):
    skep.skb_change_tail(220, 0)
    skep.skb_store_bytes(216, Change().words, 8, 0)
    return s64(ctx.len)


@skep.xdp
def bytes_of_an_xdp_packet(ctx):
    told = Told()
    told.results[0] = skep.xdp_load_bytes(2, told.data[:8])
    told.results[1] = skep.xdp_load_bytes(4000, told.data[8:12])
    told.results[2] = skep.xdp_store_bytes(100, told.data[:4])
    told.results[3] = skep.xdp_store_bytes(4000, told.data[:4])
    told.results[4] = skep.xdp_get_buff_len()
    skep.xdp_store_bytes(HEAD, told)
    return 2


@skep.xdp
def lengths_of_an_xdp_packet(ctx):
    told = Told()
    told.results[0] = skep.xdp_adjust_head(4)
    told.results[1] = skep.xdp_adjust_head(4000)
    told.results[2] = skep.xdp_adjust_tail(-10)
    told.results[3] = skep.xdp_adjust_tail(-4000)
    told.results[4] = skep.xdp_adjust_tail(30)
    told.results[5] = skep.xdp_adjust_tail(8000)
    told.results[6] = s64(len(ctx))
    told.results[7] = skep.xdp_adjust_head(-4000)
    skep.xdp_adjust_head(-2)
    skep.xdp_adjust_tail(-1)
    first = ctx.view(u16)
    if first is not None:
        first[0] = 0x0102
    skep.xdp_store_bytes(HEAD, told)
    return 2


@skep.tc("ingress")
def checksums(ctx):
    v = ctx.view(Change, HEAD)
    if v is None:
        return 0
    change, told = Change(), Told()
    change.words = v.words
    told.results[0] = folded(skep.csum_diff(change.words[:1], change.words[1:], 0))
    told.results[1] = folded(skep.csum_diff(change.words[:1], 0, change.words[1:], 4, 0x12345678))
    told.results[2] = folded(skep.csum_diff(change.words[:1], 4, change.words[1:], 0, 7))
    told.results[3] = skep.l3_csum_replace(
        24, change.words[0] & 0xFFFF, change.words[1] & 0xFFFF, 2
    )
    told.results[4] = skep.l3_csum_replace(26, change.words[0], change.words[1], 4)
    told.results[5] = skep.l4_csum_replace(28, 0, told.results[0], 0x10)
    told.results[6] = skep.l4_csum_replace(30, change.words[0], change.words[1], 4 | 0x10 | 0x20)
    told.results[7] = skep.l4_csum_replace(32, change.words[0], change.words[1], 4 | 0x20)
    skep.skb_store_bytes(80, told, 0)
    return 2


@skep.tc("ingress")
def wrong_checksums(ctx):
    told = Told()
    told.results[0] = skep.l3_csum_replace(25, 1, 2, 2)
    told.results[1] = skep.l3_csum_replace(4000, 1, 2, 2)
    told.results[2] = skep.l3_csum_replace(24, 1, 2, 3)
    told.results[3] = skep.l3_csum_replace(24, 1, 2, 0)
    told.results[4] = skep.l3_csum_replace(24, 1, 2, 0x12)
    told.results[5] = skep.l4_csum_replace(24, 1, 2, 0x202)
    told.results[6] = skep.l4_csum_replace(24, 1, 2, 5)
    skep.skb_store_bytes(80, told, 0)
    return 2


@skep.tc("ingress")
def numbers_of_text(ctx):
    v = ctx.view(u8[12], HEAD)
    if v is None:
        return 0
    text, told = u8[12](), Told()
    text[:] = v
    told.results[0] = skep.strtol(text, 0, told.results[1])
    told.results[2] = skep.strtol(text, 16, told.results[3])
    told.results[4] = skep.strtoul(text, 10, told.results[5])
    told.results[6] = skep.strtoul(text, 5, told.results[7])
    skep.skb_store_bytes(80, told, 0)
    return 2


@skep.tc("ingress")
def ways_out(ctx):
    return skep.redirect(1, 4) * 100 + skep.redirect(1, 0)
