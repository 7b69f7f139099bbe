"""Several values at once: ``return a, b``, ``a, b = f(x)``, ``a, b = b, a`` and ``q, r = divmod(a, b)``."""

import ast
from collections.abc import Callable
from itertools import zip_longest

from skep.lang.front import instead
from skep.lang.front.access import owner, step
from skep.lang.front.constants import static
from skep.lang.front.expressions import truth
from skep.lang.front.integers import binary, dereferenced, is_local, number
from skep.lang.front.scope import Scope
from skep.lang.front.variables import bound
from skep.lang.struct import StructType
from skep.lang.tree import (
    Build,
    Const,
    Evaluate,
    Expr,
    If,
    Item,
    Local,
    MapCall,
    Node,
    Spill,
    StaticValue,
    SubCall,
    Together,
)
from skep.lang.types import ArrayType
from skep.lang.values import UNKNOWN, VOID, Memory, Pointer, Several, Static, describe

Put = Callable[[Scope, ast.expr, ast.expr, ast.AST], list[Node]]
"""Assigns one value to one target."""


def taken_apart(
    scope: Scope, target: ast.Tuple | ast.List, value: ast.expr, put: Put
) -> list[Node]:
    """``a, b = value``: the values are worked out, then assigned from the left."""
    if isinstance(value, ast.IfExp):
        return _either(scope, target, value, put)
    for one in target.elts:
        if isinstance(one, ast.Tuple | ast.List | ast.Starred):
            raise scope.error(one, "values are taken apart one level deep", "name each value")
    before, values = _values(scope, target, value)
    if len(values) != len(target.elts):
        counts = f"{len(target.elts)} names, {len(values)} values"
        raise scope.error(target, f"these do not go together: {counts}", "name each value")
    return before + _assigned(scope, target, (values, value), put)


def _either(scope: Scope, target: ast.Tuple | ast.List, value: ast.IfExp, put: Put) -> list[Node]:
    """``a, b = f(x) if test else g(x)``."""
    test = truth(scope, value.test)
    if isinstance(test, Const) and test.type is not UNKNOWN:
        return taken_apart(scope, target, value.body if test.value else value.orelse, put)
    sides = [tuple(taken_apart(scope, target, side, put)) for side in (value.body, value.orelse)]
    return [If(scope.span(value.test), test, sides[0], sides[1])]


def _assigned(
    scope: Scope, target: ast.Tuple | ast.List, given: tuple[list[Expr], ast.expr], put: Put
) -> list[Node]:
    """Each target gets its value, after all were worked out."""
    nodes: list[Node] = []
    values, value = given
    names = []
    changed: set[Memory] = set()
    for index, (one, made) in enumerate(zip(target.elts, values, strict=True)):
        name = f"value.{target.lineno}.{target.col_offset}.{index}"
        nodes += bound(scope, name, _kept(scope, made, changed, one), value)
        changed |= _changed(scope, one)
        names.append(name)
    for name, one in zip(names, target.elts, strict=True):
        read = ast.copy_location(ast.Name(name, ast.Load()), value)
        nodes += put(scope, one, read, one)
    return nodes


def _changed(scope: Scope, target: ast.expr) -> set[Memory]:
    """The memory that an assignment changes."""
    base = owner(scope, target)
    return {base.type.memory} if base is not None and isinstance(base.type, Pointer) else set()


def _kept(scope: Scope, value: Expr, changed: set[Memory], target: ast.expr) -> Expr:
    """An array or a struct that a target before may change, as it is now: copied to the stack."""
    kind = value.type
    whole = isinstance(kind, Pointer) and isinstance(kind.target, ArrayType | StructType)
    alias = isinstance(target, ast.Name) or isinstance(value, Build)
    if not whole or kind.memory not in changed or alias:
        return value
    pointer = Pointer(kind.target, Memory.STACK)
    place = step(scope, value, kind.target, 0, target)
    return Spill(value.span, pointer, scope.own_slot(target, kind.target), place)


def _values(scope: Scope, target: ast.AST, node: ast.expr) -> tuple[list[Node], list[Expr]]:
    """What is to be done first, and the values."""
    if isinstance(node, ast.Tuple | ast.List):
        to = target.elts if isinstance(target, ast.Tuple | ast.List) else []
        pairs = zip_longest(node.elts, to[: len(node.elts)])
        return [], [_one(scope, item, one) for item, one in pairs]
    if isinstance(node, ast.Call) and _is_divmod(scope, node):
        return _divided(scope, node)
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


def _is_divmod(scope: Scope, node: ast.Call) -> bool:
    if not isinstance(node.func, ast.Name):
        return False
    called = scope.expr(node.func)
    return isinstance(called.type, Static) and called.type.value is divmod


def _divided(scope: Scope, node: ast.Call) -> tuple[list[Node], list[Expr]]:
    """``divmod(a, b)``: each side is worked out once."""
    before: list[Node] = []
    sides = []
    for index, written in enumerate(scope.arguments(node, 2, 2, "divmod()")):
        value = number(scope, written)
        if not is_local(value):
            name = f"side.{node.lineno}.{node.col_offset}.{index}"
            before += bound(scope, name, value, written)
            value = scope.variable(name, written) or value
        sides.append(value)
    return before, [binary(scope, op, sides[0], sides[1], node) for op in ("//", "%")]


def items(call: SubCall) -> list[Expr]:
    """The results of a call."""
    kinds = call.type.items
    return [
        Item(call.span, kind, call.out, call.type.size, index) for index, kind in enumerate(kinds)
    ]


def _one(scope: Scope, node: ast.expr, target: ast.expr | None) -> Expr:
    """A value that is kept while others are worked out: a number, or a pointer that a variable gets."""
    value = scope.expr(node)
    maybe = isinstance(value.type, Pointer) and value.type.nullable
    named = target is None or isinstance(target, ast.Name)
    whole = named and (isinstance(value, Local | MapCall) or maybe)
    return value if whole else dereferenced(scope, value, node)


def gives_several(scope: Scope, node: ast.expr) -> bool:
    """Whether an expression is several values."""
    if isinstance(node, ast.IfExp):
        return any(gives_several(scope, side) for side in _sides(scope, node))
    if isinstance(node, ast.Call):
        return isinstance(scope.expr(node).type, Several)
    return isinstance(node, ast.Tuple)


def _sides(scope: Scope, node: ast.IfExp) -> tuple[ast.expr, ...]:
    """The sides of a choice; where the test is known while compiling, the one that there is."""
    no = scope.expr(ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test))
    if isinstance(no, Const):
        return (node.orelse if no.value else node.body,)
    return (node.body, node.orelse)


def returned(scope: Scope, node: ast.expr) -> tuple[list[Node], Expr]:
    """What ``return a, b`` or ``return f(x)`` does first, and the values together; else the one value."""
    if isinstance(node, ast.Tuple):
        return [], _together(scope, [_result(scope, item) for item in node.elts], node)
    value = scope.expr(node)
    if isinstance(value, SubCall) and isinstance(value.type, Several):
        return [Evaluate(value.span, value)], _together(scope, items(value), node)
    return [], value


def _together(scope: Scope, values: list[Expr], node: ast.AST) -> Together:
    if scope.entry:
        raise scope.error(node, f"{scope.kind.name} programs return one number")
    kind = Several(tuple(value.type for value in values))
    return Together(scope.span(node), kind, tuple(values))


def _result(scope: Scope, node: ast.expr) -> Expr:
    value = scope.expr(node)
    if isinstance(value, StaticValue) or value.type is VOID:
        problem = f"{describe(value.type)} cannot be returned"
        raise scope.error(node, problem, instead.of_number(value.type, node))
    if isinstance(value.type, Pointer) and value.type.memory is Memory.RECORD:
        raise scope.error(
            node, "a reserved record is not one of several results", "return it alone"
        )
    if isinstance(value.type, Pointer) and value.type.nullable:
        return value
    return dereferenced(scope, value, node)
