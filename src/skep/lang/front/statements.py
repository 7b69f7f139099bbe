"""Statements: from Python's syntax tree to typed nodes. One function for each kind of syntax, in one table."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from skep.lang.front import instead
from skep.lang.front.access import owner, place_in, value_at, writable
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
from skep.lang.front.long_records import held
from skep.lang.front.loops import counted, go_on, leave, repeated
from skep.lang.front.methods import is_map
from skep.lang.front.named import before, nested
from skep.lang.front.network_order import laid
from skep.lang.front.scope import Scope
from skep.lang.front.several import gives_several, returned, taken_apart
from skep.lang.front.structs import assignment
from skep.lang.front.texts import known
from skep.lang.front.variables import bound
from skep.lang.front.wholes import changed
from skep.lang.tree import (
    Break,
    Const,
    Continue,
    Evaluate,
    Expr,
    HelperCall,
    If,
    KernelCall,
    MapCall,
    Node,
    Once,
    Place,
    Reserve,
    Return,
    Spill,
    StaticValue,
    Store,
    SubCall,
    walk,
)
from skep.lang.types import ArrayType, IntType
from skep.lang.values import UNKNOWN, Pointer, Static, describe, register

SETTING = "a program sets variables, fields and elements; keep state in a map, or in a skep.Global"
EFFECTS = (SubCall, HelperCall, KernelCall, MapCall)
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
    if len(node.targets) == 1:
        return _put(scope, node.targets[0], node.value, node)
    value, nodes = node.value, []
    if known(scope, value) is None and not isinstance(value, ast.Constant):
        name = f"same.{node.lineno}.{node.col_offset}"
        nodes = bound(scope, name, scope.expr(value), node)
        value = ast.copy_location(ast.Name(name, ast.Load()), value)
    return nodes + [part for one in node.targets for part in _put(scope, one, value, node)]


def _put(scope: Scope, target: ast.expr, value: ast.expr, node: ast.AST) -> list[Node]:
    if isinstance(target, ast.Name):
        given = scope.expr(value)
        if isinstance(given, Reserve) and given.tail is not None:
            return held(scope, target.id, given, node)
        return bound(scope, target.id, given, node)
    if isinstance(target, ast.Tuple | ast.List):
        return taken_apart(scope, target, value, _put)
    base = owner(scope, target)
    if _is_open(base):
        return []
    if isinstance(target, ast.Subscript) and base is not None and is_map(base):
        return _update(scope, target, value, node)
    place = place_in(scope, base, target)
    if place is None:
        known_base = base.type if base is not None and isinstance(base.type, Static) else None
        hint = (known_base and instead.of_python(known_base.value)) or SETTING
        raise scope.error(target, f"{ast.unparse(target)} cannot be assigned to", hint)
    writable(scope, place, target)
    return [assignment(scope, place, value)]


def _is_open(base: Expr | None) -> bool:
    """Whether a target lies behind a variable whose type is not known yet; a later reading knows it."""
    return base is not None and base.type is UNKNOWN


def _update(scope: Scope, target: ast.Subscript, value: ast.expr, node: ast.AST) -> list[Node]:
    """``m[key] = value``, whose value is worked out before the key where a call may show it."""
    method = ast.copy_location(ast.Attribute(target.value, "update", ast.Load()), target)
    invoke = ast.copy_location(ast.Call(method, [target.slice, value], []), target)
    made, span = call(scope, invoke), scope.span(node)
    match made:
        case MapCall(args=(key, Spill(value=Expr() as worked) as put, flags)):
            if any(isinstance(one, EFFECTS) for one in walk(key, worked)):
                first = Once(worked.span, worked.type, worked)
                made = replace(made, args=(key, replace(put, value=first), flags))
                return [Evaluate(span, first), Evaluate(span, made)]
    return [Evaluate(span, made)]


def _annotated(scope: Scope, node: ast.AnnAssign) -> list[Node]:
    text = isinstance(node.annotation, ast.Constant)
    kind = StaticValue(scope.span(node), Static(None)) if text else scope.expr(node.annotation)
    wanted = kind.type.value if isinstance(kind.type, Static) else None
    if not isinstance(node.target, ast.Name) or not isinstance(wanted, IntType):
        problem = "a variable is annotated with an integer type, as in n: u32 = 0"
        hint = (
            "leave it out: the type is that of the values"
            if isinstance(node.target, ast.Name)
            else ""
        )
        raise scope.error(node.annotation, problem, hint)
    before = scope.declared.get(node.target.id)
    if before not in (None, register(wanted)):
        raise scope.error(node.annotation, f"{node.target.id!r} is declared {before!r} elsewhere")
    scope.declared[node.target.id] = register(wanted)
    return _put(scope, node.target, node.value, node) if node.value is not None else []


def _augmented(scope: Scope, node: ast.AugAssign) -> list[Node]:
    op = operation(scope, node)
    target = node.target
    base = owner(scope, target)
    if _is_open(base):
        return []
    if isinstance(target, ast.Name):
        held = scope.expr(target)
        if not isinstance(held.type, Pointer):
            result = binary(scope, op, number(scope, target), number(scope, node.value), node)
            return bound(scope, target.id, result, node)
        if not isinstance(held.type.target, IntType | ArrayType):
            raise scope.error(node, f"{describe(held.type)} is not a number")
        place: Place | None = Place(scope.span(target), held.type.target, held)
    elif isinstance(target, ast.Subscript) and is_map(scope.expr(target.value)):
        hint = f"{ast.unparse(target.value)}.increment({ast.unparse(target.slice)}, by) makes it where it is missing"
        raise scope.error(target, "an entry of a map may be missing", hint)
    else:
        place = place_in(scope, base, target)
    if place is not None and isinstance(place.type, ArrayType):
        return changed(scope, op, place, node.value, node)
    if place is None or not isinstance(place.type, IntType):
        raise scope.error(
            target,
            f"{ast.unparse(target)} is not a number that can be changed in place",
            SETTING if _captured(base) else "assign with =",
        )
    place = _reached_once(writable(scope, place, target))
    result = binary(scope, op, value_at(scope, place, target), number(scope, node.value), node)
    return [_stored(scope, place, result, node)]


def _captured(base: Expr | None) -> bool:
    """Whether something of Python's is to be changed."""
    return base is not None and isinstance(base.type, Static)


def _reached_once(place: Place) -> Place:
    """A place that is read and then written: what finds it may have effects, and is worked out at the reading."""
    index, base = place.index, place.base
    return replace(
        place,
        index=index and Once(index.span, index.type, index),
        base=Once(base.span, base.type, base) if isinstance(base, SubCall) else base,
    )


def _stored(scope: Scope, place: Place, value: Expr, node: ast.AST) -> Node:
    value = converted(scope, value, place.type, node, wrap=True)
    return Store(scope.span(node), place, laid(place.type, value))


def _delete(scope: Scope, node: ast.Delete) -> list[Node]:
    nodes: list[Node] = []
    for target in node.targets:
        if not isinstance(target, ast.Subscript) or not is_map(scope.expr(target.value)):
            own = isinstance(target, ast.Name) and scope.variable(target.id, target) is not None
            hint = "a variable ends by itself: leave it out" if own else ""
            raise scope.error(target, "del takes an entry of a map, as in del counts[key]", hint)
        method = ast.copy_location(ast.Attribute(target.value, "delete", ast.Load()), target)
        invoke = ast.copy_location(ast.Call(method, [target.slice], []), target)
        nodes.append(Evaluate(scope.span(node), call(scope, invoke)))
    return nodes


def _if(scope: Scope, node: ast.If) -> list[Node]:
    parts = nested(node)
    if parts != [node]:
        return list(block(scope, parts))
    first, written = before(node.test)
    named = block(scope, first)
    test = truth(scope, written)
    if isinstance(test, Const) and test.type is not UNKNOWN:
        return [*named, *block(scope, node.body if test.value else node.orelse)]
    then = block(scope, node.body)
    return [*named, If(scope.span(node.test), test, then, block(scope, node.orelse))]


def _return(scope: Scope, node: ast.Return) -> list[Node]:
    if isinstance(node.value, ast.IfExp) and gives_several(scope, node.value):
        return _either(scope, node.value)
    said = isinstance(node.value, ast.Constant) and node.value.value is None and scope.entry
    nothing = node.value is None or said
    before, value = ([], None) if nothing or node.value is None else _given(scope, node.value)
    made = Return(scope.span(node), value)
    scope.returns[made] = node if nothing or node.value is None else node.value
    return [*before, made]


def _given(scope: Scope, node: ast.expr) -> tuple[list[Node], Expr]:
    """What a return does first, and what it gives."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        hint = "return a number; text that is fixed may be captured: NAME = '...' above the program"
        raise scope.error(node, "text cannot be returned", hint)
    before, value = returned(scope, node)
    if isinstance(value, StaticValue):
        problem = f"{describe(value.type)} cannot be returned"
        raise scope.error(node, problem, instead.of_number(value.type, node))
    if not isinstance(value.type, Pointer) or not value.type.nullable or scope.entry:
        value = dereferenced(scope, value, node)
    return before, value


def _either(scope: Scope, value: ast.IfExp) -> list[Node]:
    """``return f(x) if test else g(x)``, of several results."""
    then: list[ast.stmt] = [ast.copy_location(ast.Return(value.body), value.body)]
    other: list[ast.stmt] = [ast.copy_location(ast.Return(value.orelse), value.orelse)]
    return _if(scope, ast.copy_location(ast.If(value.test, then, other), value))


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
