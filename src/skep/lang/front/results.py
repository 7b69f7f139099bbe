"""What a function gives: the type that its returns have in common, and each return as that type.

Returns are fitted when all of a function was read, for only then is it known what they have in common.
"""

import ast
from dataclasses import replace

from skep.base.errors import CompileError
from skep.lang.front.global_functions import declared_result
from skep.lang.front.scope import Scope
from skep.lang.front.variables import fitted
from skep.lang.tree import Expr, For, If, Node, Return, Together, While
from skep.lang.types import IntType
from skep.lang.values import (
    BOOL,
    NONE,
    UNKNOWN,
    VOID,
    Literal,
    Pointer,
    Several,
    Type,
    describe,
    join,
    literal_type,
)


def result(scope: Scope) -> Type:
    """The type of what a function gives. Raises CompileError where its returns do not go together."""
    found: Type = UNKNOWN
    wanted = declared_result(scope.function)
    for made in scope.returns:
        kind = made.value.type if made.value is not None else VOID
        kind = wanted if isinstance(wanted, IntType) and _is_number(kind) else kind
        joined = join(found, kind)
        if joined is None:
            problem = f"returns {describe(found)} in one place and {describe(kind)} in another"
            nothing = VOID in (found, kind) or NONE in (found, kind)
            hint = "return a number on every path, as -1 for none" if nothing else ""
            span = scope.span(scope.returns[made])
            raise CompileError(f"{scope.function.__name__}() {problem}", span, hint)
        found = joined
    if not scope.returns:
        return VOID
    if isinstance(found, Several):
        return Several(tuple(_settled(item) for item in found.items))
    return _settled(found)


def _is_number(kind: Type) -> bool:
    return (
        kind is BOOL
        or isinstance(kind, Literal | IntType)
        or (isinstance(kind, Pointer) and isinstance(kind.target, IntType))
    )


def _settled(kind: Type) -> Type:
    return literal_type(kind) if isinstance(kind, Literal) else kind


def returning(scope: Scope, nodes: tuple[Node, ...], kind: Type) -> tuple[Node, ...]:
    """The statements of a function that gives values of that type."""
    return tuple(_returning(scope, node, kind) for node in nodes)


def _returning(scope: Scope, node: Node, kind: Type) -> Node:
    match node:
        case Return(value=Expr() as value) if node in scope.returns:
            written = scope.returns[node]
            return replace(node, value=_fitted(scope, value, kind, written))
        case If(then=then, other=other):
            then, other = returning(scope, then, kind), returning(scope, other, kind)
            return replace(node, then=then, other=other)
        case For(body=body) | While(body=body):
            return replace(node, body=returning(scope, body, kind))
    return node


def _fitted(scope: Scope, value: Expr, kind: Type, node: ast.AST) -> Expr:
    if not isinstance(value, Together):
        return fitted(scope, value, kind, node)
    kinds = kind.items if isinstance(kind, Several) else value.type.items
    pairs = zip(value.items, kinds, strict=True)
    items = tuple(fitted(scope, item, one, node) for item, one in pairs)
    return Together(value.span, Several(tuple(kinds)), items)
