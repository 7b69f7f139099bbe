"""Loops over what the kernel goes over: ``for task in TASKS(None, 0)``. The iterator lies on the program's stack.

It is made before the loop, gives the next object or None, and is ended behind the loop, and where a ``return`` leaves
it.
"""

import ast
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

from skep.base.similar import similar
from skep.lang.front.integers import loaded
from skep.lang.front.iterables import CALLS, Item, assigned
from skep.lang.front.kernel_calls import call_of, offering
from skep.lang.front.scope import Scope
from skep.lang.front.variables import bound
from skep.lang.kernel_names import KernelIterator
from skep.lang.tree import (
    Break,
    Const,
    Evaluate,
    Expr,
    If,
    IsNone,
    Local,
    Node,
    Place,
    Slot,
    While,
)
from skep.lang.types import ArrayType, IntType, u64
from skep.lang.values import BOOL, Memory, Pointer, Static

WORD = 8
Body = Callable[[Scope, ast.For], tuple[Node, ...]]


def iterator_of(scope: Scope, node: ast.expr) -> KernelIterator | None:
    """The iterator that is called; None where something else stands there."""
    if not isinstance(node, ast.Call) or not _is_named(scope, node.func):
        return None
    function = scope.expr(node.func)
    value = function.type.value if isinstance(function.type, Static) else None
    return value if isinstance(value, KernelIterator) else None


def over(
    scope: Scope, node: ast.For, call: ast.Call, iterator: KernelIterator, body: Body
) -> list[Node]:
    """The nodes of such a loop. Raises CompileError where this kernel has no such iterator."""
    if offering(scope.target, iterator.function("new")) is None:
        raise scope.error(call, *_absent(scope, iterator))
    span, where = scope.span(call), _room(scope, call, iterator)
    begin = call_of(scope, call, iterator.function("new"), where, more=True)
    following = call_of(scope, call, iterator.function("next"), where, more=False)
    end = call_of(scope, call, iterator.function("destroy"), where, more=False)
    name = f"next.{call.lineno}.{call.col_offset}"
    pointer = following.type
    if isinstance(pointer.target, IntType):
        pointer = replace(pointer, memory=Memory.CONSTANT)
    taken = bound(scope, name, replace(following, type=pointer), node)
    found: Expr = Local(span, pointer, name)
    none = If(span, IsNone(span, BOOL, found), (Break(span),), ())
    item = _item(scope, Local(span, pointer.checked(), name), node)
    first = assigned(scope, node.target, item)
    loop = While(span, Const(span, BOOL, 1), (*taken, none, *first, *body(scope, node)), end)
    return [Evaluate(span, begin), loop]


def _is_named(scope: Scope, node: ast.expr) -> bool:
    """Whether a name, or one of a module, is called, and none that loops know anyway."""
    if isinstance(node, ast.Attribute):
        owner = scope.expr(node.value).type if isinstance(node.value, ast.Name) else None
        return isinstance(owner, Static) and isinstance(owner.value, ModuleType)
    return isinstance(node, ast.Name) and node.id not in CALLS


def _absent(scope: Scope, iterator: KernelIterator) -> tuple[str, str]:
    known = scope.target.types.iterated()
    near = similar(iterator.name, known)
    hint = f"did you mean {near!r}?" if near else f"it has {', '.join(known) or 'none'}"
    return f"this kernel has no iterator {iterator.symbol!r} for programs", hint


def _room(scope: Scope, node: ast.Call, iterator: KernelIterator) -> Slot:
    """Where the iterator lies: memory of its size that is not set."""
    function = iterator.function("new")
    types = offering(scope.target, function)
    struct = types.struct(f"bpf_iter_{iterator.name}") if types else None
    words = -(-struct.size // WORD) if struct else 1
    kind, name = ArrayType(u64, words), f"over.{node.lineno}.{node.col_offset}"
    scope.slots[name] = kind
    return Slot(scope.span(node), Pointer(kind, Memory.STACK), name)


def _item(scope: Scope, found: Local, node: ast.For) -> Item:
    """What the loop's variable gets: an object, or the number that stands there."""
    kind = found.type.target
    if isinstance(kind, IntType):
        return loaded(scope, Place(found.span, kind, found), node)
    return found
