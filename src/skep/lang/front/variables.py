"""Variables: what is assigned to one becomes its value, as wide as the variable is."""

import ast
from typing import Any

from skep.lang.front.integers import converted
from skep.lang.front.network_order import was_turned
from skep.lang.front.scope import Scope
from skep.lang.tree import Assign, Expr, Node, NoneValue
from skep.lang.types import IntType
from skep.lang.values import NONE, VOID, Pointer, Several, Static, describe


def bound(scope: Scope, name: str, value: Expr, node: ast.AST) -> list[Node]:
    """A variable gets a value. ``node`` is the assignment, or what stands for it."""
    if value.type is VOID:
        raise scope.error(node, "there is no value here to assign")
    if isinstance(value.type, Several):
        names = ", ".join("abcdefgh"[: len(value.type.items)])
        problem = f"one name does not hold {describe(value.type)}"
        raise scope.error(node, problem, f"take them apart: {names} = ...")
    kind = scope.assign(name, value.type, node)
    if isinstance(kind, Static):
        return []
    if was_turned(scope, value):
        scope.turned.add(name)
    else:
        scope.turned.discard(name)
    written = node.value if isinstance(node, ast.Assign | ast.AnnAssign) and node.value else node
    return [Assign(scope.span(node), name, fitted(scope, value, kind, written))]


def fitted(scope: Scope, value: Expr, kind: Any, node: ast.AST) -> Expr:
    """A value as a variable of that type holds it."""
    if isinstance(kind, IntType):
        return converted(scope, value, kind, node)
    if value.type is NONE and isinstance(kind, Pointer):
        return NoneValue(value.span, kind)
    return value
