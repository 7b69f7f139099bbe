"""Several values at once: ``return a, b``, ``a, b = f(x)`` and ``a, b = b, a``."""

import ast
from collections.abc import Callable

from skep.lang.front.constants import static
from skep.lang.front.integers import dereferenced
from skep.lang.front.scope import Scope
from skep.lang.front.variables import bound, fitted
from skep.lang.tree import Evaluate, Expr, Item, Local, Node, StaticValue, SubCall, Together
from skep.lang.values import UNKNOWN, VOID, Memory, Pointer, Several, Static, Type, describe

Put = Callable[[Scope, ast.expr, ast.expr, ast.AST], list[Node]]
"""Assigns one value to one target."""


def taken_apart(
    scope: Scope, target: ast.Tuple | ast.List, value: ast.expr, put: Put
) -> list[Node]:
    """``a, b = value``: the values are worked out, then assigned from the left."""
    for one in target.elts:
        if isinstance(one, ast.Tuple | ast.List | ast.Starred):
            raise scope.error(one, "values are taken apart one level deep", "name each value")
    before, values = _values(scope, target, value)
    if len(values) != len(target.elts):
        counts = f"{len(target.elts)} names, {len(values)} values"
        raise scope.error(target, f"these do not go together: {counts}", "name each value")
    nodes = list(before)
    names = []
    for index, made in enumerate(values):
        name = f"value.{target.lineno}.{target.col_offset}.{index}"
        nodes += bound(scope, name, made, value)
        names.append(name)
    for name, one in zip(names, target.elts, strict=True):
        read = ast.copy_location(ast.Name(name, ast.Load()), value)
        nodes += put(scope, one, read, one)
    return nodes


def _values(scope: Scope, target: ast.AST, node: ast.expr) -> tuple[list[Node], list[Expr]]:
    """What is to be done first, and the values."""
    if isinstance(node, ast.Tuple | ast.List):
        return [], [_one(scope, item) for item in node.elts]
    value = scope.expr(node)
    if isinstance(value, SubCall) and isinstance(value.type, Several):
        return [Evaluate(value.span, value)], items(value)
    held = value.type.value if isinstance(value.type, Static) else None
    if isinstance(held, tuple):
        return [], [static(scope, node, item) for item in held]
    if value.type is UNKNOWN:
        count = len(target.elts) if isinstance(target, ast.Tuple | ast.List) else 0
        return [], [value] * count
    raise scope.error(node, f"{describe(value.type)} cannot be taken apart")


def items(call: SubCall) -> list[Expr]:
    """The results of a call."""
    kinds = call.type.items
    return [
        Item(call.span, kind, call.out, call.type.size, index) for index, kind in enumerate(kinds)
    ]


def _one(scope: Scope, node: ast.expr) -> Expr:
    """A value that is kept while others are worked out: a number, or a pointer."""
    value = scope.expr(node)
    maybe = isinstance(value.type, Pointer) and value.type.nullable
    return value if isinstance(value, Local) or maybe else dereferenced(scope, value, node)


def returned(scope: Scope, node: ast.expr) -> tuple[list[Node], Expr] | None:
    """``return a, b`` or ``return f(x)``; None where it is one value."""
    if isinstance(node, ast.Tuple):
        values = [_result(scope, item) for item in node.elts]
        before: list[Node] = []
    else:
        call = scope.expr(node)
        if not isinstance(call, SubCall) or not isinstance(call.type, Several):
            return None
        before, values = [Evaluate(call.span, call)], items(call)
    kind = Several(tuple(value.type for value in values))
    scope.returns.append(kind)
    if scope.entry:
        raise scope.error(node, f"{scope.kind.name} programs return one number")
    wanted: Type = scope.result
    kinds = wanted.items if isinstance(wanted, Several) else kind.items
    pairs = zip(values, kinds, strict=False)
    fitting = tuple(fitted(scope, value, one, node) for value, one in pairs)
    return before, Together(scope.span(node), Several(tuple(kinds)), fitting)


def _result(scope: Scope, node: ast.expr) -> Expr:
    value = scope.expr(node)
    if isinstance(value, StaticValue) or value.type is VOID:
        raise scope.error(node, f"{describe(value.type)} cannot be returned")
    if isinstance(value.type, Pointer) and value.type.memory is Memory.RECORD:
        raise scope.error(
            node, "a reserved record is not one of several results", "return it alone"
        )
    if isinstance(value.type, Pointer) and value.type.nullable:
        return value
    return dereferenced(scope, value, node)
