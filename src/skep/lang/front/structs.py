"""Structs and memory as values: constructors, assignment to memory, and arguments that helpers read from memory."""

import ast
import difflib
from typing import Any

from skep.lang.front.access import buffer, is_text, member, memory_of, step
from skep.lang.front.integers import converted
from skep.lang.front.network_order import laid, refuse_into
from skep.lang.front.scope import Scope
from skep.lang.front.texts import filling, known
from skep.lang.objects import is_object
from skep.lang.special import special
from skep.lang.struct import Struct, StructType
from skep.lang.tree import Build, Const, Copy, Expr, Place, Slot, Spill, Store, Write
from skep.lang.types import ArrayType, IntType, char, u64
from skep.lang.values import UNKNOWN, KernelStruct, Literal, Memory, Pointer, Static, describe

FROM_ADDRESS = (
    "text at an address is copied by skep.probe_read_user_str(field, address), of the kernel's memory "
    "by skep.probe_read_kernel_str"
)
STACKED = frozenset({Memory.STACK, Memory.VALUE, Memory.CONSTANT, Memory.RECORD, Memory.PACKET})


def build(scope: Scope, node: ast.Call, struct: StructType) -> Expr:
    """A struct made on the stack."""
    if is_object(struct):
        problem = f"{struct.__name__} is a class of objects, which lie in no stack"
        raise scope.error(node, problem, f"allocate one: entry = {struct.__name__}.new()")
    pointer = Pointer(struct, Memory.STACK)
    slot = scope.own_slot(node, struct)
    base = Slot(scope.span(node), pointer, slot)
    if len(node.args) > len(struct.fields):
        names = ", ".join(field.name for field in struct.fields)
        problem = f"{struct.__name__} has {len(struct.fields)} fields, not {len(node.args)}"
        raise scope.error(node, problem, f"they are {names}")
    given = dict(zip([f.name for f in struct.fields], node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg is None or struct.field(keyword.arg) is None:
            close = difflib.get_close_matches(keyword.arg or "", [f.name for f in struct.fields], 1)
            names = ", ".join(field.name for field in struct.fields)
            raise scope.error(
                keyword,
                f"{struct.__name__} has no field {keyword.arg!r}",
                f"did you mean {close[0]!r}?" if close else f"it has {names}",
            )
        given[keyword.arg] = keyword.value
    if getattr(struct, "__union__", False) and len(given) > 1:
        raise scope.error(node, f"{struct.__name__} is a union: it is made of one field")
    stores = []
    for name, value in given.items():
        found = struct.field(name)
        if found is not None:
            place = member(scope, base, found, value)
            stores.append(assignment(scope, place, value))
    return Build(scope.span(node), pointer, slot, tuple(stores))


def assignment(scope: Scope, place: Place, node: ast.expr) -> Store | Copy | Write:
    """The statement that puts the value of ``node`` into a place: a number, constant text, an array or a struct."""
    span = scope.span(node)
    text = known(scope, node)
    if isinstance(place.type, IntType) and text is None:
        value = converted(scope, scope.expr(node), place.type, node)
        refuse_into(scope, place.type, node)
        _fits(scope, place, value, node)
        return Store(span, place, laid(place.type, value))
    if text is not None:
        return Write(span, place, filling(scope, place.type, text, node))
    if isinstance(node, ast.Tuple | ast.List) and isinstance(place.type, ArrayType):
        problem = f"{type_name(place.type)} is not set by a list of its elements"
        hint = 'set some of them at once, x.field[0], x.field[1] = 1, 2; bytes are b"..."'
        raise scope.error(node, problem, hint)
    _refuse_address(scope, place, node)
    source = buffer(scope, node)
    _refuse_special(scope, place, source, node)
    if source.type != place.type and not alike(source.type, place.type):
        raise scope.error(
            node,
            f"{type_name(source.type)} cannot be copied into {type_name(place.type)}",
            FROM_ADDRESS if _text(place.type, source.type) else "both sides take the same type",
        )
    return Copy(span, place, source, place.type.size)


def _refuse_address(scope: Scope, place: Place, node: ast.expr) -> None:
    """Refuse a number of 64 bits where text or bytes are wanted: it is the address of some."""
    kind = scope.expr(node).type
    if isinstance(kind, Literal) and is_text(place.type):
        hint = 'text is written out, "...", and bytes are b"..."; one of them is set by a[0] = ...'
        raise scope.error(node, f"{type_name(place.type)} is wanted here, not a number", hint)
    if isinstance(kind, IntType) and kind.bits == u64.bits and is_text(place.type):
        raise scope.error(
            node, f"{type_name(place.type)} is wanted here, not {kind!r}", FROM_ADDRESS
        )


def _refuse_special(scope: Scope, place: Place, source: Place, node: ast.AST) -> None:
    """Refuse to copy what the kernel keeps in a value: a lock, a timer, a reference."""
    if Memory.VALUE not in (memory_of(place), memory_of(source)):
        return
    for kept in special(place.type):
        problem = f"a {type_name(place.type)} is not copied: the kernel keeps its {kept.name}"
        raise scope.error(node, problem, "set its other fields one by one, or m.update(key, value)")


def _text(target: Any, source: Any) -> bool:
    """Whether an address is put where text is wanted."""
    return isinstance(source, IntType) and isinstance(target, ArrayType) and target.element is char


def _fits(scope: Scope, place: Place, value: Expr, node: ast.AST) -> None:
    """Refuse a constant that a bit field does not hold."""
    if place.bits is None or not isinstance(value, Const):
        return
    signed = int(place.type.signed)
    low, high = -(signed << place.bits.width - 1), (1 << place.bits.width - signed) - 1
    if not low <= value.value <= high:
        problem = f"{value.value} does not fit into a bit field of {low} to {high}"
        raise scope.error(node, problem)


def type_name(kind: Any) -> str:
    """A type of memory in words."""
    return f"struct {kind.name}" if isinstance(kind, KernelStruct) else repr(kind)


def alike(source: Any, target: Any) -> bool:
    """Whether two arrays have the same shape, and lie in the same byte order."""
    if not isinstance(source, ArrayType) or not isinstance(target, ArrayType):
        return False
    one, other = source.element, target.element
    ordered = getattr(one, "big_endian", False) == getattr(other, "big_endian", False)
    return bool(one.size == other.size and source.count == target.count and ordered)


def _written(scope: Scope, kind: Any, text: str | bytes, node: ast.expr) -> Expr:
    """Text that is known, as an array on the stack."""
    data = filling(scope, kind, text, node)
    slot = Slot(scope.span(node), Pointer(kind, Memory.STACK), scope.own_slot(node, kind))
    return Build(
        slot.span, slot.type, slot.slot, (Write(slot.span, Place(slot.span, kind, slot), data),)
    )


def spilled(scope: Scope, node: ast.expr, kind: Any, role: str) -> Expr:
    """An argument of type ``kind`` in memory that a helper may read: a number goes to the stack, a struct stays."""
    span = scope.span(node)
    text = known(scope, node)
    if text is not None:
        return _written(scope, kind, text, node)
    if isinstance(kind, IntType):
        refuse_into(scope, kind, node)
        value = laid(kind, converted(scope, scope.expr(node), kind, node))
        return Spill(span, Pointer(kind, Memory.STACK), scope.slot(role, kind), value)
    if isinstance(node, ast.Tuple) and isinstance(kind, StructType):
        parts = ", ".join(ast.unparse(item) for item in node.elts)
        problem = f"{type_name(kind)} is wanted here, not a tuple"
        raise scope.error(node, problem, f"make one: {type_name(kind)}({parts})")
    value = scope.expr(node)
    if value.type is UNKNOWN:
        return value
    if not isinstance(value.type, Pointer) or (
        value.type.target != kind and not alike(value.type.target, kind)
    ):
        made = isinstance(value.type, Static) and isinstance(value.type.value, Struct)
        kept = f"; what is made outside is kept in a skep.Global({type_name(kind)}, {ast.unparse(node)}, constant=True)"
        raise scope.error(
            node,
            f"{type_name(kind)} is wanted here, not {describe(value.type)}{' of Python' if made else ''}",
            f"make one: {type_name(kind)}(...){kept if made else ''}",
        )
    if value.type.memory in STACKED:
        return value
    place = step(scope, value, kind, 0, node)
    return Spill(span, Pointer(kind, Memory.STACK), scope.slot(role, kind), place)
