"""What a loop runs over but a plain ``range``: tuples, arrays, and ``enumerate``, ``zip`` and ``reversed`` of them.

Each is a number of rounds that is known while compiling, and what the loop's variables get in a round.
"""

import ast
from collections.abc import Callable
from typing import Any

from skep.base.frozen import frozen
from skep.lang.front import instead
from skep.lang.front.access import told
from skep.lang.front.integers import constant, number
from skep.lang.front.methods import is_map
from skep.lang.front.scope import Scope
from skep.lang.front.tables import checked, chosen
from skep.lang.front.variables import bound
from skep.lang.tree import Binary, Const, Convert, Expr, Node, NoneValue, StaticValue
from skep.lang.types import ArrayType, s64
from skep.lang.values import UNKNOWN, Literal, Pointer

Item = Expr | tuple["Item", ...]
"""What the variables of a loop get: one value, or as many as the loop has variables."""


@frozen
class Rounds:
    """``count`` rounds; ``item`` gives what the variables get in the round of a number. ``before`` is done first."""

    count: int
    item: Callable[[ast.expr], Item]
    before: tuple[Node, ...] = ()


def rounds(scope: Scope, node: ast.expr, body: list[ast.stmt]) -> Rounds:
    """The rounds of a loop over ``node``. Raises CompileError where it runs over nothing of the kind."""
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    if isinstance(node, ast.Call) and name in CALLS:
        return CALLS[name](scope, node, body)
    if isinstance(node, ast.Tuple | ast.List):
        return _table(scope, node, tuple(_constant(scope, item) for item in node.elts))
    value = scope.expr(node)
    held = value.type.value if isinstance(value, StaticValue) else None
    if isinstance(held, tuple | range):
        return _table(scope, node, tuple(held))
    if value.type is UNKNOWN:
        return Rounds(1, lambda _: NoneValue(value.span, UNKNOWN))
    if isinstance(value.type, Pointer) and isinstance(value.type.target, ArrayType):
        return _array(scope, node, value, body)
    hint = instead.of_iteration(value.type, is_map=is_map(value))
    problem = "a loop runs over range(...), a tuple of numbers, or an array"
    raise scope.error(node, problem, hint)


def assigned(scope: Scope, target: ast.expr, item: Item) -> list[Node]:
    """The variables of a loop get their values."""
    if isinstance(target, ast.Tuple | ast.List) and isinstance(item, tuple):
        if len(target.elts) == len(item):
            pairs = zip(target.elts, item, strict=True)
            return [node for one, value in pairs for node in assigned(scope, one, value)]
    elif isinstance(target, ast.Name) and not isinstance(item, tuple):
        return bound(scope, target.id, item, target)
    have = len(target.elts) if isinstance(target, ast.Tuple | ast.List) else 1
    wanted = len(item) if isinstance(item, tuple) else 1
    if have == wanted:
        raise scope.error(target, "the variable of a loop is a name")
    names = f"{wanted} variables" if wanted > 1 else "one variable"
    raise scope.error(target, f"this loop has {names}, not {have}")


def _constant(scope: Scope, node: ast.expr) -> Any:
    """A number that is written out, or a row of them."""
    if isinstance(node, ast.Tuple):
        return tuple(_constant(scope, item) for item in node.elts)
    value = scope.expr(node)
    if isinstance(value, Const):
        return value.value
    hint = "put the values into an array, as in u32[4](), and go over that"
    if isinstance(value, StaticValue):
        hint = "write the body once for each, or a function that is given each"
    raise scope.error(node, "a tuple that a loop runs over holds constant numbers", hint)


def _table(scope: Scope, node: ast.expr, values: tuple[Any, ...]) -> Rounds:
    """The numbers of a tuple, or its rows of so many numbers each."""
    widths = {len(value) if isinstance(value, tuple) else 0 for value in values}
    if len(widths) == 1 and widths != {0}:
        columns = [_table(scope, node, column) for column in zip(*values, strict=True)]
        return Rounds(len(values), lambda at: tuple(column.item(at) for column in columns))
    numbers = checked(scope, values, node) if values else ()
    return Rounds(len(numbers), lambda at: chosen(scope, numbers, number(scope, at), node))


def _array(scope: Scope, node: ast.expr, value: Expr, body: list[ast.stmt]) -> Rounds:
    """The elements of an array, which is found once where the body may change what leads to it."""
    base: ast.expr = node
    before: tuple[Node, ...] = ()
    if not _stays(node, body):
        base = named = _named(node, "over")
        before = tuple(bound(scope, named.id, value, node))

    def item(at: ast.expr) -> Item:
        return scope.expr(ast.copy_location(ast.Subscript(base, at, ast.Load()), node))

    return Rounds(told(scope, value.type.target, node), item, before)


def _stays(node: ast.expr, body: list[ast.stmt]) -> bool:
    """Whether a variable, or a field of one, leads to the same place in each round."""
    while isinstance(node, ast.Attribute):
        node = node.value
    changed = {
        part.id
        for statement in body
        for part in ast.walk(statement)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    return isinstance(node, ast.Name) and node.id not in changed


def _named(node: ast.expr, role: str) -> ast.Name:
    """A variable that the source does not have."""
    name = ast.Name(f"{role}.{node.lineno}.{node.col_offset}", ast.Load())
    return ast.copy_location(name, node)


# --- calls ------------------------------------------------------------------------------------------------------------


def _range(scope: Scope, node: ast.Call, _body: list[ast.stmt]) -> Rounds:
    """A range within another call: its ends are constants."""
    values = [number(scope, one) for one in scope.arguments(node, 1, 3, "range()")]
    known = [value.value for value in values if isinstance(value, Const)]
    if len(known) < len(values) or known[2:] == [0]:
        hint = "loop over range(...), and take the elements by their places"
        raise scope.error(node, "a range beside other things has constant ends", hint)
    numbers = range(*known)

    def item(at: ast.expr) -> Item:
        span, kind = scope.span(node), Literal(min(numbers), max(numbers))
        place: Expr = Convert(span, s64, number(scope, at))
        place = Binary(span, s64, "*", place, Const(span, s64, numbers.step))
        return Convert(span, kind, Binary(span, s64, "+", place, Const(span, s64, numbers.start)))

    return Rounds(len(numbers), item)


def _enumerate(scope: Scope, node: ast.Call, body: list[ast.stmt]) -> Rounds:
    of, *start = scope.arguments(node, 1, 2, "enumerate()")
    start += _keyword(scope, node, "start")
    begin = number(scope, start[0]) if start else constant(scope, node, 0)
    if not isinstance(begin, Const):
        raise scope.error(start[0], "enumerate() begins at a constant")
    inner = rounds(scope, of, body)
    first, last = begin.value, begin.value + max(0, inner.count - 1)

    def item(at: ast.expr) -> Item:
        span, place = scope.span(node), number(scope, at)
        wide = Binary(span, s64, "+", Convert(span, s64, place), Const(span, s64, first))
        return Convert(span, Literal(first, last), wide), inner.item(at)

    return Rounds(inner.count, item, inner.before)


def _keyword(scope: Scope, node: ast.Call, name: str) -> list[ast.expr]:
    """The argument of that name, where there is one. Raises CompileError at one of another name."""
    for keyword in node.keywords:
        if keyword.arg != name:
            called = ast.unparse(node.func)
            raise scope.error(
                keyword.value,
                f"{called}() knows no {keyword.arg!r}",
                f"it knows {name!r}" if name else "",
            )
    return [keyword.value for keyword in node.keywords]


def _zip(scope: Scope, node: ast.Call, body: list[ast.stmt]) -> Rounds:
    beside = [rounds(scope, one, body) for one in scope.arguments(node, 2, 8, "zip()")]
    before = tuple(part for one in beside for part in one.before)
    fewest = min(one.count for one in beside)
    strict = [number(scope, said) for said in _keyword(scope, node, "strict")]
    lengths = sorted({one.count for one in beside})
    if any(isinstance(said, Const) and said.value for said in strict) and len(lengths) > 1:
        raise scope.error(node, f"these have {' and '.join(map(str, lengths))} elements")
    return Rounds(fewest, lambda at: tuple(one.item(at) for one in beside), before)


def _reversed(scope: Scope, node: ast.Call, body: list[ast.stmt]) -> Rounds:
    (of,) = scope.arguments(node, 1, 1, "reversed()")
    _keyword(scope, node, "")
    inner = rounds(scope, of, body)

    def item(at: ast.expr) -> Item:
        last = ast.copy_location(ast.Constant(inner.count - 1), at)
        return inner.item(ast.copy_location(ast.BinOp(last, ast.Sub(), at), at))

    return Rounds(inner.count, item, inner.before)


CALLS: dict[str, Callable[[Scope, ast.Call, list[ast.stmt]], Rounds]] = {
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "reversed": _reversed,
}
