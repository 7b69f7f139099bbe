"""The methods of fields that keep an object each: in a value of a map, or in an object of the program's."""

import ast

from skep.lang.front.integers import converted
from skep.lang.front.map_methods import BY_RESULT, Method
from skep.lang.front.objects import LOCKABLE, entry_of, offered
from skep.lang.front.scope import Scope
from skep.lang.keepers import is_per_cpu
from skep.lang.object_calls import ObjectCall
from skep.lang.tree import Address, Expr
from skep.lang.types import u32
from skep.lang.values import VOID, Memory, Pointer, Type

IN_OBJECTS = "ARG_KPTR_XCHG_DEST"
"""The kind of a helper's argument by which objects keep others, among those of ``enum bpf_arg_type`` (Linux 6.12)."""


def _kept(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """A field that keeps an object. Raises CompileError where it is in no value, or the kernel has none such there."""
    base = owner.place.base.type if isinstance(owner, Address) else None
    if not isinstance(base, Pointer) or base.memory not in LOCKABLE:
        hint = "slot = slots.lookup(key), then slot.entry.take()..."
        raise scope.error(node, "an object is kept in a value that was looked up", hint)
    offered(scope, node)
    inside = base.memory is Memory.OBJECT
    if inside and IN_OBJECTS not in scope.target.types.numbers("bpf_arg_type"):
        hint = "Linux 6.12 has it; a List links objects to another one"
        raise scope.error(node, "this kernel has no objects that keep others", hint)
    return owner


def _given(owner: Expr, action: str) -> Type:
    """What an exchange gives: an object of the program's own."""
    kind = owner.type.target
    memory = Memory.PER_CPU if is_per_cpu(kind) else Memory.OBJECT
    return Pointer(kind.element, memory, nullable=True, what=f"{action}()")


def _puts(action: str) -> Method:
    def run(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
        (given,) = scope.arguments(node, 1, 1, f"{action}(object)")
        keeper, kind = _kept(scope, node, owner), owner.type.target
        memory = Memory.PER_CPU if is_per_cpu(kind) else Memory.OBJECT
        entry = entry_of(scope, given, kind.element, f"{action}()", memory)
        result = VOID if action == "set" else _given(owner, action)
        return ObjectCall(scope.span(node), result, action, kind, (keeper, entry))

    return run


def _take(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    scope.arguments(node, 0, 0, "take()")
    keeper = _kept(scope, node, owner)
    return ObjectCall(scope.span(node), _given(owner, "take"), "take", owner.type.target, (keeper,))


def _clear(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    scope.arguments(node, 0, 0, "clear()")
    keeper = _kept(scope, node, owner)
    return ObjectCall(scope.span(node), BY_RESULT, "clear", owner.type.target, (keeper,))


def _found(scope: Scope, node: ast.Call, owner: Expr, action: str, *more: Expr) -> Expr:
    """What finds an object that stays. Where a program may wait, the check asks for a section of RCU around it."""
    keeper, kind = _kept(scope, node, owner), owner.type.target
    place = keeper.place if isinstance(keeper, Address) else None
    if place is not None and place.base.type.memory is Memory.OBJECT:
        hint = "entry = object.field.take(), a test for None, then object.field.set(entry)"
        raise scope.error(node, "what an object keeps is taken out to be read", hint)
    found = Pointer(kind.element, Memory.KEPT, nullable=True, what=f"{action}()")
    span, asleep = scope.span(node), scope.kind.sleeps
    return ObjectCall(span, found, action, kind, (keeper, *more), asleep)


def _get(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    scope.arguments(node, 0, 0, "get()")
    return _found(scope, node, owner, "get")


def _here(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    scope.arguments(node, 0, 0, "here()")
    return _found(scope, node, owner, "here")


def _on(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    (given,) = scope.arguments(node, 1, 1, "on(cpu)")
    cpu = converted(scope, scope.expr(given), u32, given, wrap=True)
    return _found(scope, node, owner, "on", cpu)


EXCHANGES: dict[str, Method] = {
    **{one: _puts(one) for one in ("set", "swap")},
    "take": _take,
    "clear": _clear,
}
OWNED: dict[str, Method] = {**EXCHANGES, "get": _get}
PER_CPU: dict[str, Method] = {**EXCHANGES, "here": _here, "on": _on}
