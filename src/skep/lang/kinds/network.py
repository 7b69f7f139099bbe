"""Kinds that see packets, messages and sockets on their way, other than a cgroup's."""

from dataclasses import replace

from skep.lang.spec import FRAGS, Context, Hook, ProgramKind

SOCKET_OF_PACKET = (
    *("family", "remote_ip4", "local_ip4", "remote_ip6", "local_ip6"),
    *("remote_port", "local_port"),
)
"""Fields of ``__sk_buff`` that only programs of a socket or a cgroup see."""
TIMES = ("tstamp", "tstamp_type", "hwtstamp", "wire_len")
_SKB, _PASS_DROP = "__sk_buff", (0, 1)

XDP = ProgramKind(
    "xdp",
    6,
    37,
    Hook.XDP,
    Context.STRUCT,
    "xdp_md",
    default=2,
    packet=True,
    since="4.8",
    family="xdp",
    feature="prog.xdp",
    instead="tc",
    hides=("egress_ifindex",),
)
XDP_FRAGS = replace(
    XDP,
    name="xdp_frags",
    flags=FRAGS,
    since="5.18",
    feature="prog.xdp_frags",
    instead="xdp, with an MTU of one page",
)


def _beside(place: str, attach: int, since: str, hides: tuple[str, ...]) -> ProgramKind:
    """XDP behind a redirect: in a value of a map of devices or CPUs."""
    name = f"xdp_{place}"
    return replace(
        XDP,
        name=name,
        attach_type=attach,
        hook=Hook.MAP,
        since=since,
        feature=f"prog.{name}",
        instead="xdp, before the redirect",
        hides=hides,
    )


def _tcx(direction: str, attach: int) -> ProgramKind:
    return ProgramKind(
        f"tcx_{direction}",
        3,
        attach,
        Hook.TCX,
        Context.STRUCT,
        _SKB,
        default=-1,
        packet=True,
        since="4.1",
        family="tc",
        feature="prog.sched_cls",
        writes=("mark", "queue_mapping", "priority", "tc_index", "cb", "tc_classid", "tstamp"),
        hides=(*SOCKET_OF_PACKET, "flow_keys"),
    )


def _netkit(end: str, attach: int) -> ProgramKind:
    """What leaves one end of a netkit pair, as tc sees it; both are attached to the primary one."""
    return replace(
        _tcx("egress", attach),
        name=f"netkit_{end}",
        since="6.7",
        feature="link.netkit",
        instead="tc, on a veth pair",
    )


SOCKET_FILTER = ProgramKind(
    "socket_filter",
    1,
    0,
    Hook.SOCKET,
    Context.STRUCT,
    _SKB,
    default=-1,
    since="3.19",
    family="socket_filter",
    feature="prog.socket_filter",
    writes=("cb",),
    hides=("tc_classid", "data", "data_end", "data_meta", "flow_keys", *SOCKET_OF_PACKET, *TIMES),
    feeds=True,
)
FLOW_DISSECTOR = ProgramKind(
    "flow_dissector",
    22,
    17,
    Hook.NETNS,
    Context.STRUCT,
    _SKB,
    packet=True,
    since="4.20",
    family="flow_dissector",
    feature="prog.flow_dissector",
    sealed=True,
    present=("flow_keys",),
    changes=("flow_keys",),
    hides=(
        *("len", "pkt_type", "mark", "queue_mapping", "protocol", "vlan_present", "vlan_tci"),
        *("vlan_proto", "priority", "ingress_ifindex", "ifindex", "tc_index", "cb", "hash"),
        *("tc_classid", "napi_id", "data_meta", "gso_segs", "sk", "gso_size"),
        *(*SOCKET_OF_PACKET, *TIMES),
    ),
)
SK_LOOKUP = ProgramKind(
    "sk_lookup",
    30,
    36,
    Hook.NETNS,
    Context.STRUCT,
    "bpf_sk_lookup",
    returns=_PASS_DROP,
    default=1,
    since="5.9",
    family="sk_lookup",
    feature="prog.sk_lookup",
)
SK_MSG = ProgramKind(
    "sk_msg",
    16,
    7,
    Hook.SOCKETS,
    Context.STRUCT,
    "sk_msg_md",
    returns=_PASS_DROP,
    default=1,
    packet=True,
    since="4.17",
    family="sk_msg",
    feature="prog.sk_msg",
    present=("sk",),
)
NETFILTER = ProgramKind(
    "netfilter",
    32,
    45,
    Hook.NETFILTER,
    Context.STRUCT,
    "bpf_nf_ctx",
    returns=_PASS_DROP,
    default=1,
    since="6.4",
    family="netfilter",
    feature="prog.netfilter",
    instead="tc",
    present=("state", "skb"),
    feeds=True,
)


def _sk_skb(part: str, attach: int, since: str, default: int) -> ProgramKind:
    return ProgramKind(
        f"sk_skb_{part}",
        14,
        attach,
        Hook.SOCKETS,
        Context.STRUCT,
        _SKB,
        returns=None if part == "stream_parser" else _PASS_DROP,
        default=default,
        packet=True,
        since=since,
        family="sk_skb",
        feature="prog.sk_skb",
        writes=("priority", "tc_index"),
        hides=("mark", "tc_classid", "data_meta", "flow_keys", *TIMES),
    )


def _reuseport(name: str, attach: int, since: str, feature: str) -> ProgramKind:
    return ProgramKind(
        name,
        21,
        attach,
        Hook.SOCKET,
        Context.STRUCT,
        "sk_reuseport_md",
        returns=_PASS_DROP,
        default=1,
        packet=True,
        since=since,
        family="sk_reuseport",
        feature=feature,
        sealed=True,
        present=("sk",),
    )


def _lwt(part: str, prog_type: int, since: str) -> ProgramKind:
    return ProgramKind(
        f"lwt_{part}",
        prog_type,
        0,
        Hook.ROUTE,
        Context.STRUCT,
        _SKB,
        packet=True,
        since=since,
        family=f"lwt_{part}",
        feature=f"prog.lwt_{part}",
        instead="tc",
        sealed=part != "xmit",
        writes=("mark", "priority", "cb"),
        hides=("tc_classid", "data_meta", "flow_keys", *SOCKET_OF_PACKET, *TIMES),
    )


NETWORK = (
    XDP,
    XDP_FRAGS,
    _beside("devmap", 33, "5.8", ()),
    _beside("cpumap", 35, "5.9", ("egress_ifindex",)),
    _tcx("ingress", 46),
    _tcx("egress", 47),
    _netkit("primary", 54),
    _netkit("peer", 55),
    SOCKET_FILTER,
    SK_LOOKUP,
    _reuseport("sk_reuseport", 39, "4.19", "prog.sk_reuseport"),
    _reuseport("sk_reuseport_migrate", 40, "5.14", "prog.sk_reuseport_migrate"),
    SK_MSG,
    _sk_skb("stream_parser", 4, "4.14", 0),
    _sk_skb("stream_verdict", 5, "4.14", 1),
    _sk_skb("verdict", 38, "5.13", 1),
    FLOW_DISSECTOR,
    _lwt("in", 10, "4.10"),
    _lwt("out", 11, "4.10"),
    _lwt("xmit", 12, "4.10"),
    _lwt("seg6local", 19, "4.18"),
    NETFILTER,
)
