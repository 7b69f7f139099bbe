"""The methods of maps that hold values: tables by key, queues and stacks, bloom filters."""

import ast
from collections.abc import Callable
from typing import Any

from skep.lang.constant_text import ConstantText
from skep.lang.front.callbacks import callback, shared
from skep.lang.front.integers import constant, converted
from skep.lang.front.scope import Scope
from skep.lang.front.structs import spilled, type_name
from skep.lang.maps import Declaration
from skep.lang.spec import MapType
from skep.lang.special import is_timed
from skep.lang.tree import Const, Expr, MapCall, Slot
from skep.lang.types import IntType, char, s32, u32, u64
from skep.lang.values import BOOL, VOID, Memory, Pointer, Static, Type, describe

Method = Callable[[Scope, ast.Call, Expr], Expr]
LARGEST_ZERO = 504
"""Bytes of zeros that a program's stack of 512 has room for beside a key."""
BY_RESULT = s32  # kernels before 6.4 leave the upper half of the register as it was


def declared_by(owner: Expr) -> Declaration:
    """The declaration of the map that an expression is: captured, or found in another map."""
    kind = owner.type
    declared: Declaration = kind.value if isinstance(kind, Static) else kind.target
    return declared


def made(scope: Scope, node: ast.Call, owner: Expr, name: str, kind: Type, *args: Expr) -> MapCall:
    """A call of a method of a map."""
    via = None if isinstance(owner.type, Static) else owner
    return MapCall(scope.span(node), kind, name, declared_by(owner), args, via)


def flags_of(scope: Scope, node: ast.Call, flags: list[ast.expr]) -> Expr:
    """The flags of a call, 0 where none are given."""
    if not flags:
        return Const(scope.span(node), u64, 0)
    return converted(scope, scope.expr(flags[0]), u64, flags[0])


def context_of(scope: Scope, node: ast.expr, name: str) -> Expr:
    """The program's context as the first argument of a method. Raises CompileError at anything else."""
    value = scope.expr(node)
    if not isinstance(value.type, Pointer) or value.type.memory is not Memory.CONTEXT:
        problem = f"{name}() takes the program's context first, not {describe(value.type)}"
        raise scope.error(node, problem)
    return value


def lookup(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``m.lookup(key)``: the value in place, or the map that a map of maps holds; ``cpu``: that of another CPU."""
    declared = declared_by(owner)
    key, *cpu = scope.arguments(node, 1, 2 if declared.type.per_cpu else 1, "lookup(key)")
    target, memory = (
        (declared.inner, Memory.MAP) if declared.inner else (declared.value, Memory.VALUE)
    )
    timed = declared if is_timed(declared.value) else None
    pointer = Pointer(target, memory, nullable=True, what="a map lookup", owner=timed)
    where = spilled(scope, key, declared.key, "key")
    if not cpu:
        return made(scope, node, owner, "lookup", pointer, where)
    number = converted(scope, scope.expr(cpu[0]), u32, cpu[0], wrap=True)
    return made(scope, node, owner, "lookup_on", pointer, where, number)


def _update(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    declared = declared_by(owner)
    key, value, *flags = scope.arguments(node, 2, 3, "update(key, value, flags)")
    args = (
        spilled(scope, key, declared.key, "key"),
        spilled(scope, value, declared.value, "value"),
        flags_of(scope, node, flags),
    )
    return made(scope, node, owner, "update", BY_RESULT, *args)


def _delete(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    (key,) = scope.arguments(node, 1, 1, "delete(key)")
    where = spilled(scope, key, declared_by(owner).key, "key")
    return made(scope, node, owner, "delete", BY_RESULT, where)


def _increment(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    declared = declared_by(owner)
    kind = declared.value
    if not isinstance(kind, IntType) or kind.bits < 32 or kind.big_endian:
        problem = f"increment() takes a map of u32 or u64 values, not of {type_name(kind)}"
        held = "value = map.setdefault(key), and where that is not None: value.field += 1"
        hint = "declare its values as u64" if isinstance(kind, IntType) else held
        raise scope.error(node, problem, hint)
    key, *by = scope.arguments(node, 1, 2, "increment(key, by)")
    amount = scope.expr(by[0]) if by else constant(scope, node, 1)
    args = (
        spilled(scope, key, declared.key, "key"),
        converted(scope, amount, declared.value, by[0] if by else node),
    )
    scope.slot("one", declared.value)
    return made(scope, node, owner, "increment", BY_RESULT, *args)


def _setdefault(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``m.setdefault(key, value)``: the value in place, made where it is missing; without ``value`` it is zero then."""
    declared = declared_by(owner)
    key, *given = scope.arguments(node, 1, 2, "setdefault(key, value)")
    timed = declared if is_timed(declared.value) else None
    pointer = Pointer(declared.value, Memory.VALUE, nullable=True, what="setdefault()", owner=timed)
    args = [spilled(scope, key, declared.key, "key")]
    args += [spilled(scope, one, declared.value, "value") for one in given]
    if not given and declared.value.size > LARGEST_ZERO:
        span, zeros = scope.span(node), bytes(declared.value.size)
        args.append(ConstantText(span, Pointer(char, Memory.CONSTANT), zeros))
    elif not given:
        scope.slot("zero", declared.value)
    return made(scope, node, owner, "setdefault", pointer, *args)


def _for_each(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``m.for_each(function, memory)``: calls ``function(key, value, memory)``, until it gives something true."""
    declared = declared_by(owner)
    function, *given = scope.arguments(node, 1, 2, "for_each(function, memory)")
    timed = declared if is_timed(declared.value) else None
    key = Pointer(declared.key, Memory.CONSTANT)
    value = Pointer(declared.value, Memory.VALUE, owner=timed)
    memory = shared(scope, given)
    called = callback(scope, function, "entry", key, value, *(one.type for one in memory))
    return made(scope, node, owner, "for_each", BY_RESULT, called, *memory)


def _push(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    value, *flags = scope.arguments(node, 1, 2, "push(value, flags)")
    args = (
        spilled(scope, value, declared_by(owner).value, "value"),
        flags_of(scope, node, flags),
    )
    return made(scope, node, owner, "push", BY_RESULT, *args)


def _next(name: str) -> Method:
    """``pop`` and ``peek``: a copy on the stack, of its own for each place in the source."""

    def run(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
        scope.arguments(node, 0, 0, f"{name}()")
        kind: Any = declared_by(owner).value
        slot = Slot(scope.span(node), Pointer(kind, Memory.STACK), scope.own_slot(node, kind))
        pointer = Pointer(kind, Memory.STACK, nullable=True, what=f"{name}()")
        return made(scope, node, owner, name, pointer, slot)

    return run


def _add(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    (value,) = scope.arguments(node, 1, 1, "add(value)")
    args = (
        spilled(scope, value, declared_by(owner).value, "value"),
        Const(scope.span(node), u64, 0),
    )
    return made(scope, node, owner, "push", BY_RESULT, *args)


def _contains(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    (value,) = scope.arguments(node, 1, 1, "in")
    where = spilled(scope, value, declared_by(owner).value, "value")
    return made(scope, node, owner, "contains", BOOL, where)


def _tail_call(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    given, index = scope.arguments(node, 2, 2, "call(ctx, index)")
    context = context_of(scope, given, "call")
    number = converted(scope, scope.expr(index), u64, index, wrap=True)
    return made(scope, node, owner, "tail_call", VOID, context, number)


def _holds(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    (index,) = scope.arguments(node, 1, 1, "holds_current(index)")
    number = converted(scope, scope.expr(index), u64, index, wrap=True)
    return made(scope, node, owner, "holds_current", BY_RESULT, number)


TABLE: dict[str, Method] = {
    "lookup": lookup,
    "update": _update,
    "delete": _delete,
    "increment": _increment,
    "setdefault": _setdefault,
    "for_each": _for_each,
}
QUEUE: dict[str, Method] = {"push": _push, "pop": _next("pop"), "peek": _next("peek")}
BLOOM: dict[str, Method] = {"add": _add, "__contains__": _contains}
MAPS: dict[str, Method] = {"lookup": lookup}
PROGRAMS: dict[str, Method] = {"call": _tail_call}

BY_TYPE: dict[MapType, tuple[dict[str, Method], str]] = {
    MapType.QUEUE: (QUEUE, "a queue"),
    MapType.STACK: (QUEUE, "a stack"),
    MapType.BLOOM_FILTER: (BLOOM, "a bloom filter"),
    MapType.CGROUP_ARRAY: ({"holds_current": _holds}, "a map of cgroups"),
    MapType.PROG_ARRAY: (PROGRAMS, "an array of programs"),
    MapType.ARRAY_OF_MAPS: (MAPS, "a map of maps"),
    MapType.HASH_OF_MAPS: (MAPS, "a map of maps"),
}
"""The methods of each type of map, and its name in messages; other types are tables."""
