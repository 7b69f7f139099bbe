"""Objects that a program allocates, and the methods of the lists and trees of them."""

import ast
from collections.abc import Sequence
from typing import Any

from skep.lang.front.callbacks import callback
from skep.lang.front.map_methods import BY_RESULT, Method
from skep.lang.front.scope import Scope
from skep.lang.keepers import check_per_cpu
from skep.lang.object_calls import ObjectCall
from skep.lang.objects import RefCount, check_object, is_head, is_lock, is_tree
from skep.lang.struct import StructType
from skep.lang.tree import Address, Expr, Function, Local, Node, Place, walk
from skep.lang.values import UNKNOWN, VOID, Memory, Pointer, describe

OUTSIDE = frozenset({"new", "new_per_cpu", "drop", "set", "swap", "take", "clear", "here", "on"})
"""What is not done while a lock is held: the kernel allocates, frees and exchanges."""
LOCKABLE = (Memory.VALUE, Memory.OBJECT)
"""Where locks, lists and trees lie."""
NODE_SIZE = 24
"""Of ``struct bpf_list_node`` since Linux 6.6, with which all that is here works."""


def pointer(kind: StructType, what: str) -> Pointer:
    """A pointer to an object, or None."""
    return Pointer(kind, Memory.OBJECT, nullable=True, what=what)


def offered(scope: Scope, node: ast.AST) -> None:
    """Raises CompileError where the kernel has no objects, or those of before 6.6."""
    struct = scope.target.types.struct("bpf_list_node")
    if struct is None or struct.size != NODE_SIZE or not scope.target.types.function(NEW):
        hint = "they came with Linux 6.6; an Arena or a Hash holds what earlier ones link"
        raise scope.error(node, "this kernel has no objects that programs allocate", hint)


NEW, NEW_PER_CPU, ROOT = "bpf_obj_new_impl", "bpf_percpu_obj_new_impl", "bpf_rbtree_root"
PER_CPU = "new_per_cpu"
MAKES = {"new": Memory.OBJECT, PER_CPU: Memory.PER_CPU}


def made(scope: Scope, node: ast.Call, kind: StructType, name: str) -> Expr:
    """A call of a method of a class of objects."""
    if name not in MAKES:
        raise scope.error(node, f"{kind!r} has no method {name!r}", f"{kind!r}.new() makes one")
    scope.arguments(node, 0, 0, f"{kind!r}.{name}()")
    offered(scope, node)
    if name == PER_CPU and not scope.target.types.function(NEW_PER_CPU):
        hint = "Linux 6.7 has it; a PerCpuArray or a PerCpuHash has values of each CPU"
        raise scope.error(node, f"this kernel has no {name}()", hint)
    try:
        check_object(kind)
        if name == PER_CPU:
            check_per_cpu(kind)
    except TypeError as error:
        raise scope.error(node, str(error)) from error
    memory = MAKES[name]
    found = Pointer(kind, memory, nullable=True, what=f"{kind!r}.{name}()")
    return ObjectCall(scope.span(node), found, name, kind, ())


def _variable(scope: Scope, node: ast.AST, value: Expr, usage: str) -> Expr:
    """The variable that holds an object. Raises CompileError at anything else."""
    if value.type is not UNKNOWN and not isinstance(value, Local):
        raise scope.error(node, f"{usage} takes the variable that holds the object")
    return value


def _drop(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    scope.arguments(node, 0, 0, "drop()")
    held = _variable(scope, node, owner, "drop()")
    return ObjectCall(scope.span(node), VOID, "drop", owner.type.target, (held,))


def _acquire(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    scope.arguments(node, 0, 0, "acquire()")
    kind = owner.type.target
    if not any(field.type is RefCount for field in kind.fields):
        problem = f"{kind!r} has one holder at a time"
        raise scope.error(node, problem, "give it a field: holders: skep.RefCount")
    held = _variable(scope, node, owner, "acquire()")
    return ObjectCall(scope.span(node), pointer(kind, "acquire()"), "acquire", kind, (held,))


def _head(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """A list or tree. Raises CompileError where it is in no value, or its lock is not held."""
    place = owner.place if isinstance(owner, Address) else None
    base = place.base.type if place is not None else None
    word = "tree" if is_tree(owner.type.target) else "list"
    if place is None or not isinstance(base, Pointer) or base.memory not in LOCKABLE:
        hint = "bucket = buckets.lookup(key), then bucket.entries..."
        raise scope.error(node, f"a {word} is used in a value that was looked up", hint)
    offered(scope, node)
    if not _same(scope.lock, place):
        name = getattr(place.base, "name", "value")
        hint = f"with {name}.{_lock_of(base.target)}: around it"
        raise scope.error(node, f"a {word} is used under the lock of its value only", hint)
    return owner


def _lock_of(kind: Any) -> str:
    return next((f.name for f in getattr(kind, "fields", ()) if is_lock(f.type)), "lock")


def _same(lock: Place | None, place: Place) -> bool:
    """Whether a lock is that of the value in which a place lies."""
    match lock.base if lock else None, place.base:
        case Local(name=a), Local(name=b):
            return a == b
    return False


def entry_of(
    scope: Scope, node: ast.expr, kind: StructType, usage: str, memory: Memory = Memory.OBJECT
) -> Expr:
    """An object that is given to a list, a tree or what keeps it, by its variable."""
    value = scope.expr(node)
    known = isinstance(value.type, Pointer) and value.type.memory is memory
    if value.type is not UNKNOWN and not (known and value.type.target is kind):
        raise scope.error(
            node, f"{usage} takes an object of class {kind!r}, not {describe(value.type)}"
        )
    return _variable(scope, node, value, usage)


def _pushes(action: str) -> Method:
    def run(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
        (given,) = scope.arguments(node, 1, 1, f"{action}(object)")
        head, kind = _head(scope, node, owner), owner.type.target.element
        entry = entry_of(scope, given, kind, f"{action}()")
        return ObjectCall(scope.span(node), BY_RESULT, action, owner.type.target, (head, entry))

    return run


def _takes(action: str) -> Method:
    def run(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
        scope.arguments(node, 0, 0, f"{action}()")
        head, kind = _head(scope, node, owner), owner.type.target
        found = pointer(kind.element, f"{action}()")
        return ObjectCall(scope.span(node), found, action, kind, (head,))

    return run


def _peeks(action: str, *, beside: bool = False) -> Method:
    """What finds an object that stays there: since Linux 6.16, but for the first one of a tree."""

    def run(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
        given = scope.arguments(node, int(beside), int(beside), f"{action}({'object' * beside})")
        head, kind = _head(scope, node, owner), owner.type.target
        if not scope.target.types.function(ROOT):
            raise scope.error(node, f"this kernel has no {action}()", "Linux 6.16 has it")
        entry = [entry_of(scope, one, kind.element, f"{action}()") for one in given]
        found = pointer(kind.element, f"{action}()")
        return ObjectCall(scope.span(node), found, action, kind, (head, *entry))

    return run


def _remove(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    (given,) = scope.arguments(node, 1, 1, "remove(object)")
    head, kind = _head(scope, node, owner), owner.type.target
    entry = entry_of(scope, given, kind.element, "remove()")
    found = pointer(kind.element, "remove()")
    return ObjectCall(scope.span(node), found, "remove", kind, (head, entry))


def _add(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    given, function = scope.arguments(node, 2, 2, "add(object, less)")
    head, kind = _head(scope, node, owner), owner.type.target
    entry = entry_of(scope, given, kind.element, "add()")
    one = Pointer(kind.element, Memory.OBJECT)
    less = callback(scope, function, "less", one, one)
    less.function.inline = True  # under a lock, kernels before 6.9 call nothing of a program's
    return ObjectCall(scope.span(node), BY_RESULT, "add", kind, (head, entry, less))


def functions(body: Sequence[Node]) -> list[Function]:
    """The functions by which trees are sorted in a block: they run under its lock."""
    calls = (one for one in walk(*body) if isinstance(one, ObjectCall) and one.action == "add")
    return [one.args[2].function for one in calls]  # type: ignore[attr-defined]  # a Callback


OBJECT: dict[str, Method] = {"drop": _drop, "acquire": _acquire}
KEPT: dict[str, Method] = {"acquire": _acquire}
METHODS: dict[Memory, tuple[dict[str, Method], str]] = {
    Memory.OBJECT: (OBJECT, "an object"),
    Memory.KEPT: (KEPT, "an object that is kept"),
    Memory.PER_CPU: ({"drop": _drop}, "an object of each CPU"),
}
LIST: dict[str, Method] = {
    **{one: _pushes(one) for one in ("push_front", "push_back")},
    **{one: _takes(one) for one in ("pop_front", "pop_back")},
    **{one: _peeks(one) for one in ("front", "back")},
}
TREE: dict[str, Method] = {
    "add": _add,
    "first": _takes("first"),
    "root": _peeks("root"),
    **{one: _peeks(one, beside=True) for one in ("left", "right")},
    "remove": _remove,
}


def methods_of(kind: Any, memory: Memory) -> tuple[dict[str, Method], str] | None:
    """The methods of an object, a list or a tree, and its name in messages; None where it is none of them."""
    if is_head(kind):
        return (TREE, "a tree") if is_tree(kind) else (LIST, "a list")
    return METHODS.get(memory)
