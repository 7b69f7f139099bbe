"""Redirects by maps: packets to devices, CPUs and AF_XDP sockets; data to sockets."""

from collections.abc import Callable

from skep.lang.emit.function import READ, Value, Writer
from skep.lang.emit.operands import operands, result
from skep.lang.spec import MapType
from skep.lang.tree import MapCall

LOOKUP, UPDATE, REDIRECT, RELEASE, ASSIGN = 1, 2, 51, 86, 124
ABSENT = -2  # ENOENT
SELECT = 82
TO_SOCKET: dict[tuple[str, MapType], int] = {
    ("sk_msg_redirect", MapType.SOCKMAP): 60,
    ("sk_msg_redirect", MapType.SOCKHASH): 71,
    ("sk_skb_redirect", MapType.SOCKMAP): 52,
    ("sk_skb_redirect", MapType.SOCKHASH): 72,
    ("keep_socket", MapType.SOCKMAP): 53,
    ("keep_socket", MapType.SOCKHASH): 70,
    ("select", MapType.REUSEPORT_SOCKARRAY): SELECT,
}
"""Helpers of bpf.h that take context, map, key and flags."""


def redirect(w: Writer, node: MapCall) -> Value:
    """A packet goes where a key says."""
    key, flags = operands(w, node)
    wide = w.get(f"zext i32 {key} to i64") if not key.isdigit() else key
    return Value(result(w, w.helper(REDIRECT, f"ptr {w.map(node.map)}, i64 {wide}, i64 {flags}")))


def socket(w: Writer, node: MapCall) -> Value:
    """Something is done with the socket of a key; of a map by number, a redirect takes it in a register."""
    context, key, flags = operands(w, node)
    in_register = node.map.type is MapType.SOCKMAP and node.method.endswith("redirect")
    if in_register:
        wide = w.get(f"zext i32 {key} to i64") if not key.isdigit() else key
        where = f"i64 {wide}"
    else:
        where = f"{READ} {key}"
    args = f"ptr {context}, ptr {w.map(node.map)}, {where}, i64 {flags}"
    return Value(result(w, w.helper(TO_SOCKET[node.method, node.map.type], args)))


def keep_found(w: Writer, node: MapCall) -> Value:
    """A socket that was found goes under a key."""
    found, key, flags = operands(w, node)
    args = f"ptr {w.map(node.map)}, {READ} {key}, ptr {found}, i64 {flags}"
    return Value(result(w, w.helper(UPDATE, args)))


def assign(w: Writer, node: MapCall) -> Value:
    """The socket of a key gets the packet; the reference that the lookup took is given back."""
    context, key, flags = operands(w, node)
    found = w.helper(LOOKUP, f"ptr {w.map(node.map)}, {READ} {key}", "ptr")
    there, end, before = w.name("there"), w.name("end"), w.block
    w.branch(w.get(f"icmp eq ptr {found}, null"), end, there)
    w.start(there)
    done = result(w, w.helper(ASSIGN, f"ptr {context}, ptr {found}, i64 {flags}"))
    w.helper(RELEASE, f"ptr {found}")
    w.jump(end)
    w.start(end)
    return Value(w.get(f"phi i32 [ {ABSENT}, %{before} ], [ {done}, %{there} ]"))


CALLS: dict[str, Callable[[Writer, MapCall], Value]] = {
    "redirect": redirect,
    "sk_msg_redirect": socket,
    "sk_skb_redirect": socket,
    "keep_socket": socket,
    "keep_found": keep_found,
    "select": socket,
    "assign_socket": assign,
}
