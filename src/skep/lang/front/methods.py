"""The methods of maps, rings, records and packets: one function a method, in tables."""

import ast
import difflib
from collections.abc import Callable
from typing import Any

from skep.lang.front.access import buffer
from skep.lang.front.integers import constant, converted, number
from skep.lang.front.scope import Scope
from skep.lang.front.structs import spilled, type_name
from skep.lang.maps import Declaration, Ring
from skep.lang.struct import StructType
from skep.lang.tree import Address, Const, Expr, MapCall, Release, Reserve, View
from skep.lang.types import ArrayType, IntType, s32, s64, u32, u64
from skep.lang.values import VOID, Memory, Pointer, Static, describe


def method(scope: Scope, node: ast.Call, owner: Expr, name: str) -> Expr:
    """A call of a method. Raises CompileError where the owner has none of that name."""
    if isinstance(owner.type, Static):
        table, kind = (
            (RING_METHODS, "a ring")
            if isinstance(owner.type.value, Ring)
            else (MAP_METHODS, "a map")
        )
    elif owner.type.memory is Memory.RECORD:
        table, kind = RECORD_METHODS, "a record"
    elif owner.type.memory is Memory.CONTEXT:
        table, kind = CONTEXT_METHODS, "the context"
    else:
        raise scope.error(node, f"{describe(owner.type)} has no method {name!r}")
    found = table.get(name)
    if found is None:
        close = difflib.get_close_matches(name, table, 1)
        raise scope.error(
            node,
            f"{kind} has no method {name!r}",
            f"did you mean {close[0]}()?" if close else f"it has {', '.join(sorted(table))}",
        )
    return found(scope, node, owner)


def _lookup(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    declared: Declaration = owner.type.value
    (key,) = scope.arguments(node, 1, 1, "lookup(key)")
    pointer = Pointer(declared.value, Memory.VALUE, nullable=True, what="a map lookup")
    return MapCall(
        scope.span(node), pointer, "lookup", declared, (spilled(scope, key, declared.key, "key"),)
    )


def _update(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    declared: Declaration = owner.type.value
    key, value, *flags = scope.arguments(node, 2, 3, "update(key, value, flags)")
    args = [
        spilled(scope, key, declared.key, "key"),
        spilled(scope, value, declared.value, "value"),
    ]
    args.append(
        converted(scope, scope.expr(flags[0]), u64, flags[0])
        if flags
        else Const(scope.span(node), u64, 0)
    )
    return MapCall(scope.span(node), BY_RESULT, "update", declared, tuple(args))


def _delete(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    declared: Declaration = owner.type.value
    (key,) = scope.arguments(node, 1, 1, "delete(key)")
    return MapCall(
        scope.span(node), BY_RESULT, "delete", declared, (spilled(scope, key, declared.key, "key"),)
    )


def _increment(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    declared: Declaration = owner.type.value
    kind = declared.value
    if not isinstance(kind, IntType) or kind.bits < 32 or kind.big_endian:
        raise scope.error(
            node,
            f"increment() takes a map of u32 or u64 values, not of {type_name(kind)}",
        )
    key, *by = scope.arguments(node, 1, 2, "increment(key, by)")
    amount = scope.expr(by[0]) if by else constant(scope, node, 1)
    args = (
        spilled(scope, key, declared.key, "key"),
        converted(scope, amount, declared.value, by[0] if by else node),
    )
    scope.slot("one", declared.value)
    return MapCall(scope.span(node), VOID, "increment", declared, args)


BY_RESULT = s32  # kernels before 6.4 leave the upper half of the register as it was


def _reserve(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    ring: Ring = owner.type.value
    choice = scope.arguments(node, 0, 1, "reserve(record)")
    if not choice and len(ring.records) > 1:
        names = ", ".join(record.__name__ for record in ring.records)
        raise scope.error(
            node,
            "this ring carries several records; say which one to reserve",
            f"reserve(...) with one of {names}",
        )
    record: Any = ring.records[0]
    if choice:
        given = scope.expr(choice[0])
        record = given.type.value if isinstance(given.type, Static) else None
        if record not in ring.records:
            raise scope.error(
                choice[0],
                "this ring does not carry that record",
                f"it carries {', '.join(r.__name__ for r in ring.records)}",
            )
    pointer = Pointer(record, Memory.RECORD, nullable=True, what="reserve()", owner=ring)
    return Reserve(scope.span(node), pointer, ring, record)


def _output(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    data, *size = scope.arguments(node, 1, 2, "output(data, size)")
    place = buffer(scope, data)
    ring: Ring = owner.type.value
    length = (
        converted(scope, scope.expr(size[0]), u64, size[0])
        if size
        else Const(scope.span(node), u64, place.type.size)
    )
    pointer = Address(scope.span(data), Pointer(place.type, Memory.STACK), place)
    return MapCall(scope.span(node), s64, "output", ring, (pointer, length))


def _release(action: str) -> Callable[[Scope, ast.Call, Expr], Expr]:
    def run(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
        scope.arguments(node, 0, 0, f"{action}()")
        name = getattr(owner, "name", "")
        if not name:
            raise scope.error(node, f"{action}() is called on the variable that holds the record")
        return Release(scope.span(node), VOID, action, owner.type.owner, owner, name)

    return run


def _view(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    if not scope.kind.packet:
        raise scope.error(node, f"{scope.kind.name} programs see no packet")
    kind_node, *offset = scope.arguments(node, 1, 2, "view(type, offset)")
    wanted = scope.expr(kind_node)
    target = wanted.type.value if isinstance(wanted.type, Static) else None
    if not isinstance(target, StructType | IntType | ArrayType):
        raise scope.error(
            kind_node,
            "view() takes a Struct, an integer type or an array type, then an offset in bytes",
        )
    at = number(scope, offset[0]) if offset else constant(scope, node, 0)
    at = converted(scope, at, _offset_type(at), offset[0] if offset else node)
    pointer = Pointer(target, Memory.PACKET, nullable=True, what="a view of a packet")
    struct = scope.target.types.struct(scope.kind.struct)
    bounds = [
        scope.target.types.member(struct, name) if struct else None for name in ("data", "data_end")
    ]
    first, last = (member.offset if member else 0 for member in bounds)
    return View(scope.span(node), pointer, owner, at, first, last)


def _offset_type(offset: Expr) -> IntType:
    """A type in which an offset below 0 is a large number, which no packet reaches."""
    if not isinstance(offset.type, IntType):
        return u32
    return u64 if offset.type.signed else offset.type


Method = Callable[[Scope, ast.Call, Expr], Expr]
MAP_METHODS: dict[str, Method] = {
    "lookup": _lookup,
    "update": _update,
    "delete": _delete,
    "increment": _increment,
}
RING_METHODS: dict[str, Method] = {"reserve": _reserve, "output": _output}
RECORD_METHODS: dict[str, Method] = {"submit": _release("submit"), "discard": _release("discard")}
CONTEXT_METHODS: dict[str, Method] = {"view": _view}
