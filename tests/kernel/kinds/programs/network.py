"""Programs on packets, messages and sockets; all are attached in a test's own namespaces, to its own sockets."""

import skep
from skep import Array, Global, Hash, Struct, be16, be32, s32, u8, u16, u32, u64
from skep.lang.declared.redirects import CpuMap, DevMap, ReuseportArray, SockMap

counts = Array(u64, 32)
sockets = SockMap(4)
group = ReuseportArray(4)
REFUSED = 7777


class Udp(Struct):
    """A header of UDP."""

    source: be16
    destination: be16
    length: be16
    check: be16


@skep.socket_filter
def keeps_short_ones(ctx):
    """A socket gets the whole of short datagrams, the first bytes of middling ones, and no long ones."""
    counts.increment(0)
    header = Udp()
    skep.skb_load_bytes(0, header)
    if header.length > 208:
        return 0
    if header.length > 108:
        return 8 + 10
    return -1


@skep.xdp(frags=True)
def counts_fragments(ctx):
    whole = skep.xdp_get_buff_len()
    return 1 if whole == 9000 and len(ctx) < whole else 2


@skep.xdp(frags=True)
def measures(ctx):
    """How long a packet is, and how much of it a view reaches."""
    whole = skep.xdp_get_buff_len()
    if whole > 8000:
        counts[20] = whole
        counts[21] = len(ctx)
    return 2


devices = DevMap(2)
processors = CpuMap(2)


@skep.xdp(at="devmap")
def drops_before_a_device(ctx):
    counts.increment(14)
    return 1 if ctx.egress_ifindex else 2


@skep.xdp(at="cpumap")
def drops_on_another_processor(ctx):
    counts.increment(15)
    return 1


@skep.xdp
def redirects(ctx):
    """To the device at 0, or to the CPU at 0 where there is none."""
    if 0 in devices:
        return devices.redirect(0, 2)
    return processors.redirect(0, 2)


@skep.tc("ingress")
def sets_fields(ctx):
    ctx.mark = 7
    ctx.priority = 3
    ctx.tc_index = 5
    ctx.queue_mapping = 2
    ctx.cb[1] = ctx.len
    ctx.tc_classid = 9
    return 0


@skep.tc("egress")
def counts_egress(ctx):
    counts.increment(1)


@skep.sk_lookup
def refuses_a_port(ctx):
    counts.increment(2)
    return 0 if ctx.local_port == REFUSED and ctx.protocol == 6 else 1


@skep.sk_lookup
def steers_a_port(ctx):
    """Connections to one port are for the socket at 0, whatever port that has."""
    if ctx.local_port != REFUSED:
        return 1
    chosen = sockets.lookup(0)
    if chosen is None:
        return 0
    failed = skep.sk_assign(chosen, 0)
    skep.sk_release(chosen)
    return 0 if failed else 1


@skep.sk_reuseport()
def chooses_by_byte(ctx):
    """The first byte of a datagram says which socket of the group gets it."""
    counts.increment(3)
    chosen = ctx.view(u8, 8)
    if chosen is None:
        return 1
    key = u32[1]()
    key[0] = chosen & 3
    return 0 if skep.sk_select_reuseport(group, key, 0) < 0 else 1


@skep.sk_reuseport(migrate=True)
def migrates(ctx):
    """Connections come to the socket at 0, and go on at 1 where that closes before they are accepted."""
    key = u32[1]()
    if ctx.migrating_sk is not None:
        key[0] = 1
    counts.increment(16 + key[0])
    return 0 if skep.sk_select_reuseport(group, key, 0) < 0 else 1


@skep.sk_msg
def sends_elsewhere(ctx):
    """A message that begins with x is dropped, one with r goes to the socket at 1."""
    counts.increment(4)
    first = ctx.view(u8)
    if first is None or len(ctx) != ctx.size:
        return 1
    if first == 114:
        return skep.msg_redirect_map(sockets, 1, 1)
    return 0 if first == 120 else 1


@skep.sk_skb("verdict")
def drops_what_came(ctx):
    """What begins with y is dropped, what begins with s goes out of the socket at 1."""
    counts.increment(5)
    skep.skb_pull_data(1)
    first = ctx.view(u8)
    if first is None:
        return 1
    if first == 115:
        return skep.sk_redirect_map(sockets, 1, 0)
    return 0 if first == 121 else 1


@skep.sk_skb("parser")
def parses(ctx):
    """Messages of four bytes."""
    counts.increment(6)
    return 4 if ctx.len >= 4 else 0


@skep.sk_skb("stream_verdict")
def judges(ctx):
    counts.increment(7)
    first = ctx.view(u8)
    if first is not None and first == 115:
        return skep.sk_redirect_map(sockets, 1, 0)
    return 1


@skep.flow_dissector
def dissects(ctx):
    """It says that all packets are of one connection, and go on at byte 34."""
    kind = ctx.view(be16, 12)
    keys = ctx.flow_keys
    keys.nhoff = 14
    keys.thoff = 34
    keys.ip_proto = 17
    keys.sport = 1000
    keys.dport = 2000
    return 0 if kind is not None else 2


hashes = Hash(u32, u32, 64)


@skep.tc("ingress")
def hashes_flows(ctx):
    """The hash of each datagram of five bytes, made anew."""
    if ctx.protocol == 0x0800 and ctx.len == 14 + 20 + 8 + 5:
        hashes.increment(skep.get_hash_recalc())


@skep.lwt("xmit")
def counts_what_leaves(ctx):
    counts.increment(8)
    first = ctx.view(u8)
    return 2 if first is not None and first >> 4 == 4 else 0


@skep.lwt("out")
def drops_what_leaves(ctx):
    counts.increment(9)
    return 2


@skep.lwt("in")
def drops_what_comes(ctx):
    counts.increment(10)
    return 2


@skep.lwt("seg6local")
def ends_segments(ctx):
    counts.increment(11)
    return 0


@skep.netfilter("input", priority=-10)
def drops_a_port(ctx):
    """UDP to one port is dropped, wherever IP's header ends."""
    counts.increment(12)
    if ctx.state.hook != 1 or ctx.skb.len < 28:
        return 1
    header = Udp()
    base = u64(ctx.skb.head) + ctx.skb.network_header + 20
    skep.probe_read_kernel(header, base)
    return 0 if header.destination == REFUSED else 1


@skep.netfilter("forward", family="ipv6", priority=5)
def drops_what_is_forwarded(ctx):
    """IPv6 of one length, between two other networks."""
    counts.increment(22)
    return 0 if ctx.state.pf == 10 and ctx.skb.len == 40 + 8 + 77 else 1


@skep.netfilter("forward", family="ipv6", priority=4)
def goes_first(ctx):
    counts.increment(23)


class Mine(Struct):
    """Who is meant."""

    pid: u32


mine = Global(Mine)


@skep.raw_tp("bpf_test_finish", writable=True)
def fails_test_runs(error):
    """A test run of the process in ``mine`` ends in an error that this chooses."""
    if u32(skep.get_current_pid_tgid() >> 32) == mine.pid and error[0] == 0:
        error[0] = -18


class Request(Struct):
    """What a loader asks for, and the answer."""

    left: u64
    right: u32
    small: u16
    sum: u64
    pid: u32
    error: s32
    address: be32


@skep.syscall_program()
def answers(ctx: Request):
    ctx.sum = ctx.left + ctx.right
    ctx.small += 1
    ctx.pid = u32(skep.get_current_pid_tgid() >> 32)
    ctx.address = 0x7F000001
    counts.increment(13)
    return 5
