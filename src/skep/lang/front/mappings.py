"""``find_vma``: a function sees the mapping of a task's memory in which an address lies."""

import ast

from skep.lang.front.access import buffer, memory_of
from skep.lang.front.callbacks import callback
from skep.lang.front.helping import given_struct, is_address, refuse_lacking
from skep.lang.front.integers import converted
from skep.lang.front.scope import Scope
from skep.lang.helpers import Helper
from skep.lang.tree import Address, Const, Expr, HelperCall, NoneValue
from skep.lang.types import s64, u64
from skep.lang.values import UNKNOWN, KernelStruct, Memory, Pointer, Type, describe


def find_vma(scope: Scope, node: ast.Call, row: Helper) -> Expr:
    """``find_vma(task, address, function, memory)``, of which the function gets the memory, where there is some."""
    refuse_lacking(scope, node, row)
    usage = "find_vma(task, address, function, memory)"
    task, address, function, *given = scope.arguments(node, 3, 4, usage)
    structs = [given_struct(scope, node, row, name) for name in ("task_struct", "vm_area_struct")]
    pointers = [Pointer(struct, Memory.KERNEL) for struct in structs]
    owner, where, shared = _task(scope, task), _address(scope, address), _shared(scope, given)
    pointers += [one.type for one in shared]
    span = scope.span(node)
    called = callback(scope, function, "mapping", *pointers)
    memory: Expr = shared[0] if shared else NoneValue(span, Pointer(None, Memory.KERNEL))
    args = (owner, where, called, memory, Const(span, u64, 0))
    return HelperCall(span, s64, row, args)


def _task(scope: Scope, node: ast.expr) -> Expr:
    value = scope.expr(node)
    if value.type is not UNKNOWN and not _is_task(value.type):
        hint = "that of the current process is skep.get_current_task_btf()"
        raise scope.error(node, f"a task is wanted here, not {describe(value.type)}", hint)
    return value


def _is_task(kind: Type) -> bool:
    known = isinstance(kind, Pointer) and kind.memory is Memory.KERNEL
    return known and isinstance(kind.target, KernelStruct) and kind.target.name == "task_struct"


def _address(scope: Scope, node: ast.expr) -> Expr:
    value = scope.expr(node)
    pointer = isinstance(value.type, Pointer) and is_address(value.type, u64)
    return value if pointer else converted(scope, value, u64, node)


def _shared(scope: Scope, given: list[ast.expr]) -> list[Expr]:
    """The memory that the function is to have, on the stack of the program."""
    if not given:
        return []
    place = buffer(scope, given[0])
    if memory_of(place) is not Memory.STACK:
        hint = "make it here, as in found = Found(), and copy what is needed behind the call"
        raise scope.error(given[0], "what the function gets lies on the stack", hint)
    return [Address(scope.span(given[0]), Pointer(place.type, Memory.STACK), place)]
