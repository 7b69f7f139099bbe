"""The methods of a timer in a map's value."""

import ast
from typing import Any

from skep.lang.front.callbacks import callback
from skep.lang.front.integers import converted
from skep.lang.front.map_methods import BY_RESULT, Method
from skep.lang.front.scope import Scope
from skep.lang.tree import Address, Expr, MapCall
from skep.lang.types import u64
from skep.lang.values import Memory, Pointer


def _owner(scope: Scope, node: ast.Call, owner: Expr) -> Any:
    """The map in whose value a timer lies. Raises CompileError where it lies elsewhere."""
    base = owner.place.base.type if isinstance(owner, Address) else None
    if isinstance(base, Pointer) and base.memory is Memory.VALUE and base.owner is not None:
        return base.owner
    hint = "value = m.lookup(key), then value.timer.start(...)"
    raise scope.error(node, "a timer is used in a value that was looked up", hint)


def _start(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    declared = _owner(scope, node, owner)
    after, *function = scope.arguments(node, 1, 2, "start(ns, function)")
    args: tuple[Expr, ...] = (owner, converted(scope, scope.expr(after), u64, after))
    if function:
        key = Pointer(declared.key, Memory.CONSTANT)
        value = Pointer(declared.value, Memory.VALUE, owner=declared)
        args = (*args, callback(scope, function[0], "element", key, value))
    return MapCall(scope.span(node), BY_RESULT, "timer_start", declared, args)


def _cancel(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    scope.arguments(node, 0, 0, "cancel()")
    declared = _owner(scope, node, owner)
    return MapCall(scope.span(node), BY_RESULT, "timer_cancel", declared, (owner,))


TIMER: dict[str, Method] = {"start": _start, "cancel": _cancel}
