"""Records with a tail: reserved by a dynptr, which lies in a variable of its own beside that of the record."""

import ast
from dataclasses import replace

from skep.lang.declared.streams import VariableRing
from skep.lang.front.access import buffer
from skep.lang.front.helping import size_bound
from skep.lang.front.integers import converted
from skep.lang.front.scope import Scope
from skep.lang.front.variables import bound
from skep.lang.tree import Address, Const, Expr, MapCall, Node, Reserve, Slot
from skep.lang.types import ArrayType, s64, u64
from skep.lang.values import Memory, Pointer

DYNPTR = ArrayType(u64, 2)
POINTER = Pointer(DYNPTR, Memory.KERNEL)
"""It lies on the stack, and nothing but the kernel's functions may read it, in a loop neither."""


def is_long(owner: Expr) -> bool:
    """Whether an expression is a record with a tail."""
    return isinstance(getattr(owner.type, "owner", None), VariableRing)


def reserve(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``ring.reserve(size)``."""
    ring: VariableRing = owner.type.value
    (size,) = scope.arguments(node, 1, 1, "reserve(size), of the bytes behind the record,")
    tail = converted(scope, scope.expr(size), u64, size, wrap=True)
    record = ring.records[0]
    pointer = Pointer(record, Memory.RECORD, nullable=True, what="reserve()", owner=ring)
    return Reserve(scope.span(node), pointer, ring, record, tail)


def held(scope: Scope, name: str, made: Reserve, node: ast.AST) -> list[Node]:
    """The assignment of a record with a tail to a variable, behind that of the place of its dynptr."""
    slot = f"room.{name}"
    scope.slots[slot] = DYNPTR
    place = bound(scope, _room(name), Slot(made.span, POINTER, slot), node)
    room = scope.variable(_room(name), node)
    return place + bound(scope, name, replace(made, room=room), node)


def _room(name: str) -> str:
    """The variable that has the place of the dynptr of a record."""
    return f"{name}.room"


def room_of(scope: Scope, node: ast.Call, owner: Expr, action: str) -> Expr:
    """The place of the dynptr of a record. Raises CompileError where the record came from elsewhere."""
    name = getattr(owner, "name", "")
    room = scope.variable(_room(name), node) if name else None
    if room is None:
        problem = (
            f"{action}() is called where the record was reserved, on the variable that holds it"
        )
        raise scope.error(node, problem, "pass to a function what it fills in: a field, or memory")
    return room


def write(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``record.write(offset, data, size)``: copies memory into the tail."""
    offset, data, *size = scope.arguments(node, 2, 3, "write(offset, data, size)")
    room = room_of(scope, node, owner, "write")
    where = converted(scope, scope.expr(offset), u64, offset, wrap=True)
    place = buffer(scope, data)
    pointer = Address(scope.span(data), Pointer(place.type, Memory.STACK), place)
    length: Expr = Const(scope.span(node), u64, place.type.size)
    if size:
        length = converted(scope, scope.expr(size[0]), u64, size[0])
        size_bound(scope, "write", (pointer, length), size[0])
    ring = owner.type.owner
    return MapCall(scope.span(node), s64, "write", ring, (owner, room, where, pointer, length))
