"""The methods of storages: the value of a task, socket, inode or cgroup."""

import ast
from typing import Any

from skep.lang.front.map_methods import BY_RESULT, Method, declared_by, made
from skep.lang.front.scope import Scope
from skep.lang.front.structs import spilled
from skep.lang.spec import Hook, MapType
from skep.lang.tree import Const, Expr, NoneValue
from skep.lang.types import u64
from skep.lang.values import NONE, UNKNOWN, Memory, Pointer, describe

CREATE = 1


def _owner(scope: Scope, node: ast.expr, owner: Expr) -> Expr:
    """The kernel object that a value belongs to. Raises CompileError where it is of another kind."""
    declared: Any = declared_by(owner)  # a storage
    value = scope.expr(node)
    kind = value.type
    known = isinstance(kind, Pointer) and kind.memory is not Memory.PROBE
    name = getattr(getattr(kind, "target", None), "name", "")
    if kind is not UNKNOWN and not (known and name in declared.owner.structs):
        word = declared.owner.word
        raise scope.error(
            node,
            f"a {word}'s storage belongs to a struct {declared.owner.structs[0]} that the kernel trusts, "
            f"not to {describe(kind)}",
        )
    return value


def _value(scope: Scope, node: ast.Call, owner: Expr, args: list[ast.expr], flags: int) -> Expr:
    declared = declared_by(owner)
    pointer = Pointer(declared.value, Memory.VALUE, nullable=True, what="a lookup in a storage")
    initial = (
        spilled(scope, args[1], declared.value, "value")
        if len(args) > 1
        else NoneValue(scope.span(node), NONE)
    )
    where = (_owner(scope, args[0], owner), initial, Const(scope.span(node), u64, flags))
    return made(scope, node, owner, "storage_get", pointer, *where)


def _lookup(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    return _value(scope, node, owner, scope.arguments(node, 1, 1, "lookup(owner)"), 0)


def _get(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    return _value(scope, node, owner, scope.arguments(node, 1, 2, "get(owner, initial)"), CREATE)


def _delete(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    (where,) = scope.arguments(node, 1, 1, "delete(owner)")
    return made(scope, node, owner, "storage_delete", BY_RESULT, _owner(scope, where, owner))


def _attached(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    scope.arguments(node, 0, 0, "get()")
    if scope.kind.hook is not Hook.CGROUP:
        problem = f"{scope.kind.name} programs are attached to no cgroup, which has a value here"
        hint = "CgroupStorage(value) has one of any cgroup (Linux 6.2)"
        raise scope.error(node, problem, hint)
    pointer = Pointer(declared_by(owner).value, Memory.VALUE)
    return made(scope, node, owner, "storage_attached", pointer)


ATTACHED: dict[str, Method] = {"get": _attached}
STORAGE: dict[str, Method] = {"lookup": _lookup, "get": _get, "delete": _delete}
BY_TYPE: dict[MapType, tuple[dict[str, Method], str]] = {
    MapType.TASK_STORAGE: (STORAGE, "a storage"),
    MapType.SK_STORAGE: (STORAGE, "a storage"),
    MapType.INODE_STORAGE: (STORAGE, "a storage"),
    MapType.CGRP_STORAGE: (STORAGE, "a storage"),
    MapType.CGROUP_STORAGE: (ATTACHED, "a storage of where programs are attached"),
    MapType.PERCPU_CGROUP_STORAGE: (ATTACHED, "a storage of where programs are attached"),
}
