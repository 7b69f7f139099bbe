"""The methods of maps that name where packets and data go."""

import ast

from skep.lang.front.integers import converted
from skep.lang.front.map_methods import (
    BY_RESULT,
    TABLE,
    Method,
    context_of,
    declared_by,
    flags_of,
    made,
)
from skep.lang.front.scope import Scope
from skep.lang.front.structs import spilled
from skep.lang.spec import MapType
from skep.lang.tree import Const, Expr
from skep.lang.types import u32, u64
from skep.lang.values import UNKNOWN, KernelStruct, Memory, Pointer, describe

SENDERS = ("sk_msg", "sk_skb")
STEERING = ("sk_lookup", "tc")
KEEPING = (
    *("tc", "xdp", "socket_filter", "sk_lookup", "sk_reuseport", "flow_dissector"),
    "iterator",
)
"""Families of programs that put a socket which they found into a map of sockets (Linux 5.10)."""
FOUND = ("sock", "bpf_sock", "sock_common", "tcp_sock", "udp_sock", "unix_sock")


def _redirect(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """Of XDP's maps, whose keys are numbers in a register."""
    key, *otherwise = scope.arguments(node, 1, 2, "redirect(key, otherwise)")
    if scope.kind.family != "xdp":
        raise scope.error(node, f"{scope.kind.name} programs redirect no packets by this map")
    number = converted(scope, scope.expr(key), u32, key)
    return made(scope, node, owner, "redirect", BY_RESULT, number, flags_of(scope, node, otherwise))


def _send(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """Of maps of sockets."""
    given, key, *flags = scope.arguments(node, 2, 3, "redirect(ctx, key, flags)")
    if scope.kind.family not in SENDERS:
        problem = (
            f"{scope.kind.name} programs give no data to sockets; sk_msg and sk_skb programs do"
        )
        raise scope.error(node, problem)
    declared = declared_by(owner)
    where = (
        spilled(scope, key, declared.key, "key")
        if declared.type is MapType.SOCKHASH
        else converted(scope, scope.expr(key), u32, key)
    )
    args = (context_of(scope, given, "redirect"), where, flags_of(scope, node, flags))
    return made(scope, node, owner, f"{scope.kind.family}_redirect", BY_RESULT, *args)


def _socket(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """The socket of a key, which is to be given back by sk_release()."""
    (key,) = scope.arguments(node, 1, 1, "lookup(key)")
    declared = declared_by(owner)
    kind = scope.target.types.struct("bpf_sock")
    pointer = Pointer(kind, Memory.KERNEL, nullable=True, what="a lookup of a socket")
    return made(scope, node, owner, "lookup", pointer, spilled(scope, key, declared.key, "key"))


def _keep(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """The socket of a sockops program's context, or one that another kind of program found."""
    given, key, *flags = scope.arguments(node, 2, 3, "update(socket, key, flags)")
    family = scope.kind.family.partition(":")[0]
    if family not in (*KEEPING, "sockops"):
        problem = f"{scope.kind.name} programs put no sockets there"
        raise scope.error(
            node, problem, "a sockops program does it, or Python: live[m][key] = socket"
        )
    own = family == "sockops"
    args = (
        context_of(scope, given, "update") if own else _found(scope, given),
        spilled(scope, key, declared_by(owner).key, "key"),
        flags_of(scope, node, flags),
    )
    return made(scope, node, owner, "keep_socket" if own else "keep_found", BY_RESULT, *args)


def _found(scope: Scope, node: ast.expr) -> Expr:
    """A socket of the kernel's. Raises CompileError where it is none."""
    value = scope.expr(node)
    kind = value.type.target if isinstance(value.type, Pointer) else None
    socket = isinstance(kind, KernelStruct) and kind.name in FOUND
    if value.type is not UNKNOWN and not socket:
        problem = f"a socket is wanted here, not {describe(value.type)}"
        raise scope.error(node, problem, "what m.lookup(key) of a map of sockets gives is one")
    return value


def _assign(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    given, key, *flags = scope.arguments(node, 2, 3, "assign(ctx, key, flags)")
    if scope.kind.family not in STEERING:
        problem = f"{scope.kind.name} programs give no packet to a socket"
        raise scope.error(node, problem, "sk_lookup and tc programs do")
    args = (
        context_of(scope, given, "assign"),
        spilled(scope, key, declared_by(owner).key, "key"),
        flags_of(scope, node, flags),
    )
    return made(scope, node, owner, "assign_socket", BY_RESULT, *args)


def _select(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    given, key = scope.arguments(node, 2, 2, "select(ctx, key)")
    if scope.kind.family != "sk_reuseport":
        raise scope.error(node, f"{scope.kind.name} programs select no socket of a group")
    args = (
        context_of(scope, given, "select"),
        spilled(scope, key, u32, "key"),
        Const(scope.span(node), u64, 0),
    )
    return made(scope, node, owner, "select", BY_RESULT, *args)


PACKETS: dict[str, Method] = {"redirect": _redirect, "lookup": TABLE["lookup"]}
SOCKETS: dict[str, Method] = {
    "redirect": _send,
    "lookup": _socket,
    "update": _keep,
    "assign": _assign,
    "delete": TABLE["delete"],
}
GROUP: dict[str, Method] = {"select": _select}
BY_TYPE: dict[MapType, tuple[dict[str, Method], str]] = {
    MapType.DEVMAP: (PACKETS, "a map of devices"),
    MapType.DEVMAP_HASH: (PACKETS, "a map of devices"),
    MapType.CPUMAP: (PACKETS, "a map of CPUs"),
    MapType.XSKMAP: ({"redirect": _redirect}, "a map of AF_XDP sockets"),
    MapType.SOCKMAP: (SOCKETS, "a map of sockets"),
    MapType.SOCKHASH: (SOCKETS, "a map of sockets"),
    MapType.REUSEPORT_SOCKARRAY: (GROUP, "a map of sockets"),
}
