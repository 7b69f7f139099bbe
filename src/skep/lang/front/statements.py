"""Statements: from Python's syntax tree to typed nodes. One function for each kind of syntax, in one table."""

import ast
from collections.abc import Callable, Sequence
from typing import Any

from skep.lang.front.access import place_of, value_at, writable
from skep.lang.front.calls import call
from skep.lang.front.expressions import truth
from skep.lang.front.integers import (
    binary,
    constant,
    converted,
    dereferenced,
    meeting,
    number,
    operation,
)
from skep.lang.front.scope import Scope
from skep.lang.front.structs import assignment
from skep.lang.maps import Declaration
from skep.lang.tree import (
    Assign,
    Break,
    Const,
    Continue,
    Evaluate,
    Expr,
    For,
    If,
    Node,
    NoneValue,
    Place,
    Return,
    StaticValue,
    Store,
    Swap,
)
from skep.lang.types import IntType
from skep.lang.values import NONE, UNKNOWN, VOID, Literal, Pointer, Static, describe, register

UNSUPPORTED: dict[type[ast.stmt], tuple[str, str]] = {
    ast.While: (
        "while is not part of the language",
        "write for i in range(N), with a break: the kernel wants a bound",
    ),
    ast.With: ("with is not part of the language", "take and release in statements of their own"),
    ast.Try: ("exceptions do not exist in the kernel", "test for None, or for a negative result"),
    ast.TryStar: (
        "exceptions do not exist in the kernel",
        "test for None, or for a negative result",
    ),
    ast.Raise: ("exceptions do not exist in the kernel", "return a number"),
    ast.Assert: ("assert is not part of the language", "test with if, and return"),
    ast.FunctionDef: (
        "a function inside a program cannot be compiled",
        "define it outside; the program may call it",
    ),
    ast.ClassDef: ("a class inside a program cannot be compiled", "define the Struct outside"),
    ast.Import: ("import is not part of the language", "import at the top of the file"),
    ast.ImportFrom: ("import is not part of the language", "import at the top of the file"),
    ast.Global: (
        "a program cannot change Python's variables",
        "keep state in a map, or in a skep.Global",
    ),
    ast.Nonlocal: (
        "a program cannot change Python's variables",
        "keep state in a map, or in a skep.Global",
    ),
    ast.Match: ("match is not part of the language", "write if and elif"),
}


def block(scope: Scope, body: Sequence[ast.stmt]) -> tuple[Node, ...]:
    """The typed nodes of statements; what stands after a return, break or continue is left out."""
    nodes: list[Node] = []
    for statement in body:
        rule = STATEMENTS.get(type(statement))
        if rule is None:
            problem, hint = UNSUPPORTED.get(
                type(statement), (f"{type(statement).__name__} is not part of the language", "")
            )
            raise scope.error(statement, problem, hint)
        nodes += rule(scope, statement)
        if nodes and isinstance(nodes[-1], Return | Break | Continue):
            break
    return tuple(nodes)


def _expression(scope: Scope, node: ast.Expr) -> list[Node]:
    if isinstance(node.value, ast.Constant):
        return []
    value = scope.expr(node.value)
    if isinstance(value, StaticValue):
        raise scope.error(
            node, f"{describe(value.type)} does nothing here", "call it, or leave it out"
        )
    return [Evaluate(scope.span(node), value)]


def _assign(scope: Scope, node: ast.Assign) -> list[Node]:
    if len(node.targets) > 1:
        raise scope.error(node, "one assignment has one target", "write a line for each")
    return _put(scope, node.targets[0], node.value, node)


def _put(scope: Scope, target: ast.expr, value: ast.expr, node: ast.AST) -> list[Node]:
    if isinstance(target, ast.Name):
        return _bind(scope, target, dereference_none(scope, value), node)
    if isinstance(target, ast.Tuple | ast.List):
        raise scope.error(
            target, "several targets are not part of the language", "write a line for each"
        )
    if _is_open(scope, target):
        return []
    if isinstance(target, ast.Subscript) and _is_map(scope.expr(target.value)):
        return [_update(scope, target, value, node)]
    place = place_of(scope, target)
    if place is None:
        raise scope.error(target, f"{ast.unparse(target)} cannot be assigned to")
    writable(scope, place, target)
    return [assignment(scope, place, value)]


def _is_open(scope: Scope, target: ast.expr) -> bool:
    """Whether a target lies behind a variable whose type is not known yet; a later reading knows it."""
    if not isinstance(target, ast.Attribute | ast.Subscript):
        return False
    return scope.expr(target.value).type is UNKNOWN


def dereference_none(scope: Scope, node: ast.expr) -> Expr:
    """The value to be bound: a view of memory stays a pointer, everything else is what it is."""
    return scope.expr(node)


def _update(scope: Scope, target: ast.Subscript, value: ast.expr, node: ast.AST) -> Node:
    method = ast.copy_location(ast.Attribute(target.value, "update", ast.Load()), target)
    invoke = ast.copy_location(ast.Call(method, [target.slice, value], []), target)
    return Evaluate(scope.span(node), call(scope, invoke))


def _bind(scope: Scope, target: ast.Name, value: Expr, node: ast.AST) -> list[Node]:
    if value.type is VOID:
        raise scope.error(node, "there is no value here to assign")
    kind = scope.assign(target.id, value.type, node)
    if isinstance(kind, Static):
        return []
    written = node.value if isinstance(node, ast.Assign | ast.AnnAssign) and node.value else node
    return [Assign(scope.span(node), target.id, fitted(scope, value, kind, written))]


def fitted(scope: Scope, value: Expr, kind: Any, node: ast.AST) -> Expr:
    """A value as a variable of that type holds it."""
    if isinstance(kind, IntType):
        return converted(scope, value, kind, node)
    if value.type is NONE and isinstance(kind, Pointer):
        return NoneValue(value.span, kind)
    return value


def _annotated(scope: Scope, node: ast.AnnAssign) -> list[Node]:
    kind = scope.expr(node.annotation)
    wanted = kind.type.value if isinstance(kind.type, Static) else None
    if not isinstance(node.target, ast.Name) or not isinstance(wanted, IntType):
        raise scope.error(
            node.annotation, "a variable is annotated with an integer type, as in n: u32 = 0"
        )
    before = scope.declared.get(node.target.id)
    if before not in (None, register(wanted)):
        raise scope.error(node.annotation, f"{node.target.id!r} is declared {before!r} elsewhere")
    scope.declared[node.target.id] = register(wanted)
    return _put(scope, node.target, node.value, node) if node.value is not None else []


def _augmented(scope: Scope, node: ast.AugAssign) -> list[Node]:
    op = operation(scope, node)
    target = node.target
    if _is_open(scope, target):
        return []
    if isinstance(target, ast.Name):
        held = scope.expr(target)
        if not isinstance(held.type, Pointer):
            result = binary(scope, op, number(scope, target), number(scope, node.value), node)
            return _bind(scope, target, result, node)
        if not isinstance(held.type.target, IntType):
            raise scope.error(node, f"{describe(held.type)} is not a number")
        place: Place | None = Place(scope.span(target), held.type.target, held)
    else:
        place = place_of(scope, target)
    if place is None or not isinstance(place.type, IntType):
        raise scope.error(
            target,
            f"{ast.unparse(target)} is not a number that can be changed in place",
            "assign with =",
        )
    writable(scope, place, target)
    result = binary(scope, op, value_at(scope, place, target), number(scope, node.value), node)
    return [_stored(scope, place, result, node)]


def _stored(scope: Scope, place: Place, value: Expr, node: ast.AST) -> Node:
    value = converted(scope, value, place.type, node, wrap=True)
    if place.type.big_endian:
        value = Swap(scope.span(node), register(place.type), value)
    return Store(scope.span(node), place, value)


def _delete(scope: Scope, node: ast.Delete) -> list[Node]:
    nodes: list[Node] = []
    for target in node.targets:
        if not isinstance(target, ast.Subscript) or not _is_map(scope.expr(target.value)):
            raise scope.error(target, "del takes an entry of a map, as in del counts[key]")
        method = ast.copy_location(ast.Attribute(target.value, "delete", ast.Load()), target)
        invoke = ast.copy_location(ast.Call(method, [target.slice], []), target)
        nodes.append(Evaluate(scope.span(node), call(scope, invoke)))
    return nodes


def _is_map(value: Expr) -> bool:
    return isinstance(value.type, Static) and isinstance(value.type.value, Declaration)


def _if(scope: Scope, node: ast.If) -> list[Node]:
    test = truth(scope, node.test)
    if isinstance(test, Const) and test.type is not UNKNOWN:
        return list(block(scope, node.body if test.value else node.orelse))
    then = block(scope, node.body)
    return [If(scope.span(node.test), test, then, block(scope, node.orelse))]


def _for(scope: Scope, node: ast.For) -> list[Node]:
    if node.orelse:
        raise scope.error(
            node, "else of a loop is not part of the language", "set a variable before break"
        )
    if not isinstance(node.target, ast.Name):
        raise scope.error(node.target, "a loop has one variable")
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
    scope.loops += 1
    body = block(scope, node.body)
    scope.loops -= 1
    return [For(scope.span(node.iter), node.target.id, kind, start, stop, step, body)]


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
        raise scope.error(node.iter, "a loop runs over range(...)", "for i in range(N):")
    values = [number(scope, argument) for argument in node.iter.args]
    if len(values) == 1:
        return constant(scope, node.iter, 0), values[0], 1
    step = values[2] if len(values) == 3 else constant(scope, node.iter, 1)
    if not isinstance(step, Const) or step.value == 0:
        raise scope.error(node.iter, "the step of range(...) is a constant other than 0")
    return values[0], values[1], step.value


def _break(scope: Scope, node: ast.Break) -> list[Node]:
    return [Break(scope.span(node))]


def _continue(scope: Scope, node: ast.Continue) -> list[Node]:
    return [Continue(scope.span(node))]


def _return(scope: Scope, node: ast.Return) -> list[Node]:
    if node.value is None:
        scope.returns.append(VOID)
        return [Return(scope.span(node), None)]
    value = scope.expr(node.value)
    if isinstance(value, StaticValue):
        raise scope.error(node.value, f"{describe(value.type)} cannot be returned")
    value = dereferenced(scope, value, node.value)
    scope.returns.append(value.type)
    value = fitted(scope, value, scope.result, node.value)
    return [Return(scope.span(node), value)]


def _pass(_scope: Scope, _node: ast.Pass) -> list[Node]:
    return []


STATEMENTS: dict[type[ast.stmt], Callable[[Scope, Any], list[Node]]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Delete: _delete,
    ast.If: _if,
    ast.For: _for,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Return: _return,
    ast.Pass: _pass,
}
