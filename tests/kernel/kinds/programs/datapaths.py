"""Programs of datapaths, as they run on the devices of a test's own namespaces."""

import skep
from skep import Array, DevMap, Hash, Struct, be16, be32, s32, u8, u16, u32, u64
from skep.lang.library.forwarding import FibFlag, FibLookup, FibResult, RedirNeigh, asks, hops
from skep.lang.library.headers import (
    Arp,
    Ethernet,
    EtherType,
    Icmp,
    IPv4,
    IPv6,
    Protocol,
    Tcp,
    TcpFlag,
    Udp,
    Vxlan,
)
from skep.lang.library.packets import (
    checksum_over_ipv6,
    ethernet,
    header_checksum,
    ipv4,
    ports,
    replaced16,
    tcp_option,
)

counts = Array(u64, 8)
DROP, PASS, TX = 1, 2, 3


@skep.tc("ingress")
def marks(ctx):
    """The first of two."""
    ctx.mark = 7


@skep.tc("ingress")
def counts_marked(ctx):
    if ctx.mark == 7:
        counts.increment(0)
    counts.increment(1)


@skep.netkit("primary")
def leaves_the_node(ctx):
    """What goes to the pod; datagrams to port 7 do not get there."""
    counts.increment(2)
    protocol, at = ipv4(ctx, 14)
    _, port = ports(ctx, protocol, at)
    return 2 if protocol == Protocol.UDP and port == 7 else -1


@skep.netkit("peer")
def leaves_the_pod(ctx):
    counts.increment(3)


VLAN = 5
TRANSLATED = b"\x00\x64\xff\x9b"  # 64:ff9b::/96, behind which IPv4 lies


@skep.tc("egress")
def tags(ctx):
    """What leaves is on a VLAN, of the kind that the mark says."""
    return 2 if skep.skb_vlan_push(u16(ctx.mark) + EtherType.VLAN, VLAN) else 0


@skep.tc("ingress")
def untags(ctx):
    if ctx.vlan_present and ctx.vlan_proto == EtherType.VLAN:
        counts.increment(4, ctx.vlan_tci & 0xFFF)
        skep.skb_vlan_pop()
    return 0


@skep.tc("ingress")
def translates(ctx):
    """Datagrams over IPv6 to addresses behind the prefix go on over IPv4."""
    old = ctx.view(IPv6, 14)
    if ctx.protocol != EtherType.IPV6 or old is None or old.next != Protocol.UDP:
        return 0
    if old.destination[:4] != TRANSLATED:
        return 0
    new = IPv4(version=4, words=5, length=old.length + 20, ttl=old.hops, protocol=old.next)
    new.source = 0x0A63_0063
    for i in range(4):
        new.destination = new.destination << 8 | old.destination[12 + i]
    new.checksum = header_checksum(new)
    if skep.skb_change_proto(EtherType.IPV4, 0) != 0 or skep.skb_store_bytes(14, new, 0) != 0:
        return 2
    counts.increment(5)
    return 0


rx_hash = skep.kfunc("bpf_xdp_metadata_rx_hash")
told = Array(u32, 2)


@skep.xdp(device="wire")
def asks_the_device(ctx):
    """What the device says of a packet: the hash of its flow."""
    number, kind = u32[1](), u32[1]()
    if rx_hash is not None and rx_hash(ctx, number, kind) == 0:
        told[0] = number[0]
        told.increment(1)
    return 2


# --- a router -----------------------------------------------------------------------------------------------------

devices = DevMap(64)


@skep.xdp
def routes(ctx):
    """What the kernel has a route and a neighbour for goes on by itself."""
    route = FibLookup(ifindex=ctx.ingress_ifindex)
    if not asks(ctx, route) or skep.fib_lookup(route, 0) != FibResult.SUCCESS:
        return PASS
    counts.increment(6)
    return devices.redirect(route.ifindex, PASS) if hops(ctx, route) else DROP


@skep.tc("ingress")
def routes_in_tc(ctx):
    """The same for the kernel's own packets, whose neighbour may be looked up later."""
    route = FibLookup(ifindex=ctx.ingress_ifindex)
    if not asks(ctx, route):
        return 0
    found = skep.fib_lookup(route, FibFlag.SKIP_NEIGH)
    if found != FibResult.SUCCESS or not hops(ctx, route):
        return 0
    counts.increment(7)
    hop = RedirNeigh(nh_family=route.family)
    hop.nh.v6 = route.dst.v6
    return skep.redirect_neigh(route.ifindex, hop, 0)


# --- one who answers for others -----------------------------------------------------------------------------------


class Mac(Struct):
    """Where an address is said to be."""

    address: u8[6]


class Solicitation(Struct):
    """A message of neighbour discovery with one option: a hardware address."""

    icmp: Icmp
    target: u8[16]
    option: u8
    units: u8
    address: u8[6]


class V6(Struct):
    """An address as a key."""

    address: u8[16]


SOLICITED, ADVERTISED, TARGET_ADDRESS, IS_SOLICITED = 135, 136, 2, 0x6000
neighbours = Hash(be32, Mac, 4)
neighbours_v6 = Hash(V6, Mac, 4)


@skep.xdp
def answers_for_neighbours(ctx):
    """Requests of ARP."""
    eth, arp = ctx.view(Ethernet), ctx.view(Arp, 14)
    if eth is None or arp is None or eth.type != EtherType.ARP or arp.operation != 1:
        return PASS
    mac = neighbours.lookup(arp.target_ip)
    if mac is None:
        return PASS
    arp.operation, arp.target = 2, arp.sender
    arp.sender_ip, arp.target_ip = arp.target_ip, arp.sender_ip
    arp.sender = mac.address
    eth.destination, eth.source = eth.source, mac.address
    return TX


@skep.xdp
def answers_for_neighbours_v6(ctx):
    """Solicitations of neighbours."""
    eth, ip, asked = ctx.view(Ethernet), ctx.view(IPv6, 14), ctx.view(Solicitation, 54)
    if eth is None or ip is None or asked is None or eth.type != EtherType.IPV6:
        return PASS
    if ip.next != Protocol.ICMPV6 or ip.hops != 255 or asked.icmp.type != SOLICITED:
        return PASS
    mac = neighbours_v6.lookup(V6(asked.target))
    if mac is None:
        return PASS
    asked.icmp = Icmp(type=ADVERTISED, id=IS_SOLICITED)
    asked.option, asked.address = TARGET_ADDRESS, mac.address
    ip.destination, ip.source = ip.source, asked.target
    eth.destination, eth.source = eth.source, mac.address
    size = Solicitation.size
    total = u32(skep.csum_diff(None, 0, asked, size, 0))
    asked.icmp.checksum = checksum_over_ipv6(ip, Protocol.ICMPV6, size, total)
    return TX


SEGMENT_SIZE, MOST = 2, 1000


@skep.xdp
def limits_segments(ctx):
    """Connections are of segments that fit a tunnel."""
    kind, offset = ethernet(ctx)
    protocol, at = ipv4(ctx, offset)
    tcp = ctx.view(Tcp, at)
    if kind != EtherType.IPV4 or protocol != Protocol.TCP or tcp is None:
        return PASS
    option = tcp_option(ctx, at, SEGMENT_SIZE)
    size = ctx.view(be16, option + 2)
    if not tcp.flags & TcpFlag.SYN or option == 0 or size is None or size <= MOST:
        return PASS
    tcp.checksum = replaced16(tcp.checksum, size[0], MOST)
    size[0] = MOST
    return PASS


# --- a name server ------------------------------------------------------------------------------------------------


class Dns(Struct):
    """A message's header."""

    id: be16
    flags: be16
    questions: be16
    answers: be16
    authority: be16
    additional: be16


class Name(Struct):
    """A name as it lies in a message, in lower case."""

    labels: u8[64]


class Answer(Struct, packed=True):
    """An address, of the name in the question."""

    name: be16
    type: be16
    network: be16
    seconds: be32
    length: be16
    address: be32


PORT, QUESTION, ANSWERED, SAME_NAME = 53, 0x0001_0001, 0x8180, 0xC00C
names = Hash(Name, u32, 64)


@skep.xdp
def answers_names(ctx):
    """Names of any length, in any case: the message grows by the answer, and goes back."""
    kind, offset = ethernet(ctx)
    protocol, at = ipv4(ctx, offset)
    _, port = ports(ctx, protocol, at)
    if kind != EtherType.IPV4 or protocol != Protocol.UDP or port != PORT:
        return PASS
    name, begin, length = Name(), at + Udp.size + Dns.size, u32(0)
    for i in range(64):
        letter = ctx.view(u8, begin + i)
        if letter is None:
            return PASS
        if letter == 0:
            length = i + 1
            break
        name.labels[i] = letter | 0x20 if ord("A") <= letter <= ord("Z") else u8(letter)
    question = ctx.view(be32, begin + length)
    address = names.lookup(name)
    if length == 0 or question is None or question != QUESTION or address is None:
        return PASS
    end = begin + length + 4
    if skep.xdp_adjust_tail(s32(end + Answer.size) - s32(len(ctx))) != 0:
        return DROP
    answer, header = ctx.view(Answer, end), ctx.view(Dns, at + Udp.size)
    if answer is None or header is None:
        return DROP
    answer.name, answer.type, answer.network = SAME_NAME, 1, 1
    answer.seconds, answer.length, answer.address = 60, 4, address
    header.flags, header.answers = ANSWERED, 1
    header.authority = header.additional = 0
    return turned(ctx, offset, at, u16(end + Answer.size - at))


def turned(ctx, offset: u32, at: u32, length: u16):
    """Let a datagram of that length go back."""
    eth, ip, udp = ctx.view(Ethernet), ctx.view(IPv4, offset), ctx.view(Udp, at)
    if eth is None or ip is None or udp is None:
        return DROP
    eth.source, eth.destination = eth.destination, eth.source
    ip.source, ip.destination = ip.destination, ip.source
    udp.source, udp.destination = udp.destination, udp.source
    udp.length, udp.checksum, ip.length = length, 0, length + 20
    ip.checksum = header_checksum(ip)
    return TX


# --- a tunnel -----------------------------------------------------------------------------------------------------


class Outer(Struct, packed=True):
    """What VXLAN puts before a frame."""

    eth: Ethernet
    ip: IPv4
    udp: Udp
    vxlan: Vxlan


class Tunnel(Struct):
    """From where to where, and its network."""

    local: be32
    remote: be32
    network: u32
    here: u8[6]
    there: u8[6]


tunnels = Hash(u32, Tunnel, 16)


@skep.xdp
def enters_a_tunnel(ctx):
    """A frame for an address behind another node becomes the payload of a datagram."""
    kind, offset = ethernet(ctx)
    inner = ctx.view(IPv4, offset)
    if kind != EtherType.IPV4 or inner is None:
        return PASS
    tunnel = tunnels.lookup(inner.destination)
    if tunnel is None:
        return PASS
    size, flow = u16(len(ctx)), u16(inner.source ^ inner.destination)
    if skep.xdp_adjust_head(-Outer.size) != 0:
        return DROP
    outer = ctx.view(Outer)
    if outer is None:
        return DROP
    outer.eth = Ethernet(destination=tunnel.there, source=tunnel.here, type=EtherType.IPV4)
    outer.ip = IPv4(version=4, words=5, length=size + 36, ttl=64, protocol=Protocol.UDP)
    outer.ip.source, outer.ip.destination = tunnel.local, tunnel.remote
    outer.ip.checksum = header_checksum(outer.ip)
    outer.udp = Udp(source=0xC000 | flow & 0x3FFF, destination=4789, length=size + 16)
    outer.vxlan = Vxlan(flags=8, network=tunnel.network << 8)
    return TX
