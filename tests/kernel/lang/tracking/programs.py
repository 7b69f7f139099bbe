"""Programs that look up tracked connections: functions that a module has, or the kernel where that is built in."""

import skep
from skep import Hash, Struct, be16, be32, s32, u8, u32

MISSING = 77
TCP, CURRENT, CONFIRMED, OPEN_MS = 6, -1, 1 << 3, 60_000
DESTINATION, TRANSLATED = 1, 1 << 5
xdp_alloc = skep.kfunc("nf_conntrack:bpf_xdp_ct_alloc")
xdp_lookup = skep.kfunc("nf_conntrack:bpf_xdp_ct_lookup")
skb_lookup = skep.kfunc("nf_conntrack:bpf_skb_ct_lookup")
insert = skep.kfunc("nf_conntrack:bpf_ct_insert_entry")
set_timeout = skep.kfunc("nf_conntrack:bpf_ct_set_timeout")
release = skep.kfunc("nf_conntrack:bpf_ct_release")
set_nat = skep.kfunc("nf_nat:bpf_ct_set_nat_info")


class Ends(Struct):
    """What the kernel calls ``bpf_sock_tuple``: the ends of a connection."""

    source: be32
    destination: be32
    source_port: be16
    destination_port: be16


class Translated(Struct):
    """What the kernel calls ``nf_inet_addr``."""

    v4: be32
    rest: u32[3]


class Asked(Struct):
    """What the kernel calls ``bpf_ct_opts``."""

    netns: s32
    error: s32
    protocol: u8
    direction: u8
    zone: u8[2]


marks = Hash(u32, u32, 16)


@skep.xdp
def opens(ctx):
    """A connection, as if it had been seen."""
    if xdp_alloc is None:
        return MISSING
    asked, tuple_ = Asked(netns=CURRENT, protocol=TCP), Ends(0x0A000001, 0x0A000002, len(ctx), 443)
    fresh = xdp_alloc(ctx, tuple_, asked)
    if fresh is None:
        return -asked.error
    set_timeout(fresh, OPEN_MS)
    fresh.ct.mark = 5
    entry = insert(fresh)
    if entry is None:
        return 1
    release(entry)
    return 2


@skep.xdp
def finds(ctx):
    """Its mark, one higher each time."""
    if xdp_lookup is None:
        return MISSING
    asked, tuple_ = Asked(netns=CURRENT, protocol=TCP), Ends(0x0A000001, 0x0A000002, len(ctx), 443)
    entry = xdp_lookup(ctx, tuple_, asked)
    if entry is None:
        return -asked.error
    if entry.status & CONFIRMED:
        entry.mark += 1
    marks[len(ctx)] = entry.mark
    release(entry)
    return 2


@skep.tc("ingress")
def finds_in_tc(ctx):
    """The same of a packet of tc."""
    if skb_lookup is None:
        return MISSING
    asked, tuple_ = Asked(netns=CURRENT, protocol=TCP), Ends(0x0A000001, 0x0A000002, len(ctx), 443)
    entry = skb_lookup(ctx, tuple_, asked)
    if entry is None:
        return -asked.error
    entry.mark += 10
    marks[len(ctx)] = entry.mark
    release(entry)
    return 2


@skep.xdp
def translates(ctx):
    """Memory of the program's own where a struct of numbers is wanted: a connection with another destination."""
    if xdp_alloc is None or set_nat is None:
        return MISSING
    asked, tuple_ = Asked(netns=CURRENT, protocol=TCP), Ends(0x0A000001, 0x0A000002, len(ctx), 443)
    fresh = xdp_alloc(ctx, tuple_, asked)
    if fresh is None:
        return -asked.error
    set_timeout(fresh, OPEN_MS)
    failed = set_nat(fresh, Translated(v4=0x0A000003), 8443, DESTINATION)
    entry = insert(fresh)
    if entry is None:
        return 1
    translated = entry.status & TRANSLATED
    release(entry)
    return 2 if failed == 0 and translated else 3


ALL = (opens, finds, finds_in_tc)
