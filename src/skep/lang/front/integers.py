"""Integers in the front end: conversion, and the type of an operation. The rules are those of ``docs/language.md``."""

import ast
import operator
from collections.abc import Callable

from skep.base.errors import CompileError
from skep.lang.front import instead
from skep.lang.front.network_order import turned
from skep.lang.front.scope import Scope
from skep.lang.tree import Binary, Const, Convert, Expr, Load, Local, Place
from skep.lang.types import IntType, s32, s64, u32, u64
from skep.lang.values import (
    BOOL,
    NONE,
    UNKNOWN,
    Literal,
    Pointer,
    Simple,
    Type,
    common,
    describe,
    fits,
    promote,
    register,
)

ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
}
WIDTH = 64
REFUSED: dict[type[ast.operator], tuple[str, str, str]] = {
    ast.Div: ("/", "gives a fraction, which the kernel has not", "use //"),
    ast.Pow: ("**", "is not part of the language", "multiply, or shift a 1 to the left"),
    ast.MatMult: ("@", "is not part of the language", ""),
}


def constant(scope: Scope, node: ast.AST, value: int) -> Const:
    """A literal. Raises CompileError where no 64-bit integer holds it."""
    if not s64.low <= value <= u64.high:
        raise scope.error(node, f"{value} does not fit into 64 bits")
    return Const(scope.span(node), Literal(value, value), value)


def dereferenced(scope: Scope, value: Expr, node: ast.AST) -> Expr:
    """The number behind a pointer to a number; anything else as it is."""
    if isinstance(value.type, Pointer) and isinstance(value.type.target, IntType):
        return loaded(scope, Place(scope.span(node), value.type.target, value), node)
    return value


def loaded(scope: Scope, place: Place, node: ast.AST) -> Expr:
    """The number at a place, in the host's byte order."""
    kind = place.type
    return turned(kind, Load(scope.span(node), register(kind), place))


def number(scope: Scope, node: ast.expr) -> Expr:
    """An expression that is to be a number. Raises CompileError where it is none."""
    value = dereferenced(scope, scope.expr(node), node)
    if isinstance(value.type, IntType | Literal) or value.type in (BOOL, UNKNOWN):
        return value
    raise _no_number(scope, value, node)


def _no_number(scope: Scope, value: Expr, node: ast.AST) -> CompileError:
    problem = f"a number is wanted here, not {describe(value.type)}"
    absent = instead.of_absent(scope.optional, node) if value.type is NONE else ""
    return scope.error(node, problem, absent or instead.of_number(value.type, node))


def converted(
    scope: Scope, value: Expr, kind: IntType, node: ast.AST, *, wrap: bool = False
) -> Expr:
    """A number as ``kind``; constants out of range are an error unless ``wrap``."""
    value = dereferenced(scope, value, node)
    kind = register(kind)
    scope.hint(value.type, kind)
    if isinstance(value, Const):
        if not wrap and not fits(value.value, kind):
            raise scope.error(
                node,
                f"{value.value} does not fit into {kind!r}",
                f"write {kind!r}({value.value}) to wrap around",
            )
        return Const(value.span, kind, kind.wrap(value.value))
    if value.type is kind:
        return value
    if isinstance(value.type, IntType | Literal) or value.type in (BOOL, UNKNOWN):
        return Convert(scope.span(node), kind, value)
    raise _no_number(scope, value, node)


def meeting(scope: Scope, left: Expr, right: Expr, node: ast.AST) -> Type:
    """The type of an operation on two numbers. Raises CompileError where signs mix and neither type holds both."""
    kinds = [promote(v.type) if isinstance(v.type, IntType) else v.type for v in (left, right)]
    kinds = [Literal(0, 1) if kind is BOOL else kind for kind in kinds]
    a, b = kinds
    if UNKNOWN in (a, b):
        return UNKNOWN
    scope.hint(a, b)
    scope.hint(b, a)
    match a, b:
        case (Literal(), Literal()):
            return Literal(None, None, a.names | b.names)
        case (Literal(), IntType()):
            return _with_literal(a, b)
        case (IntType(), Literal()):
            return _with_literal(b, a)
    kind = common(a, b)
    if kind is None:
        raise scope.error(
            node,
            f"{_signed_name(a)} and {_signed_name(b)} do not mix",
            f"convert one of the two: {a!r}(...) or {b!r}(...)",
        )
    return kind


def _signed_name(kind: IntType) -> str:
    return f"{kind!r} ({'signed' if kind.signed else 'unsigned'})"


def _with_literal(literal: Literal, kind: IntType) -> IntType:
    """The type of a number and a literal: the number's, or a wider one of its sign that holds the literal."""
    if literal.low is None or literal.high is None:
        return kind
    wider = (s32, s64) if kind.signed else (u32, u64)
    low = literal.low if kind.signed else max(literal.low, 0)
    holding = (w for w in wider if fits(low, w) and fits(max(literal.high, 0), w))
    return next((w for w in holding if w.bits >= kind.bits), kind)


FOLDS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": lambda left, right: left // right if right else 0,
    "%": lambda left, right: left % right if right else left,
    "<<": operator.lshift,
    ">>": operator.rshift,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}


def fold(op: str, left: int, right: int) -> int | None:
    """The result on two literals as Python has it, division by zero as the kernel has it; None: a shift too far."""
    if op in ("<<", ">>") and not 0 <= right < WIDTH:
        return None
    return FOLDS[op](left, right)


def operation(scope: Scope, node: ast.BinOp | ast.AugAssign) -> str:
    """The operator of a node. Raises CompileError where the language has none such."""
    kind = type(node.op)
    if kind in ARITHMETIC:
        return ARITHMETIC[kind]
    word, problem, hint = REFUSED[kind]
    equals = "=" if isinstance(node, ast.AugAssign) else ""
    raise scope.error(
        node, f"{word}{equals} {problem}", f"{hint}{equals}" if "//" in hint else hint
    )


def binary(scope: Scope, op: str, left: Expr, right: Expr, node: ast.AST) -> Expr:
    """Arithmetic on two numbers."""
    if isinstance(left, Const) and isinstance(right, Const):
        both_literal = isinstance(left.type, Literal) and isinstance(right.type, Literal)
        value = fold(op, left.value, right.value)
        if value is None:
            raise scope.error(node, f"a shift by {right.value} is outside 0..63")
        if both_literal:
            return constant(scope, node, value)
    if op in ("<<", ">>"):
        return _shift(scope, op, left, right, node)
    kind = meeting(scope, left, right, node)
    if op in ("//", "%"):
        _refuse_wrapped(scope, (left, right), kind, node)
    left, right = fitted(scope, left, kind, node), fitted(scope, right, kind, node)
    return Binary(scope.span(node), kind, op, left, right)


def _refuse_wrapped(scope: Scope, sides: tuple[Expr, Expr], kind: Type, node: ast.AST) -> None:
    """Refuse to divide by or into a literal that wraps around: the quotient would be another one."""
    for side in sides:
        if isinstance(kind, IntType) and isinstance(side, Const) and not fits(side.value, kind):
            hint = "convert the other side to a type that holds both, as in s64(...)"
            raise scope.error(node, f"{side.value} does not fit into {kind!r}", hint)


def fitted(scope: Scope, value: Expr, kind: Type, node: ast.AST) -> Expr:
    """An operand as the operation takes it; a truth value among mere literals counts as 0 or 1."""
    if isinstance(kind, IntType):
        return converted(scope, value, kind, node, wrap=True)
    if isinstance(kind, Literal) and value.type is BOOL:
        return Convert(value.span, s64, value)
    return value


def _shift(scope: Scope, op: str, left: Expr, right: Expr, node: ast.AST) -> Expr:
    kind = _shifted(left)
    if isinstance(right, Const) and isinstance(kind, IntType) and not 0 <= right.value < kind.bits:
        raise scope.error(
            node,
            f"a shift by {right.value} is outside 0..{kind.bits - 1}, the width of {kind!r}",
            f"widen it first: u64(...) {op} {right.value}",
        )
    if isinstance(kind, IntType):
        left = converted(scope, left, kind, node, wrap=True)
        right = converted(scope, right, kind, node, wrap=True)
    return Binary(scope.span(node), kind, op, left, right)


def _shifted(left: Expr) -> Type:
    """The type of a shift: that of its left side; a mere literal has 64 bits."""
    match left.type:
        case IntType() as kind:
            return promote(kind)
        case Literal(names=names) if names:
            return Literal(None, None, names)
        case Literal(low=low):
            return u64 if low is None or low >= 0 else s64
        case Simple.BOOL:
            return u64
    return left.type


def is_local(value: Expr) -> bool:
    """Whether evaluating twice is free of effects."""
    return isinstance(value, Local | Const)
