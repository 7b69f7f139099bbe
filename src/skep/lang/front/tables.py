"""Captured tuples as tables: an index that is not known, and loops over what they hold. Elements are numbers."""

import ast
from typing import Any

from skep.lang.front.scope import Scope
from skep.lang.tree import Compare, Const, Convert, Expr, Once, Select
from skep.lang.types import s64
from skep.lang.values import BOOL, Literal

LONGEST = 64


def chosen(scope: Scope, values: tuple[Any, ...], index: Expr, node: ast.AST) -> Expr:
    """The element at an index that the program works out; beyond the end, the last one."""
    numbers = checked(scope, values, node)
    span, kind = scope.span(node), Literal(min(numbers), max(numbers))
    wide = index if index.type is s64 else Convert(index.span, s64, index)
    where = Once(span, s64, wide)
    found: Expr = Const(span, kind, numbers[-1])
    for place, value in reversed(list(enumerate(numbers[:-1]))):
        here = Compare(span, BOOL, "==", where, Const(span, s64, place))
        found = Select(span, kind, here, Const(span, kind, value), found)
    return found


def checked(scope: Scope, values: tuple[Any, ...], node: ast.AST) -> tuple[int, ...]:
    """The numbers of a table. Raises CompileError where it is none, or too long."""
    if not values or not all(isinstance(value, int) for value in values):
        hint = "index it by a constant, or keep the table in a map"
        raise scope.error(node, "a table in a program holds numbers", hint)
    if len(values) > LONGEST:
        hint = "keep it in a skep.Array"
        raise scope.error(node, f"a table in a program has at most {LONGEST} numbers", hint)
    return tuple(int(value) for value in values)
