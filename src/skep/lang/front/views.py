"""Memory seen as a type of the program's own: a packet's bytes, what the device told of it, and any other memory."""

import ast
from typing import Any

from skep.lang.front.access import bounded, step
from skep.lang.front.contexts import ends, metadata
from skep.lang.front.integers import constant, converted, number
from skep.lang.front.scope import Scope
from skep.lang.front.structs import type_name
from skep.lang.special import special
from skep.lang.struct import StructType
from skep.lang.tree import Address, Expr, View
from skep.lang.types import ArrayType, IntType, u32, u64
from skep.lang.values import Memory, Pointer, Static, describe

SEEN = frozenset(
    {
        *(Memory.STACK, Memory.VALUE, Memory.RECORD, Memory.PACKET, Memory.CONSTANT),
        *(Memory.KERNEL, Memory.PROBE, Memory.USER),
    }
)
"""Memory that may be seen as another type."""
UNBOUNDED = frozenset({Memory.PROBE, Memory.USER})
"""Memory that is read by probe, wherever it ends."""


def viewed(scope: Scope, node: ast.expr, usage: str) -> Any:
    """The type that is named. Raises CompileError where memory cannot be seen as that."""
    wanted = scope.expr(node)
    target = wanted.type.value if isinstance(wanted.type, Static) else None
    if isinstance(target, StructType | IntType | ArrayType):
        return target
    name, _, rest = usage.partition("(")
    more = ", then an offset in bytes" if "offset" in rest and rest.startswith("type") else ""
    raise scope.error(node, f"{name}() takes a Struct, an integer type or an array type{more}")


def of_packet(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``ctx.view(Type, offset)``."""
    if not scope.kind.packet:
        raise scope.error(node, f"{scope.kind.name} programs see no packet")
    return _window(scope, node, owner, "view", ends(scope))


def of_metadata(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``ctx.metadata(Type, offset)``: what stands before the packet."""
    found = metadata(scope)
    if found is None:
        problem = f"{scope.kind.name} programs see no metadata before the packet"
        raise scope.error(node, problem, "xdp and tc programs do")
    return _window(scope, node, owner, "metadata", found)


def _window(
    scope: Scope, node: ast.Call, owner: Expr, name: str, within: tuple[int, int, bool]
) -> Expr:
    usage = f"{name}(type, offset)"
    kind, *offset = scope.arguments(node, 1, 2, usage)
    target = viewed(scope, kind, usage)
    at = number(scope, offset[0]) if offset else constant(scope, node, 0)
    at = converted(scope, bounded(at), _offset_type(at), offset[0] if offset else node)
    pointer = Pointer(target, Memory.PACKET, nullable=True, what="a view of a packet")
    return View(scope.span(node), pointer, owner, at, *within)


def _offset_type(offset: Expr) -> IntType:
    """A type in which an offset below 0 is a large number, which no packet reaches."""
    if not isinstance(offset.type, IntType):
        return u32
    return u64 if offset.type.signed else offset.type


def of_memory(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``memory.view(Type)``: the same memory as another type."""
    (named,) = scope.arguments(node, 1, 1, "view(type)")
    kind, seen = viewed(scope, named, "view(type)"), owner.type
    if seen.buffer is not None:
        pointer = Pointer(kind, seen.buffer, nullable=True, what=seen.what)
        return Address(scope.span(node), pointer, step(scope, owner, kind, 0, node))
    if seen.memory not in SEEN:
        raise scope.error(node, f"{seen.memory.value} is not seen as another type")
    if special(seen.target) or special(kind):
        problem = "memory with locks, timers or references is not seen as another type"
        raise scope.error(node, problem, "see the array or the Struct in it that is meant")
    if seen.memory not in UNBOUNDED:
        _refuse_longer(scope, node, kind, seen)
    pointer = Pointer(kind, seen.memory, align=seen.align)
    place = step(scope, owner, kind, 0, node)
    return Address(scope.span(node), pointer, place)


def _refuse_longer(scope: Scope, node: ast.AST, kind: Any, seen: Pointer) -> None:
    have = int(getattr(seen.target, "size", 0))
    if kind.size > have:
        what = type_name(seen.target) if hasattr(seen.target, "size") else describe(seen)
        problem = f"{type_name(kind)} takes {kind.size} bytes, and {what} has {have}"
        raise scope.error(node, problem)
