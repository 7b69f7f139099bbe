"""Numbers that lie in network order: turned as they are read, turned back as they are set, and nowhere else.

What a program turns once more, as in C, is an error: it would be another number.
"""

import ast

from skep.lang.front.scope import Scope
from skep.lang.intrinsics import Intrinsic
from skep.lang.tree import Convert, Expr, Local, Swap
from skep.lang.types import IntType
from skep.lang.values import BY_SHAPE, Pointer, Static, register

FROM, TO = "ntoh", "hton"
"""How the names of the functions begin that turn a number from and to network order."""


def turned(kind: IntType, value: Expr) -> Expr:
    """A number that was read from memory of type ``kind``, as the host has it."""
    return Swap(value.span, register(kind), value, read=True) if kind.big_endian else value


def laid(kind: IntType, value: Expr) -> Expr:
    """A number as it lies in memory of type ``kind``."""
    if not kind.big_endian:
        return value
    value = Swap(value.span, register(kind), value)
    wide = BY_SHAPE[kind.bits, False]
    return value if value.type is wide else Convert(value.span, wide, value)


def was_turned(scope: Scope, value: Expr) -> bool:
    """Whether a number was turned as it was read, or a variable holds such a number."""
    if isinstance(value, Local) and isinstance(value.type, IntType):
        return value.name in scope.turned
    lies = value.type.target if isinstance(value.type, Pointer) else None
    if isinstance(lies, IntType):
        return lies.big_endian
    return isinstance(value, Swap) and value.read


def refuse_again(scope: Scope, name: str, argument: tuple[ast.expr, Expr], node: ast.AST) -> None:
    """Refuse ``ntohs(...)`` of a number that was turned as it was read; a cast says that it is meant."""
    written, value = argument
    plain = isinstance(written, ast.Name | ast.Attribute | ast.Subscript)
    if plain and name.startswith(FROM) and was_turned(scope, value):
        problem = f"{ast.unparse(written)} is an ordinary number: it was turned as it was read"
        raise scope.error(node, problem, f"leave {name}() out")


def refuse_beside(scope: Scope, value: Expr, node: ast.expr) -> None:
    """Refuse ``htons(...)`` beside a number that was turned as it was read."""
    if was_turned(scope, value):
        _refuse_call(scope, node, "what stands beside it is an ordinary number")


def refuse_into(scope: Scope, kind: IntType, node: ast.expr) -> None:
    """Refuse ``htons(...)`` as what is put into memory of type ``kind``, where that lies in network order."""
    if kind.big_endian:
        _refuse_call(scope, node, "it goes where numbers are turned as they are set")


def _refuse_call(scope: Scope, node: ast.expr, why: str) -> None:
    written = node.func if isinstance(node, ast.Call) else None
    name = getattr(written, "id", getattr(written, "attr", ""))
    if written is None or not name.startswith(TO):
        return
    called = scope.expr(written)
    known = called.type.value if isinstance(called.type, Static) else None
    if isinstance(known, Intrinsic) and known.name.startswith(TO):
        problem = f"{ast.unparse(node)} is turned once too often: {why}"
        raise scope.error(node, problem, f"leave {known.name}() out")
