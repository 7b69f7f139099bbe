"""Loops: ``for``, ``while``, ``break`` and ``continue``. How they run is decided later."""

import ast
from collections.abc import Callable

from skep.lang.front.expressions import truth
from skep.lang.front.integers import constant, converted, meeting, number
from skep.lang.front.iterables import assigned, rounds
from skep.lang.front.kernel_iterators import iterator_of, over
from skep.lang.front.named import before
from skep.lang.front.scope import Scope
from skep.lang.tree import (
    Address,
    Argument,
    Assign,
    Binary,
    Break,
    Compare,
    Const,
    Continue,
    Convert,
    Expr,
    For,
    If,
    Load,
    Local,
    Node,
    Opaque,
    Place,
    Slot,
    Swap,
    ValueAddress,
    While,
    walk,
)
from skep.lang.types import IntType, u32
from skep.lang.values import BOOL, Literal


def counted(scope: Scope, node: ast.For) -> list[Node]:
    """``for``: over ``range(...)``, or over what is known while compiling."""
    return _whole(scope, node, lambda: _counted(scope, node))


def _counted(scope: Scope, node: ast.For) -> list[Node]:
    ranged = node.iter
    iterator = iterator_of(scope, ranged)
    if isinstance(ranged, ast.Call) and iterator is not None:
        return over(scope, node, ranged, iterator, _body)
    if not isinstance(ranged, ast.Call) or not _is_range(ranged):
        return _over(scope, node)
    if not isinstance(node.target, ast.Name):
        raise scope.error(node.target, "a loop over range(...) has one variable")
    start, stop, step = _range(scope, ranged)
    kind = meeting(scope, start, stop, node.iter)
    if isinstance(kind, Literal) and isinstance(start, Const) and isinstance(stop, Const):
        kind = Literal(min(start.value, stop.value), max(start.value, stop.value), kind.names)
    kind = scope.assign(node.target.id, kind, node.target)
    if isinstance(kind, IntType):
        count = _distance(ranged, start, stop, step, kind)
        start, stop = (
            converted(scope, start, kind, node.iter),
            converted(scope, stop, kind, node.iter),
        )
        if count is not None:
            return _from(
                scope,
                node,
                For(scope.span(node.iter), node.target.id, kind, start, stop, step, ()),
                count,
            )
    body = _body(scope, node)
    return [For(scope.span(node.iter), node.target.id, kind, start, stop, step, body)]


def _over(scope: Scope, node: ast.For) -> list[Node]:
    """A loop over a tuple, an array, or several beside each other, by their places."""
    each = rounds(scope, node.iter, node.body)
    if not each.count:
        return []
    span, place = scope.span(node.iter), _place(node)
    scope.declared[place] = u32
    first = assigned(scope, node.target, each.item(ast.copy_location(ast.Name(place), node.iter)))
    body = (*first, *_body(scope, node))
    ends = Const(span, u32, 0), Const(span, u32, each.count)
    return [*each.before, For(span, place, u32, *ends, 1, body)]


def _place(node: ast.For) -> str:
    """The variable that counts the rounds."""
    return f"place.{node.lineno}.{node.col_offset}"


PURE = (Local, Const, Load, Convert, Binary, Swap, Place, Address, Slot, ValueAddress, Argument)


def _distance(node: ast.Call, start: Expr, stop: Expr, step: int, kind: IntType) -> int | None:
    """The rounds of ``range(a, a + 8)``, whatever ``a`` is; None for any other range."""
    written = node.args[1] if len(node.args) > 1 else None
    if isinstance(start, Const) or not isinstance(written, ast.BinOp) or step < 0:
        return None
    same = isinstance(written.op, ast.Add) and ast.dump(written.left) == ast.dump(node.args[0])
    if not same or not isinstance(stop, Binary) or not isinstance(stop.right, Const):
        return None
    pure = all(isinstance(part, PURE) for part in walk(start))
    if not pure or kind.bits < stop.type.bits or stop.right.value < 1:
        return None
    return -(-stop.right.value // step)


def _from(scope: Scope, node: ast.For, loop: For, count: int) -> list[Node]:
    """A loop of so many rounds from a number that is not known: the verifier counts the rounds, not the number.

    Where the end wraps around there is no round, as for any end below the start.
    """
    span, kind, place = loop.span, loop.type, _place(node)
    begin = f"begin.{node.lineno}.{node.col_offset}"
    scope.declared |= {place: u32, begin: kind}
    at: Expr = Convert(span, kind, Opaque(span, u32, Local(span, u32, place)))
    if loop.step > 1:
        at = Binary(span, kind, "*", at, Const(span, kind, loop.step))
    now = Assign(span, loop.name, Binary(span, kind, "+", Local(span, kind, begin), at))
    ends = Const(span, u32, 0), Const(span, u32, count)
    counting = For(span, place, u32, *ends, 1, (now, *_body(scope, node)))
    test = Compare(span, BOOL, "<", Local(span, kind, begin), loop.stop)
    return [Assign(span, begin, loop.start), If(span, test, (counting,), ())]


def repeated(scope: Scope, node: ast.While) -> list[Node]:
    """``while test``."""
    first, written = before(node.test)
    span, named = scope.span(node.test), scope.block(first)
    test = truth(scope, written)
    if isinstance(test, Const) and not test.value:
        return [*named, *scope.block(node.orelse)]
    if not named:
        return _whole(scope, node, lambda: [While(span, test, _body(scope, node))])
    ends = (*named, If(span, test, (), (Break(span),)))
    on = Const(span, BOOL, 1)
    return _whole(scope, node, lambda: [While(span, on, (*ends, *_body(scope, node)))])


def _whole(scope: Scope, node: ast.For | ast.While, loop: Callable[[], list[Node]]) -> list[Node]:
    """A loop with its ``else``, which follows where no ``break`` ended the loop."""
    span, flag = scope.span(node), f"whole.{node.lineno}.{node.col_offset}"
    if not node.orelse:
        scope.flags.append("")
        made = loop()
        scope.flags.pop()
        return made
    scope.declared[flag] = u32
    scope.flags.append(flag)
    made = loop()
    scope.flags.pop()
    test = Compare(span, BOOL, "!=", Local(span, u32, flag), Const(span, u32, 0))
    begin = Assign(span, flag, Const(span, u32, 1))
    return [begin, *made, If(span, test, scope.block(node.orelse), ())]


def _body(scope: Scope, node: ast.For | ast.While) -> tuple[Node, ...]:
    scope.loops += 1
    body = scope.block(node.body)
    scope.loops -= 1
    return body


def _is_range(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "range"


def _range(scope: Scope, node: ast.Call) -> tuple[Expr, Expr, int]:
    values = [number(scope, one) for one in scope.arguments(node, 1, 3, "range()")]
    if len(values) == 1:
        return constant(scope, node, 0), values[0], 1
    step = values[2] if len(values) == 3 else constant(scope, node, 1)
    if not isinstance(step, Const) or step.value == 0:
        raise scope.error(node, "the step of range(...) is a constant other than 0")
    return values[0], values[1], step.value


def leave(scope: Scope, node: ast.Break) -> list[Node]:
    """``break``: what stands in the loop's ``else`` does not follow."""
    span, flag = scope.span(node), scope.flags[-1]
    ends = [Assign(span, flag, Const(span, u32, 0))] if flag else []
    return [*ends, Break(span)]


def go_on(scope: Scope, node: ast.Continue) -> list[Node]:
    """``continue``."""
    return [Continue(scope.span(node))]
