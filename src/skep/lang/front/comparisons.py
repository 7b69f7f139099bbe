"""Comparisons: of numbers, with None, chained, and membership of maps and captured tuples."""

import ast
from collections.abc import Callable, Sequence

from skep.lang.front import instead, searches
from skep.lang.front.access import step
from skep.lang.front.constants import static
from skep.lang.front.integers import (
    constant,
    dereferenced,
    fitted,
    is_local,
    loaded,
    meeting,
    number,
)
from skep.lang.front.kernel_variables import is_absent
from skep.lang.front.methods import has_key, is_map
from skep.lang.front.network_order import refuse_beside
from skep.lang.front.presence import is_missing
from skep.lang.front.scope import Scope
from skep.lang.kernel_symbols import KernelSymbol
from skep.lang.tree import (
    Compare,
    Const,
    Expr,
    IsNone,
    Local,
    Logic,
    NoneValue,
    Not,
    Once,
    StaticValue,
)
from skep.lang.types import ArrayType, IntType, char
from skep.lang.values import (
    BOOL,
    BY_SHAPE,
    NONE,
    UNKNOWN,
    KernelStruct,
    Literal,
    Pointer,
    Static,
    describe,
    fits,
    promote,
)

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
MOST = 64
"""The most numbers of an array that ``in`` compares one after the other."""
MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
ORDER: dict[str, Callable[[int, int], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def negated(scope: Scope, test: Expr, node: ast.AST) -> Expr:
    """Not ``test``."""
    if isinstance(test, Const):
        return Const(test.span, BOOL, int(not test.value))
    return Not(scope.span(node), BOOL, test)


def compare(scope: Scope, node: ast.Compare) -> Expr:
    """A comparison, chained or not; also ``in``."""
    text = searches.compared(scope, node)
    if text is not None:
        return text
    if isinstance(node.ops[0], ast.In | ast.NotIn) and len(node.ops) == 1:
        return _contains(scope, node.left, node.ops[0], node.comparators[0], node)
    parts: list[Expr] = []
    left_node, left = node.left, scope.expr(node.left)
    for op, right_node in zip(node.ops, node.comparators, strict=True):
        if isinstance(op, ast.In | ast.NotIn):
            raise scope.error(
                node, "in is not part of a chain of comparisons", "join them with and"
            )
        right = scope.expr(right_node)
        if right_node is not node.comparators[-1]:
            right = _once(scope, right, right_node)
        parts.append(_pair(scope, op, (left_node, left), (right_node, right), node))
        left_node, left = right_node, right
    return parts[0] if len(parts) == 1 else Logic(scope.span(node), BOOL, "and", tuple(parts))


def _once(scope: Scope, value: Expr, node: ast.AST) -> Expr:
    """A value that a test compares several times, worked out once."""
    value = dereferenced(scope, value, node)
    return value if is_local(value) else Once(value.span, value.type, value)


def _contains(scope: Scope, left: ast.expr, op: ast.cmpop, right: ast.expr, node: ast.AST) -> Expr:
    bounds = _bounds(scope, right)
    if bounds is not None:
        test = _within(scope, left, bounds, node)
    elif isinstance(right, ast.Tuple | ast.List | ast.Set) and any(map(_is_text, right.elts)):
        test = _one_of_texts(scope, left, right.elts, node)
    elif isinstance(right, ast.Tuple | ast.List | ast.Set):
        test = _one_of(scope, left, [scope.expr(item) for item in right.elts], node)
    else:
        held = scope.expr(right)
        value = held.type.value if isinstance(held.type, Static) else None
        if is_map(held):
            test = has_key(scope, ast.copy_location(ast.Call(right, [left], []), node), held)
        elif _short(held):
            test = _one_of(scope, left, _elements(scope, held, right), node)
        elif isinstance(value, tuple | frozenset) and any(
            isinstance(v, str | bytes) for v in value
        ):
            order = value if isinstance(value, tuple) else sorted(value, key=repr)
            texts = [ast.copy_location(ast.Constant(item), right) for item in order]
            test = _one_of_texts(scope, left, texts, node)
        elif isinstance(value, tuple | frozenset):
            test = _one_of(scope, left, [static(scope, right, item) for item in value], node)
        else:
            array = "go over an array: for x in a:" if isinstance(held.type, Pointer) else ""
            listed = isinstance(value, list | set | dict)
            hint = "write a tuple: (80, 443)" if listed else array
            raise scope.error(right, "in takes a map, a tuple of numbers, or a range", hint)
    return negated(scope, test, node) if isinstance(op, ast.NotIn) else test


def _short(held: Expr) -> bool:
    """Whether a value is an array of so few numbers that each is compared."""
    kind = held.type.target if isinstance(held.type, Pointer) else None
    if not isinstance(kind, ArrayType) or kind.element is char:
        return False
    return isinstance(kind.element, IntType) and kind.count <= MOST


def _elements(scope: Scope, held: Expr, node: ast.expr) -> list[Expr]:
    """The elements of an array."""
    kind = held.type.target
    places = (
        step(scope, held, kind.element, index * kind.element.size, node)
        for index in range(kind.count)
    )
    return [loaded(scope, place, node) for place in places]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _one_of_texts(scope: Scope, left: ast.expr, texts: Sequence[ast.expr], node: ast.AST) -> Expr:
    """Whether an array is one of several texts: it is compared with each, and so has to be read more than once."""
    if any(isinstance(part, ast.Call | ast.NamedExpr) for part in ast.walk(left)):
        problem = "what is compared with several texts has a name"
        raise scope.error(left, problem, f"x = {ast.unparse(left)} before, and x here")
    tests = [ast.copy_location(ast.Compare(left, [ast.Eq()], [text]), node) for text in texts]
    return scope.expr(ast.copy_location(ast.BoolOp(ast.Or(), [*tests]), node))


def _one_of(scope: Scope, left: ast.expr, choices: list[Expr], node: ast.AST) -> Expr:
    if not choices:
        return Const(scope.span(node), BOOL, 0)
    value = _once(scope, scope.expr(left), left)
    equal = tuple(compared(scope, "==", value, choice, node) for choice in choices)
    return Logic(scope.span(node), BOOL, "or", equal) if len(equal) > 1 else equal[0]


def _bounds(scope: Scope, node: ast.expr) -> tuple[Expr, Expr] | None:
    """Start and stop of ``range(...)``, written out or captured; None for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        stop = [number(scope, argument) for argument in scope.arguments(node, 1, 2, "in range()")]
        return (stop[0], stop[1]) if len(stop) > 1 else (constant(scope, node, 0), stop[0])
    held = scope.expr(node) if isinstance(node, ast.Name | ast.Attribute) else None
    value = held.type.value if held is not None and isinstance(held.type, Static) else None
    if not isinstance(value, range):
        return None
    if value.step != 1:
        raise scope.error(node, "in takes a range whose step is 1")
    return constant(scope, node, value.start), constant(scope, node, value.stop)


def _within(scope: Scope, left: ast.expr, bounds: tuple[Expr, Expr], node: ast.AST) -> Expr:
    start, stop = bounds
    value = _once(scope, scope.expr(left), left)
    tests = [compared(scope, "<", value, stop, node)]
    unsigned = isinstance(value.type, IntType) and not value.type.signed
    if not (unsigned and isinstance(start, Const) and start.value == 0):
        tests.insert(0, compared(scope, ">=", value, start, node))
    return Logic(scope.span(node), BOOL, "and", tuple(tests)) if len(tests) > 1 else tests[0]


def _pair(
    scope: Scope,
    op: ast.cmpop,
    left: tuple[ast.expr, Expr],
    right: tuple[ast.expr, Expr],
    node: ast.Compare,
) -> Expr:
    (left_node, a), (right_node, b) = left, right
    refuse_beside(scope, a, right_node)
    refuse_beside(scope, b, left_node)
    pointers = all(
        isinstance(side.type, Pointer) and not isinstance(side.type.target, IntType)
        for side in (a, b)
    )
    asked = isinstance(op, ast.Is | ast.IsNot)
    if (asked and not pointers) or NONE in (a.type, b.type):
        if a.type is NONE:
            a, b = b, a
        if b.type is not NONE or isinstance(op, ast.Lt | ast.Gt | ast.LtE | ast.GtE):
            raise scope.error(node, "is compares with None only", "use == for numbers")
        return _is_none(scope, a, op, node)
    if pointers:
        arrays = None if asked else searches.same(scope, (a, b), op, node)
        if arrays is not None:
            return arrays
        hint = "compare their fields; of two arrays, both sides take the same type"
        if all(isinstance(side.type.target, KernelStruct) for side in (a, b)):
            addresses = " == ".join(f"u64({ast.unparse(one)})" for one in (left_node, right_node))
            hint = f"compare their fields, or their addresses: {addresses}"
        raise scope.error(node, "pointers are compared with None only", hint)
    return compared(
        scope,
        COMPARISONS[type(op)],
        dereferenced(scope, a, node),
        dereferenced(scope, b, right_node),
        node,
        written=_written(left_node) or _written(right_node),
    )


def _written(node: ast.expr) -> bool:
    """Whether a number is written out, not captured: a captured one may be what this program was configured with."""
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inner, ast.Constant)


def _is_none(scope: Scope, value: Expr, op: ast.cmpop, node: ast.AST) -> Expr:
    if isinstance(value, NoneValue | Const | StaticValue):  # captured: None, or something else
        nothing = isinstance(value, NoneValue) or is_missing(scope, value.type)
        none = nothing == isinstance(op, ast.Is | ast.Eq)
        return Const(scope.span(node), BOOL, int(none))
    if isinstance(value, KernelSymbol):
        absent = is_absent(scope, value, node)
        return negated(scope, absent, node) if isinstance(op, ast.IsNot | ast.NotEq) else absent
    if value.type in (UNKNOWN, NONE):  # None so far: what is assigned later may be a pointer
        return NoneValue(value.span, UNKNOWN)
    if not isinstance(value.type, Pointer):
        if isinstance(value, Local) and value.name in scope.optional:  # which this kernel gives
            return Const(scope.span(node), BOOL, int(isinstance(op, ast.IsNot | ast.NotEq)))
        hint = "a number is compared with a number: n == 0"
        raise scope.error(node, f"{describe(value.type)} is never None", hint)
    test: Expr = IsNone(scope.span(node), BOOL, value)
    return negated(scope, test, node) if isinstance(op, ast.IsNot | ast.NotEq) else test


def compared(
    scope: Scope, op: str, left: Expr, right: Expr, node: ast.AST, *, written: bool = True
) -> Expr:
    """Two numbers compared. Raises CompileError where one is ``written`` so that the result can only be one."""
    for side in (left, right):
        if not isinstance(side.type, IntType | Literal) and side.type not in (BOOL, UNKNOWN):
            other = right if side is left else left
            zero = isinstance(other, Const) and other.value == 0
            nullable = isinstance(side.type, Pointer) and (side.type.nullable or zero)
            hint = "what may be None is compared with it: `x is None`"
            hint = hint if nullable else instead.of_number(side.type, node)
            raise scope.error(node, f"{describe(side.type)} cannot be compared with {op}", hint)
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(scope.span(node), BOOL, int(ORDER[op](left.value, right.value)))
    kind = meeting(scope, left, right, node)
    _refuse_decided(scope, op, left, right, node, written=written)
    _refuse_decided(scope, MIRRORED[op], right, left, node, written=written)
    left, right = fitted(scope, left, kind, node), fitted(scope, right, kind, node)
    return Compare(scope.span(node), BOOL, op, left, right)


def _bits_of(kind: IntType, value: int) -> str:
    """How a number of as many bits, with or without a sign, is meant that is not of the type."""
    other = BY_SHAPE[kind.bits, not kind.signed]
    return f"where its bits are meant, write {kind!r}({value})" if fits(value, other) else ""


def _refuse_decided(
    scope: Scope, op: str, left: Expr, right: Expr, node: ast.AST, *, written: bool
) -> None:
    """Refuse a comparison of a number with a literal that has one result only; a captured 0 is a limit as any other."""
    literal = isinstance(right, Const) and isinstance(right.type, Literal)
    if not literal or not isinstance(right, Const) or not isinstance(left.type, IntType):
        return
    kind = promote(left.type)
    if not fits(right.value, kind):
        problem = f"{kind!r} is never {right.value}: {op} has one result only here"
        raise scope.error(node, problem, _bits_of(kind, right.value))
    if written and right.value == 0 and not kind.signed and op in ("<", ">="):
        problem = f"{kind!r} is never negative: {op} 0 has one result only"
        raise scope.error(node, problem, "compare with s64(...), or subtract later")
