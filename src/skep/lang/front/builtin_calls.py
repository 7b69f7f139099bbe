"""Python's own functions in a program: ``min``, ``abs``, ``len``, ``print`` and their like; hints for the others."""

import ast
from collections.abc import Callable
from typing import Any

from skep.lang.front.access import located_length, told
from skep.lang.front.contexts import ends
from skep.lang.front.integers import binary, constant, converted, is_local, meeting, number
from skep.lang.front.presence import has
from skep.lang.front.prints import printed
from skep.lang.front.scope import Scope
from skep.lang.front.texts import known
from skep.lang.maps import Declaration
from skep.lang.tree import Binary, Const, Convert, Expr, Load, Once, Opaque, Place
from skep.lang.types import ArrayType, IntType, u32, u64
from skep.lang.values import BOOL, UNKNOWN, Memory, Pointer, Static, Type, describe

Side = tuple[ast.expr, Expr]
"""An operand, as it is written and as a value."""
NO_TEXT = "text is fixed bytes: char[N] in a Struct, or print(f'...') for debugging"
TYPED = "types are known while compiling: each is made for its own"
HINTS = {
    "any": "join the tests by or, or leave a for loop by break",
    "all": "join the tests by and, or leave a for loop by break",
    "sorted": "sort in Python, of what a map or a ring gives",
    "pow": "multiply, or shift a 1 to the left",
    "round": "there are integers only: add half of the divisor, and divide by //",
    "float": "scale it to an integer",
    "str": NO_TEXT,
    "repr": NO_TEXT,
    "bytes": "write them out, as in b'...', or make an array: u8[16]()",
    "list": "make an array: u32[16]()",
    "dict": "declare a skep.Hash outside the function",
    "set": "declare a skep.Hash outside the function",
    "isinstance": TYPED,
    "type": TYPED,
}
"""What to write in place of functions that a program has not."""


def _minmax(op: str) -> Callable[[Scope, ast.Call], Expr]:
    def run(scope: Scope, node: ast.Call) -> Expr:
        first, *others = scope.arguments(node, 2, 8, f"{op}()")
        found = number(scope, first)
        for written in others:
            found = _chosen(scope, op, ((first, found), (written, number(scope, written))), node)
            first = node
        return found

    return run


def _chosen(scope: Scope, op: str, sides: tuple[Side, Side], node: ast.Call) -> Expr:
    """The smaller, or the larger, of two."""
    (_, left), (_, right) = sides
    kind = meeting(scope, left, right, node)
    if isinstance(kind, IntType):
        left, right = (converted(scope, side, kind, written) for written, side in sides)
    return Binary(scope.span(node), kind, op, left, right)


def _abs(scope: Scope, node: ast.Call) -> Expr:
    """A number without its sign. The smallest of a type has no such in it, and stays what it is."""
    (written,) = scope.arguments(node, 1, 1, "abs()")
    value = number(scope, written)
    if isinstance(value.type, IntType) and not value.type.signed:
        return value
    once = value if is_local(value) else Once(value.span, value.type, value)
    less = binary(scope, "-", constant(scope, node, 0), once, node)
    return _chosen(scope, "max", ((node, once), (node, less)), node)


def _bool(scope: Scope, node: ast.Call) -> Expr:
    (written,) = scope.arguments(node, 1, 1, "bool()")
    no = ast.copy_location(ast.UnaryOp(ast.Not(), written), node)
    return scope.expr(ast.copy_location(ast.UnaryOp(ast.Not(), no), node))


def _len(scope: Scope, node: ast.Call) -> Expr:
    (argument,) = scope.arguments(node, 1, 1, "len()")
    text = known(scope, argument)
    if text is not None:
        return constant(scope, node, len(text))
    length = located_length(scope, argument)
    if length is not None:
        return length
    value = scope.expr(argument)
    if isinstance(value.type, Static) and isinstance(value.type.value, tuple):
        return constant(scope, node, len(value.type.value))
    if isinstance(value.type, Pointer) and isinstance(value.type.target, ArrayType):
        told(scope, value.type.target, argument)
        return constant(scope, node, value.type.target.count)
    if (
        isinstance(value.type, Pointer)
        and value.type.memory is Memory.CONTEXT
        and scope.kind.packet
    ):
        return _packet_length(scope, node, value)
    problem = f"len() takes an array, or the context of a packet, not {describe(value.type)}"
    raise scope.error(node, problem, _of_length(scope, value.type, argument))


def _of_length(scope: Scope, kind: Type, node: ast.expr) -> str:
    """A hint for what has no length that a program knows."""
    if isinstance(kind, Static) and isinstance(kind.value, Declaration):
        return "entries are counted in Python, len(live[map]); in a program, count in a skep.Global"
    if isinstance(kind, Pointer) and kind.memory is Memory.CONTEXT:
        shown = has(scope, kind, "len")
        return f"its field is the packet's length: {ast.unparse(node)}.len" if shown else ""
    return ""


def _packet_length(scope: Scope, node: ast.AST, context: Expr) -> Expr:
    """Bytes that ``view`` can reach: the verifier takes the difference of whole registers only."""
    span = scope.span(node)
    first, last, wide = ends(scope)
    sides = []
    for offset in (last, first):
        kind = u64 if wide else u32
        whole: Expr = Load(span, kind, Place(span, kind, context, offset))
        sides.append(Opaque(span, u64, whole if wide else Convert(span, u64, whole)))
    return Opaque(span, u64, Binary(span, u64, "-", sides[0], sides[1]))


def _ord(scope: Scope, node: ast.Call) -> Expr:
    (written,) = scope.arguments(node, 1, 1, "ord()")
    text = known(scope, written)
    if text is None or len(text) != 1:
        raise scope.error(node, "ord() takes one character that is known while compiling")
    return constant(scope, node, ord(text))


def _hasattr(scope: Scope, node: ast.Call) -> Expr:
    """Whether a struct, an enumeration or a context of the kernel compiled for has a name."""
    written, name_node = scope.arguments(node, 2, 2, "hasattr(object, name)")
    name = _name(scope, name_node)
    value = scope.expr(written)
    there = value.type is UNKNOWN or has(scope, value.type, name)
    if there is None:
        problem = f"hasattr() asks of a struct or an enumeration, not of {describe(value.type)}"
        raise scope.error(written, problem)
    return Const(scope.span(node), BOOL, int(there))


def _getattr(scope: Scope, node: ast.Call) -> Expr:
    """A field by text, as one that is called ``in``; with a third argument, that where there is no such field."""
    written, name_node, *default = scope.arguments(node, 2, 3, "getattr(object, name)")
    name = _name(scope, name_node)
    if default and has(scope, scope.expr(written).type, name) is False:
        return scope.expr(default[0])
    return scope.expr(ast.copy_location(ast.Attribute(written, name, ast.Load()), node))


def _name(scope: Scope, node: ast.expr) -> str:
    name = known(scope, node)
    if isinstance(name, str):
        return name
    raise scope.error(node, "the name of a field is text that is known while compiling")


def _int(scope: Scope, node: ast.Call) -> Expr:
    raise scope.error(
        node, "int(...) has no width in the kernel", "write u64(...), u32(...) or s64(...)"
    )


def _ranges(name: str) -> Callable[[Scope, ast.Call], Expr]:
    def run(scope: Scope, node: ast.Call) -> Expr:
        raise scope.error(node, f"{name}(...) stands in a for statement only")

    return run


def _divmod(scope: Scope, node: ast.Call) -> Expr:
    raise scope.error(node, "divmod() gives two values", "take them apart: q, r = divmod(a, b)")


BUILTINS: dict[Any, Callable[[Scope, ast.Call], Expr]] = {
    min: _minmax("min"),
    max: _minmax("max"),
    abs: _abs,
    divmod: _divmod,
    bool: _bool,
    len: _len,
    int: _int,
    ord: _ord,
    hasattr: _hasattr,
    getattr: _getattr,
    range: _ranges("range"),
    enumerate: _ranges("enumerate"),
    zip: _ranges("zip"),
    reversed: _ranges("reversed"),
    print: printed,
}
