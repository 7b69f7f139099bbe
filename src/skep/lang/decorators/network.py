"""Decorators of programs on packets, messages and sockets, and of what the processes of a cgroup do."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, overload

from skep.base.similar import similar
from skep.lang.chains import XDP_PASS, Chain
from skep.lang.kinds import KINDS
from skep.lang.programs import Decorator, Program, bare, global_function, on, require_names

DIRECTIONS = ("ingress", "egress")
ENDS = ("primary", "peer")
FAMILIES = {"ipv4": 2, "ipv6": 10, "bridge": 7}
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
SK_SKB = {
    "parser": "sk_skb_stream_parser",
    "stream_verdict": "sk_skb_stream_verdict",
    "verdict": "sk_skb_verdict",
}
LWT = ("in", "out", "xmit", "seg6local")


@overload
def xdp(function: Callable[..., Any]) -> Program: ...
@overload
def xdp(
    *, frags: bool = ..., at: str = ..., order: int | None = ..., device: str = ...
) -> Decorator: ...
def xdp(
    function: Callable[..., Any] | None = None,
    *,
    frags: bool = False,
    at: str = "",
    order: int | None = None,
    device: str = "",
) -> Program | Decorator:
    """On packets as they arrive at a device, before the network stack. Returns an XDP verdict; PASS by default.

    ``frags``: packets may be longer than a page (5.18); ``view`` reaches their first part. ``at`` "devmap" (5.8) or
    "cpumap" (5.9): behind a redirect, in a value of a map of devices or CPUs. ``@xdp`` has the device to itself;
    ``@xdp(order=10)`` shares it with others: the lowest order runs first, and the first verdict other than PASS ends
    the packet's way. ``device``: for this one only, of the namespace in which it is loaded, and it may ask what that
    device tells of a packet (6.3): ``kfunc("bpf_xdp_metadata_rx_hash")`` and its like.
    """
    if at not in ("", "devmap", "cpumap") or (frags and at):
        raise ValueError(
            f'an XDP program stands at "devmap" or "cpumap", without frags, not {at!r}'
        )
    if device and (at or order is not None):
        raise ValueError(
            f"an XDP program for {device!r} alone has it to itself: leave at= and order= out"
        )
    kind = f"xdp_{at}" if at else "xdp_frags" if frags else "xdp"
    if order is not None:
        return _chained(kind, order)
    if function is not None:
        return bare(kind, function)
    return on(kind, device, options={"device": device} if device else None)


def _chained(kind: str, order: int) -> Decorator:
    if kind in ("xdp_devmap", "xdp_cpumap"):
        raise ValueError("programs behind a redirect are not in a device's chain: leave order= out")

    def decorate(function: Callable[..., Any]) -> Program:
        options = (("order", order),)
        return Program(function, KINDS[kind], options=options, chain=Chain(XDP_PASS))

    return decorate


def tc(direction: str) -> Decorator:
    """On packets at a device, ``"ingress"`` or ``"egress"``: tcx where the kernel has it (6.6), clsact before."""
    require_names("tc", direction)
    if direction not in DIRECTIONS:
        raise ValueError(f'a tc program is for "ingress" or "egress", not {direction!r}')
    return on(f"tcx_{direction}")


def netkit(end: str) -> Decorator:
    """On packets that leave one end of a netkit pair: ``"primary"``, the node's, or ``"peer"``, the pod's. Linux 6.7.

    Either is attached to the primary device.
    """
    if end not in ENDS:
        raise ValueError(f'a netkit program is for the "primary" or the "peer" end, not {end!r}')
    return on(f"netkit_{end}")


def cgroup(hook: str) -> Decorator:
    """On what a cgroup's processes do, ``"connect4"``, ``"skb_ingress"``, ``"device"``, ...: 1 allows, 0 refuses."""
    require_names("cgroup", hook)
    name = f"cgroup_{hook}"
    if name not in KINDS:
        known = [k.removeprefix("cgroup_") for k in KINDS if k.startswith("cgroup_")]
        near = similar(hook, known)
        rest = f"did you mean {near!r}?" if near else f"there are {', '.join(known)}"
        raise ValueError(f"there is no cgroup hook {hook!r}; {rest}")
    return on(name)


def sockops(function: Callable[..., Any]) -> Program:
    """In the life of TCP connections of a cgroup: ``ctx.op`` says what happens. Linux 4.13."""
    return bare("sockops", function)


def socket_filter(function: Callable[..., Any]) -> Program:
    """On packets that a socket gets: how many bytes it is to see, 0 none, -1 all. Attached to a socket."""
    return bare("socket_filter", function)


def sk_lookup(function: Callable[..., Any]) -> Program:
    """Where a packet looks for its socket, in a network namespace: 1 goes on, 0 drops. Linux 5.9."""
    return bare("sk_lookup", function)


@overload
def sk_reuseport(function: Callable[..., Any]) -> Program: ...
@overload
def sk_reuseport(*, migrate: bool = ...) -> Decorator: ...
def sk_reuseport(
    function: Callable[..., Any] | None = None, *, migrate: bool = False
) -> Program | Decorator:
    """Which socket of a reuseport group gets a connection (4.19); ``migrate``: also when one closes (5.14)."""
    decorate = on("sk_reuseport_migrate" if migrate else "sk_reuseport")
    return decorate if function is None else decorate(function)


def sk_msg(function: Callable[..., Any]) -> Program:
    """On what is sent through the sockets of a map: 1 passes, 0 drops. Linux 4.17."""
    return bare("sk_msg", function)


def sk_skb(part: str) -> Decorator:
    """On what the sockets of a map receive: ``"verdict"`` (5.13), or ``"parser"`` with ``"stream_verdict"`` (4.14)."""
    require_names("sk_skb", part)
    if part not in SK_SKB:
        raise ValueError(f"a part of sk_skb is one of {', '.join(SK_SKB)}, not {part!r}")
    return on(SK_SKB[part])


def flow_dissector(function: Callable[..., Any]) -> Program:
    """What a packet belongs to, for all of a network namespace: it fills ``ctx.flow_keys``. Linux 4.20."""
    return bare("flow_dissector", function)


def lwt(part: str) -> Decorator:
    """On the packets of a route: ``"in"``, ``"out"``, ``"xmit"`` (4.10), or ``"seg6local"`` (4.18)."""
    require_names("lwt", part)
    if part not in LWT:
        raise ValueError(f"a part of lwt is one of {', '.join(LWT)}, not {part!r}")
    return on(f"lwt_{part}")


def netfilter(
    hook: str, *, family: str = "ipv4", priority: int = 0, defragment: bool = False
) -> Decorator:
    """At a hook of netfilter in a network namespace, lower priorities first: 1 accepts, 0 drops. Linux 6.4."""
    require_names("netfilter", hook)
    if hook not in HOOKS or family not in FAMILIES:
        known = f"{', '.join(HOOKS)}, of {', '.join(FAMILIES)}"
        raise ValueError(f"there is no netfilter hook {hook!r} of {family!r}; there are {known}")
    options: dict[str, int | str] = {"family": FAMILIES[family], "hook": HOOKS.index(hook)}
    options |= {"priority": priority, "defragment": int(defragment)}
    return on("netfilter", hook, options=options)


def freplace(target: Program, function: Callable[..., Any] | None = None) -> Decorator:
    """In place of another program, wherever that one is attached: same context, same results. Linux 5.6.

    With ``function`` in place of that global function, wherever the program calls it: same parameters, same result.
    Both are loaded together, ``skep.load(target, replacement)``; closed, the other one runs again.
    """
    if function is not None and not hasattr(function, "__skep_global__"):
        problem = f"{getattr(function, '__name__', function)!r} is no global function"
        raise TypeError(f"{problem}, and no other can be replaced: @skep.global_function")
    if not isinstance(target, Program):
        problem = "@freplace takes the program that it stands in for"
        raise TypeError(f"{problem}: @freplace(other), or @freplace(other, function)")
    row = KINDS["freplace"]
    kind = replace(
        target.kind,
        name=row.name,
        prog_type=row.prog_type,
        attach_type=0,
        hook=row.hook,
        since=row.since,
        feature=row.feature,
        instead=row.instead,
        flags=0,
    )
    if function is not None:
        kind = replace(kind, returns=None, default=0)

    def decorate(other: Callable[..., Any]) -> Program:
        if function is None:
            return Program(other, kind, target.hook, onto=target)
        return Program(global_function(other), kind, target.hook, onto=target, replaces=function)

    return decorate
