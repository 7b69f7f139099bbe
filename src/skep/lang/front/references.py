"""The methods of references to kernel objects in a map's value."""

import ast
from typing import Any

from skep.lang.front.map_methods import BY_RESULT, Method
from skep.lang.front.scope import Scope
from skep.lang.tree import Address, Expr, Load, Place, ReferenceCall
from skep.lang.values import UNKNOWN, KernelPointer, Memory, Pointer, describe


def _place(scope: Scope, node: ast.Call, owner: Expr) -> Place:
    """Where a reference lies. Raises CompileError where that is no value of a map."""
    base = owner.place.base.type if isinstance(owner, Address) else None
    if (
        not isinstance(owner, Address)
        or not isinstance(base, Pointer)
        or base.memory is not Memory.VALUE
    ):
        hint = "value = m.lookup(key), then value.task.set(...)"
        raise scope.error(node, "a reference is used in a value that was looked up", hint)
    return owner.place


def _get(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    scope.arguments(node, 0, 0, "get()")
    place, reference = _place(scope, node, owner), owner.type.target
    struct = scope.target.types.struct(reference.kernel)
    pointer = Pointer(struct, Memory.KERNEL, nullable=True, what="a reference")
    span = scope.span(node)
    where = Place(span, KernelPointer(struct), place.base, place.offset, place.index, place.stride)
    return Load(span, pointer, where)


def _set(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    _place(scope, node, owner)
    reference: Any = owner.type.target
    (given,) = scope.arguments(node, 1, 1, "set(object)")
    kept = scope.expr(given)
    kind = kept.type
    known = isinstance(kind, Pointer) and kind.memory is Memory.KERNEL
    name = getattr(getattr(kind, "target", None), "name", "")
    if kind is not UNKNOWN and not (known and name == reference.kernel):
        raise scope.error(
            given,
            f"a {reference.__name__} keeps a struct {reference.kernel} that the kernel trusts, "
            f"not {describe(kind)}",
        )
    return ReferenceCall(scope.span(node), BY_RESULT, "set", reference, (owner, kept))


def _clear(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    _place(scope, node, owner)
    scope.arguments(node, 0, 0, "clear()")
    return ReferenceCall(scope.span(node), BY_RESULT, "clear", owner.type.target, (owner,))


REFERENCE: dict[str, Method] = {"get": _get, "set": _set, "clear": _clear}
