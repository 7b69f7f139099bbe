"""Kinds of a cgroup: what its processes do with sockets, devices and sysctls, and their packets."""

from skep.lang.spec import Context, Hook, ProgramKind

VERDICTS = (0, 1)
_BIND, _ALWAYS = (0, 3), (1, 1)
_V4, _V6 = ("user_ip6", "msg_src_ip4", "msg_src_ip6"), ("user_ip4", "msg_src_ip4", "msg_src_ip6")
_UNIX = ("user_ip4", "user_ip6", "user_port", "msg_src_ip4", "msg_src_ip6")


def _family(name: str, returns: tuple[int, int]) -> str:
    """Hooks that are told of what was done can call fewer helpers; those of connect over IP can bind."""
    if name in ("connect4", "connect6"):
        return name
    return "sock_addr_told" if returns == _ALWAYS else "sock_addr"


def _address(row: tuple[str, int, tuple[int, int], str]) -> ProgramKind:
    """A hook on an address that a process gives or is given."""
    name, attach, returns, since = row
    source = f"msg_src_ip{name[-1]}" if name in ("sendmsg4", "sendmsg6") else ""
    own = _UNIX if name.endswith("unix") else _V4 if name.endswith("4") else _V6
    writes = () if name.endswith("unix") else (f"user_ip{name[-1]}", "user_port")
    return ProgramKind(
        f"cgroup_{name}",
        18,
        attach,
        Hook.CGROUP,
        Context.STRUCT,
        "bpf_sock_addr",
        returns=returns,
        default=1,
        since=since,
        family=_family(name, returns),
        feature="prog.cgroup_unix" if name.endswith("unix") else "prog.cgroup_sock_addr",
        writes=(*writes, *((source,) if source else ())),
        hides=tuple(field for field in own if field != source),
        present=("sk",),
    )


ADDRESSES = tuple(
    _address(row)
    for row in (
        ("bind4", 8, _BIND, "4.17"),
        ("bind6", 9, _BIND, "4.17"),
        ("connect4", 10, VERDICTS, "4.17"),
        ("connect6", 11, VERDICTS, "4.17"),
        ("sendmsg4", 14, VERDICTS, "4.18"),
        ("sendmsg6", 15, VERDICTS, "4.18"),
        ("recvmsg4", 19, _ALWAYS, "5.2"),
        ("recvmsg6", 20, _ALWAYS, "5.2"),
        ("getpeername4", 29, _ALWAYS, "5.8"),
        ("getpeername6", 30, _ALWAYS, "5.8"),
        ("getsockname4", 31, _ALWAYS, "5.8"),
        ("getsockname6", 32, _ALWAYS, "5.8"),
        ("connect_unix", 49, VERDICTS, "6.7"),
        ("sendmsg_unix", 50, VERDICTS, "6.7"),
        ("recvmsg_unix", 51, _ALWAYS, "6.7"),
        ("getpeername_unix", 52, _ALWAYS, "6.7"),
        ("getsockname_unix", 53, _ALWAYS, "6.7"),
    )
)


def _socket(name: str, attach: int, since: str, hides: tuple[str, ...]) -> ProgramKind:
    """A hook in the life of a socket."""
    bound = name.startswith("post_bind")
    return ProgramKind(
        f"cgroup_{name}",
        9,
        attach,
        Hook.CGROUP,
        Context.STRUCT,
        "bpf_sock",
        returns=VERDICTS,
        default=1,
        since=since,
        family="post_bind" if bound else "sock",
        feature="prog.cgroup_sock",
        writes=() if bound else ("bound_dev_if", "mark", "priority"),
        hides=hides,
    )


_UNBOUND = ("src_ip4", "src_ip6", "src_port")
_HIDDEN = ("bound_dev_if", "mark", "priority")
SOCKETS = (
    _socket("sock_create", 2, "4.10", _UNBOUND),
    _socket("sock_release", 34, "5.9", _UNBOUND),
    _socket("post_bind4", 12, "4.17", (*_HIDDEN, "src_ip6")),
    _socket("post_bind6", 13, "4.17", (*_HIDDEN, "src_ip4")),
)


def _packet(direction: str, attach: int, returns: tuple[int, int]) -> ProgramKind:
    return ProgramKind(
        f"cgroup_skb_{direction}",
        8,
        attach,
        Hook.CGROUP,
        Context.STRUCT,
        "__sk_buff",
        returns=returns,
        default=1,
        packet=True,
        since="4.10",
        family="cgroup_skb",
        feature="prog.cgroup_skb",
        sealed=True,
        writes=("mark", "priority", "cb", "tstamp"),
        hides=("tc_classid", "data_meta", "flow_keys", "wire_len", "tstamp_type"),
    )


def _option(name: str, attach: int, writes: tuple[str, ...], hides: tuple[str, ...]) -> ProgramKind:
    return ProgramKind(
        f"cgroup_{name}",
        25,
        attach,
        Hook.CGROUP,
        Context.STRUCT,
        "bpf_sockopt",
        returns=VERDICTS,
        default=1,
        packet=True,
        since="5.3",
        family=name,
        feature="prog.cgroup_sockopt",
        writes=writes,
        hides=hides,
        present=("sk",),
        ends=("optval", "optval_end"),
    )


DEVICE = ProgramKind(
    "cgroup_device",
    15,
    6,
    Hook.CGROUP,
    Context.STRUCT,
    "bpf_cgroup_dev_ctx",
    returns=VERDICTS,
    default=1,
    since="4.15",
    family="device",
    feature="prog.cgroup_device",
)
SYSCTL = ProgramKind(
    "cgroup_sysctl",
    23,
    18,
    Hook.CGROUP,
    Context.STRUCT,
    "bpf_sysctl",
    returns=VERDICTS,
    default=1,
    since="5.2",
    family="sysctl",
    feature="prog.cgroup_sysctl",
    writes=("file_pos",),
)
SOCKOPS = ProgramKind(
    "sockops",
    13,
    3,
    Hook.CGROUP,
    Context.STRUCT,
    "bpf_sock_ops",
    returns=VERDICTS,
    default=1,
    packet=True,
    since="4.13",
    family="sockops",
    feature="prog.sock_ops",
    sealed=True,
    writes=("args", "reply", "replylong", "sk_txhash"),
    ends=("skb_data", "skb_data_end"),
)

CGROUPS = (
    *ADDRESSES,
    *SOCKETS,
    _packet("ingress", 0, VERDICTS),
    _packet("egress", 1, (0, 3)),
    _option("getsockopt", 21, ("optlen", "retval"), ()),
    _option("setsockopt", 22, ("level", "optname", "optlen"), ("retval",)),
    DEVICE,
    SYSCTL,
    SOCKOPS,
)
