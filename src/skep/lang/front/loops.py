"""Loops: ``for`` over ``range(...)``, ``while``, ``break`` and ``continue``. How they run is decided later."""

import ast
from typing import Any

from skep.lang.front.expressions import truth
from skep.lang.front.integers import constant, converted, meeting, number
from skep.lang.front.scope import Scope
from skep.lang.front.tables import checked, chosen
from skep.lang.front.variables import bound
from skep.lang.tree import Break, Const, Continue, Expr, For, Local, Node, StaticValue, While
from skep.lang.types import IntType, u32
from skep.lang.values import Literal


def counted(scope: Scope, node: ast.For) -> list[Node]:
    """``for name in range(...)``."""
    _refuse_else(scope, node)
    if not isinstance(node.target, ast.Name):
        raise scope.error(node.target, "a loop has one variable")
    table = _table(scope, node.iter)
    if table is not None:
        return _over(scope, node, node.target.id, table)
    start, stop, step = _range(scope, node)
    kind = meeting(scope, start, stop, node.iter)
    if isinstance(kind, Literal) and isinstance(start, Const) and isinstance(stop, Const):
        kind = Literal(min(start.value, stop.value), max(start.value, stop.value), kind.names)
    kind = scope.assign(node.target.id, kind, node.target)
    if isinstance(kind, IntType):
        start, stop = (
            converted(scope, start, kind, node.iter),
            converted(scope, stop, kind, node.iter),
        )
    body = _body(scope, node)
    return [For(scope.span(node.iter), node.target.id, kind, start, stop, step, body)]


def _table(scope: Scope, node: ast.expr) -> tuple[Any, ...] | None:
    """The captured tuple that a loop runs over; None where it runs over something else."""
    if not isinstance(node, ast.Name | ast.Attribute):
        return None
    value = scope.expr(node)
    held = value.type.value if isinstance(value, StaticValue) else None
    return held if isinstance(held, tuple) else None


def _over(scope: Scope, node: ast.For, name: str, table: tuple[Any, ...]) -> list[Node]:
    """A loop over the numbers of a table, by their places."""
    span, count = scope.span(node.iter), len(checked(scope, table, node.iter))
    place = f"place.{node.lineno}.{node.col_offset}"
    scope.declared[place] = u32
    number_of = chosen(scope, table, Local(span, u32, place), node.iter)
    first = bound(scope, name, number_of, node.target)
    body = (*first, *_body(scope, node))
    return [For(span, place, u32, Const(span, u32, 0), Const(span, u32, count), 1, body)]


def repeated(scope: Scope, node: ast.While) -> list[Node]:
    """``while test``."""
    _refuse_else(scope, node)
    test = truth(scope, node.test)
    if isinstance(test, Const) and not test.value:
        return []
    return [While(scope.span(node.test), test, _body(scope, node))]


def _refuse_else(scope: Scope, node: ast.For | ast.While) -> None:
    if node.orelse:
        raise scope.error(
            node, "else of a loop is not part of the language", "set a variable before break"
        )


def _body(scope: Scope, node: ast.For | ast.While) -> tuple[Node, ...]:
    scope.loops += 1
    body = scope.block(node.body)
    scope.loops -= 1
    return body


def _range(scope: Scope, node: ast.For) -> tuple[Expr, Expr, int]:
    ranged = (
        isinstance(node.iter, ast.Call)
        and isinstance(node.iter.func, ast.Name)
        and node.iter.func.id == "range"
    )
    if (
        not ranged
        or not isinstance(node.iter, ast.Call)
        or not 1 <= len(node.iter.args) <= 3
        or node.iter.keywords
    ):
        raise scope.error(
            node.iter, "a loop runs over range(...), or a captured tuple", "for i in range(N):"
        )
    values = [number(scope, argument) for argument in node.iter.args]
    if len(values) == 1:
        return constant(scope, node.iter, 0), values[0], 1
    step = values[2] if len(values) == 3 else constant(scope, node.iter, 1)
    if not isinstance(step, Const) or step.value == 0:
        raise scope.error(node.iter, "the step of range(...) is a constant other than 0")
    return values[0], values[1], step.value


def leave(scope: Scope, node: ast.Break) -> list[Node]:
    """``break``."""
    return [Break(scope.span(node))]


def go_on(scope: Scope, node: ast.Continue) -> list[Node]:
    """``continue``."""
    return [Continue(scope.span(node))]
