"""Storages: a value that belongs to a task, socket, inode or cgroup."""

from collections.abc import Callable
from typing import NamedTuple

from skep.lang.emit.function import READ, Value, Writer
from skep.lang.emit.operands import operands, result
from skep.lang.spec import MapType
from skep.lang.tree import MapCall, NoneValue


class Helpers(NamedTuple):
    """The numbers of two helpers of bpf.h."""

    get: int
    delete: int


ATTACHED = 81
"""The number of get_local_storage."""
NUMBERS: dict[MapType, Helpers] = {
    MapType.SK_STORAGE: Helpers(107, 108),
    MapType.INODE_STORAGE: Helpers(145, 146),
    MapType.TASK_STORAGE: Helpers(156, 157),
    MapType.CGRP_STORAGE: Helpers(210, 211),
}


def get(w: Writer, node: MapCall) -> Value:
    """The value of an owner, made where the flags say so."""
    owner, initial, flags = operands(w, node)
    first = "ptr null" if isinstance(node.args[1], NoneValue) else f"{READ} {initial}"
    args = f"ptr {w.map(node.map)}, ptr {owner}, {first}, i64 {flags}"
    return Value(w.helper(NUMBERS[node.map.type].get, args, "align 8 ptr"))


def delete(w: Writer, node: MapCall) -> Value:
    """An owner's value is forgotten."""
    (owner,) = operands(w, node)
    args = f"ptr {w.map(node.map)}, ptr {owner}"
    return Value(result(w, w.helper(NUMBERS[node.map.type].delete, args)))


def attached(w: Writer, node: MapCall) -> Value:
    """The value of the cgroup to which the program is attached: it is there."""
    return Value(w.helper(ATTACHED, f"ptr {w.map(node.map)}, i64 0", "align 8 ptr"))


CALLS: dict[str, Callable[[Writer, MapCall], Value]] = {
    "storage_get": get,
    "storage_delete": delete,
    "storage_attached": attached,
}
