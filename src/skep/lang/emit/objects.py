"""Allocated objects, and the lists and trees that link them: calls of the kernel's functions.

The kernel knows an object by the address of its node where it is linked; the program by its own. A class is named by a
symbol, ``type.Entry``, for which the loader puts its number among the types of the program.
"""

from collections.abc import Callable
from typing import Any

from skep.lang.emit import keepers
from skep.lang.emit.function import Value, Writer
from skep.lang.emit.memory import STORES
from skep.lang.object_calls import ObjectCall
from skep.lang.objects import data_of
from skep.lang.values import Memory

SYMBOL = "type."
HIDDEN = "ptr null, i64 0"
"""Two arguments that the verifier fills in."""
FUNCTIONS = {
    "bpf_obj_new_impl": "ptr @bpf_obj_new_impl(i64, ptr)",
    "bpf_percpu_obj_new_impl": "ptr @bpf_percpu_obj_new_impl(i64, ptr)",
    "bpf_percpu_obj_drop_impl": "void @bpf_percpu_obj_drop_impl(ptr, ptr)",
    "bpf_obj_drop_impl": "void @bpf_obj_drop_impl(ptr, ptr)",
    "bpf_refcount_acquire_impl": "ptr @bpf_refcount_acquire_impl(ptr, ptr)",
    "bpf_list_push_front_impl": "i32 @bpf_list_push_front_impl(ptr, ptr, ptr, i64)",
    "bpf_list_push_back_impl": "i32 @bpf_list_push_back_impl(ptr, ptr, ptr, i64)",
    "bpf_list_pop_front": "ptr @bpf_list_pop_front(ptr)",
    "bpf_list_pop_back": "ptr @bpf_list_pop_back(ptr)",
    "bpf_rbtree_add_impl": "i32 @bpf_rbtree_add_impl(ptr, ptr, ptr, ptr, i64)",
    "bpf_list_front": "ptr @bpf_list_front(ptr)",
    "bpf_list_back": "ptr @bpf_list_back(ptr)",
    "bpf_rbtree_first": "ptr @bpf_rbtree_first(ptr)",
    "bpf_rbtree_root": "ptr @bpf_rbtree_root(ptr)",
    "bpf_rbtree_left": "ptr @bpf_rbtree_left(ptr, ptr)",
    "bpf_rbtree_right": "ptr @bpf_rbtree_right(ptr, ptr)",
    "bpf_rbtree_remove": "ptr @bpf_rbtree_remove(ptr, ptr)",
}


def called(w: Writer, node: ObjectCall) -> Value:
    """What is done with an object."""
    return ACTIONS[node.action](w, node, [w.expr(argument).text for argument in node.args])


def _call(w: Writer, function: str, given: str) -> str:
    """A call of a function of the kernel's; the register of what it gives, "" where that is nothing.

    Each stays where it is: the verifier takes one instruction for a call with objects of one class only.
    """
    declared = FUNCTIONS[function]
    w.module.kernel.setdefault(function, f'declare {declared} section ".ksyms"')
    result = declared.partition(" ")[0]
    call = f"call {result} @{function}({given}) nomerge"
    if result != "void":
        return w.get(call)
    w.do(call)
    return ""


def _new(w: Writer, node: ObjectCall, _: list[str]) -> Value:
    """The kernel clears the nodes of a new object; the rest is as it was left."""
    kind = node.object
    symbol = f"{SYMBOL}{kind.__name__}"
    w.module.objects.add(symbol)
    made = _call(w, "bpf_obj_new_impl", f"i64 ptrtoint (ptr @{symbol} to i64), ptr null")
    fresh, end = w.name("fresh"), w.name("end")
    w.branch(w.get(f"icmp eq ptr {made}, null"), end, fresh)
    w.start(fresh)
    for at, size in data_of(kind):
        _clear(w, made, at, size)
    w.start(end)
    return Value(made)


def _clear(w: Writer, made: str, at: int, size: int) -> None:
    w.use("llvm.memset")
    claim = at & -at & 7 or 8
    for start in range(0, size, STORES * claim):
        where = f"ptr align {claim} {w.offset(made, at + start)}"
        part = min(size - start, STORES * claim)
        w.do(f"call void @llvm.memset.p0.i64({where}, i8 0, i64 {part}, i1 false)")


def _new_per_cpu(w: Writer, node: ObjectCall, _: list[str]) -> Value:
    """It is as it was left: only where it is kept does the verifier let a program write there."""
    symbol = f"{SYMBOL}{node.object.__name__}"
    w.module.objects.add(symbol)
    number = f"i64 ptrtoint (ptr @{symbol} to i64)"
    return Value(_call(w, "bpf_percpu_obj_new_impl", f"{number}, ptr null"))


def _drop(w: Writer, node: ObjectCall, given: list[str]) -> Value:
    of_each = node.args[0].type.memory is Memory.PER_CPU
    drop = keepers.DROP_PER_CPU if of_each else keepers.DROP
    _call(w, drop, f"ptr {given[0]}, ptr null")
    return Value("0")


def _acquire(w: Writer, _: ObjectCall, given: list[str]) -> Value:
    return Value(_call(w, "bpf_refcount_acquire_impl", f"ptr {given[0]}, ptr null"))


def _push(w: Writer, node: ObjectCall, given: list[str]) -> Value:
    linked = w.offset(given[1], node.object.node.offset)
    function = f"bpf_list_{node.action}_impl"
    return Value(_call(w, function, f"ptr {given[0]}, ptr {linked}, {HIDDEN}"))


def _add(w: Writer, node: ObjectCall, given: list[str]) -> Value:
    linked = w.offset(given[1], node.object.node.offset)
    arguments = f"ptr {given[0]}, ptr {linked}, ptr {given[2]}, {HIDDEN}"
    return Value(_call(w, "bpf_rbtree_add_impl", arguments))


def _pop(w: Writer, node: ObjectCall, given: list[str]) -> Value:
    return _object(w, node.object, _call(w, f"bpf_list_{node.action}", f"ptr {given[0]}"))


def _end(w: Writer, node: ObjectCall, given: list[str]) -> Value:
    return _object(w, node.object, _call(w, f"bpf_rbtree_{node.action}", f"ptr {given[0]}"))


def _beside(w: Writer, node: ObjectCall, given: list[str]) -> Value:
    linked = w.offset(given[1], node.object.node.offset)
    found = _call(w, f"bpf_rbtree_{node.action}", f"ptr {given[0]}, ptr {linked}")
    return _object(w, node.object, found)


def _object(w: Writer, head: Any, node: str) -> Value:
    """The object of a node, or null: an address that may be null is not reckoned with."""
    if not head.node.offset:
        return Value(node)
    found, end, before = w.name("found"), w.name("end"), w.block
    w.branch(w.get(f"icmp eq ptr {node}, null"), end, found)
    w.start(found)
    whole = w.offset(node, -head.node.offset)
    w.start(end)
    return Value(w.get(f"phi ptr [ null, %{before} ], [ {whole}, %{found} ]"))


ACTIONS: dict[str, Callable[[Writer, ObjectCall, list[str]], Value]] = {
    "new": _new,
    "new_per_cpu": _new_per_cpu,
    "drop": _drop,
    "acquire": _acquire,
    "set": keepers.put,
    "swap": keepers.swap,
    "take": keepers.take,
    "clear": keepers.clear,
    "get": keepers.get,
    "here": keepers.of_cpu,
    "on": keepers.of_cpu,
    "push_front": _push,
    "push_back": _push,
    "pop_front": _pop,
    "pop_back": _pop,
    "front": _pop,
    "back": _pop,
    "add": _add,
    "first": _end,
    "root": _end,
    "left": _beside,
    "right": _beside,
    "remove": _beside,
}
