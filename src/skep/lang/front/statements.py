"""Statements: from Python's syntax tree to typed nodes. One function for each kind of syntax, in one table."""

import ast
from collections.abc import Callable, Sequence
from typing import Any

from skep.lang.front.access import place_of, value_at, writable
from skep.lang.front.calls import call
from skep.lang.front.choices import match
from skep.lang.front.expressions import truth
from skep.lang.front.integers import (
    binary,
    converted,
    dereferenced,
    number,
    operation,
)
from skep.lang.front.locks import locked
from skep.lang.front.loops import counted, go_on, leave, repeated
from skep.lang.front.methods import is_map
from skep.lang.front.scope import Scope
from skep.lang.front.several import returned, taken_apart
from skep.lang.front.structs import assignment
from skep.lang.front.variables import bound, fitted
from skep.lang.tree import (
    Break,
    Const,
    Continue,
    Evaluate,
    Expr,
    If,
    Node,
    Place,
    Return,
    StaticValue,
    Store,
    Swap,
)
from skep.lang.types import IntType
from skep.lang.values import UNKNOWN, VOID, Pointer, Static, describe, register

UNSUPPORTED: dict[type[ast.stmt], tuple[str, str]] = {
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
        return bound(scope, target.id, scope.expr(value), node)
    if isinstance(target, ast.Tuple | ast.List):
        return taken_apart(scope, target, value, _put)
    if _is_open(scope, target):
        return []
    if isinstance(target, ast.Subscript) and is_map(scope.expr(target.value)):
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


def _update(scope: Scope, target: ast.Subscript, value: ast.expr, node: ast.AST) -> Node:
    method = ast.copy_location(ast.Attribute(target.value, "update", ast.Load()), target)
    invoke = ast.copy_location(ast.Call(method, [target.slice, value], []), target)
    return Evaluate(scope.span(node), call(scope, invoke))


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
            return bound(scope, target.id, result, node)
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
        if not isinstance(target, ast.Subscript) or not is_map(scope.expr(target.value)):
            raise scope.error(target, "del takes an entry of a map, as in del counts[key]")
        method = ast.copy_location(ast.Attribute(target.value, "delete", ast.Load()), target)
        invoke = ast.copy_location(ast.Call(method, [target.slice], []), target)
        nodes.append(Evaluate(scope.span(node), call(scope, invoke)))
    return nodes


def _if(scope: Scope, node: ast.If) -> list[Node]:
    test = truth(scope, node.test)
    if isinstance(test, Const) and test.type is not UNKNOWN:
        return list(block(scope, node.body if test.value else node.orelse))
    then = block(scope, node.body)
    return [If(scope.span(node.test), test, then, block(scope, node.orelse))]


def _return(scope: Scope, node: ast.Return) -> list[Node]:
    if node.value is None:
        scope.returns.append(VOID)
        return [Return(scope.span(node), None)]
    several = returned(scope, node.value)
    if several is not None:
        before, together = several
        return [*before, Return(scope.span(node), together)]
    value = scope.expr(node.value)
    if isinstance(value, StaticValue):
        raise scope.error(node.value, f"{describe(value.type)} cannot be returned")
    if not isinstance(value.type, Pointer) or not value.type.nullable or scope.entry:
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
    ast.For: counted,
    ast.While: repeated,
    ast.With: locked,
    ast.Match: match,
    ast.Break: leave,
    ast.Continue: go_on,
    ast.Return: _return,
    ast.Pass: _pass,
}
