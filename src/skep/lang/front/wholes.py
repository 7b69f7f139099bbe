"""Arrays changed as wholes: ``a |= b``, ``a &= b`` and ``a ^= b``, word by word.

A short array is a row of statements, a long one a loop. Both sides lie in the same order of bytes, so that words may
be wider than elements.
"""

import ast
from math import gcd

from skep.lang.front.access import aligned, buffer, value_at, writable
from skep.lang.front.scope import Scope
from skep.lang.front.structs import alike, type_name
from skep.lang.front.variables import bound
from skep.lang.tree import Binary, Const, Convert, Expr, For, Load, Local, Node, Place, Store
from skep.lang.types import ArrayType, IntType, u8, u16, u32, u64

OPERATIONS = ("|", "&", "^")
WORDS: dict[int, IntType] = {8: u64, 4: u32, 2: u16, 1: u8}
ROW = 16
"""The most words that are written out."""


def changed(scope: Scope, op: str, place: Place, value: ast.expr, node: ast.AST) -> list[Node]:
    """The statements of ``place op= value``. Raises CompileError where the two are no arrays alike."""
    if op not in OPERATIONS or not isinstance(place.type.element, IntType):
        problem = f"{type_name(place.type)} is changed as a whole by |=, &= and ^= only"
        raise scope.error(node, problem, "go over its elements: for i in range(len(a)):")
    source = buffer(scope, value)
    if source.type != place.type and not alike(source.type, place.type):
        problem = f"{type_name(source.type)} and {type_name(place.type)} do not go together"
        raise scope.error(value, problem, "both sides take the same type")
    writable(scope, place, node)
    before, sides, size = [], [], 8
    for role, side in (("whole", place), ("other", source)):
        name = f"{role}.{getattr(node, 'lineno', 0)}.{getattr(node, 'col_offset', 0)}"
        before += bound(scope, name, value_at(scope, side, node), node)
        base = scope.variable(name, node)
        sides.append(base)
        size = gcd(size, aligned(side), int(place.type.size))
    return before + _words(scope, op, sides, (size, place.type), node)


def _words(
    scope: Scope, op: str, sides: list[Expr | None], shape: tuple[int, ArrayType], node: ast.AST
) -> list[Node]:
    span, (size, whole) = scope.span(node), shape
    kind, count = WORDS[size], whole.size // size

    def word(offset: int, index: Expr | None) -> Node:
        at, other = (
            Place(span, kind, side, offset, index, size if index else 0) for side in sides if side
        )
        return Store(
            span, at, Binary(span, kind, op, Load(span, kind, at), Load(span, kind, other))
        )

    if count <= ROW:
        return [word(size * i, None) for i in range(count)]
    name = f"word.{getattr(node, 'lineno', 0)}.{getattr(node, 'col_offset', 0)}"
    scope.declared[name] = u32
    index = Convert(span, u64, Local(span, u32, name))
    ends = Const(span, u32, 0), Const(span, u32, count)
    return [For(span, name, u32, *ends, 1, (word(0, index),))]
