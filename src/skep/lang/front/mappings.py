"""``find_vma``: a function sees the mapping of a task's memory in which an address lies."""

import ast

from skep.lang.front.callbacks import callback, shared
from skep.lang.front.helping import given_struct, is_address, refuse_lacking
from skep.lang.front.integers import converted
from skep.lang.front.scope import Scope
from skep.lang.helpers import Helper
from skep.lang.tree import Const, Expr, HelperCall, NoneValue
from skep.lang.types import s64, u64
from skep.lang.values import UNKNOWN, KernelStruct, Memory, Pointer, Type, describe


def find_vma(scope: Scope, node: ast.Call, row: Helper) -> Expr:
    """``find_vma(task, address, function, memory)``, of which the function gets the memory, where there is some."""
    refuse_lacking(scope, node, row)
    usage = "find_vma(task, address, function, memory)"
    task, address, function, *given = scope.arguments(node, 3, 4, usage)
    structs = [given_struct(scope, node, row, name) for name in ("task_struct", "vm_area_struct")]
    pointers = [Pointer(struct, Memory.KERNEL) for struct in structs]
    owner, where, memory = _task(scope, task), _address(scope, address), shared(scope, given)
    pointers += [one.type for one in memory]
    span = scope.span(node)
    called = callback(scope, function, "mapping", *pointers)
    found: Expr = memory[0] if memory else NoneValue(span, Pointer(None, Memory.KERNEL))
    args = (owner, where, called, found, Const(span, u64, 0))
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
