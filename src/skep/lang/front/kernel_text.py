"""Text that the kernel writes: of a format and values, and of one of its objects by the types that it knows.

``snprintf(text, f"...")`` (5.13), ``snprintf_btf(text, task, flags)`` and ``seq_printf_btf(file, task, flags)`` (5.10).
"""

import ast
from dataclasses import replace

from skep.lang.constant_text import ConstantText
from skep.lang.front.access import handed, writable
from skep.lang.front.helping import refuse_lacking
from skep.lang.front.integers import converted
from skep.lang.front.prints import formatted, packed
from skep.lang.front.scope import Scope
from skep.lang.helpers import Arg, Helper
from skep.lang.tree import Address, Build, Const, Expr, HelperCall, NoneValue, Place, Slot, Store
from skep.lang.types import ArrayType, char, s64, u32, u64
from skep.lang.values import UNKNOWN, KernelStruct, Memory, Pointer, describe

OBJECT = ArrayType(u64, 2)
"""``struct btf_ptr``: an address, the number of a type, and flags that are 0."""
MADE = (Arg.OUT, Arg.SIZE, Arg.IN, Arg.ADDRESS, Arg.SIZE)
SHOWN = (Arg.IN, Arg.SIZE, Arg.INT)


def text_of_values(scope: Scope, node: ast.Call, row: Helper) -> Expr:
    """``snprintf(text, f"...")``: how long the text is, with its NUL, whether or not there was room."""
    refuse_lacking(scope, node, row)
    to, line = scope.arguments(node, 2, 2, "snprintf(text, line)")
    span, place = scope.span(node), _room(scope, to)
    written, values = formatted(scope, node, [line])
    nothing: list[Expr] = [NoneValue(span, Pointer(None, Memory.KERNEL)), Const(span, u64, 0)]
    args = (
        *_memory(scope, place, to),
        ConstantText(span, Pointer(char, Memory.CONSTANT), written.encode() + b"\0"),
        *(packed(scope, node, values) if values else nothing),
    )
    return HelperCall(span, s64, replace(row, args=MADE), args, (place,))


def text_of_object(scope: Scope, node: ast.Call, row: Helper) -> Expr:
    """``snprintf_btf(text, task, flags)`` and ``seq_printf_btf(file, task, flags)``."""
    refuse_lacking(scope, node, row)
    into_file = row.args[0] is Arg.KERNEL
    to, shown, *rest = scope.arguments(
        node, 2, 3, f"{row.name}({'file' if into_file else 'text'}, object, flags)"
    )
    flags = converted(scope, scope.expr(rest[0]), u64, rest[0]) if rest else None
    place = None if into_file else _room(scope, to)
    where = [scope.expr(to)] if place is None else [*_memory(scope, place, to)]
    args = (*where, *_object(scope, shown), flags or Const(scope.span(node), u64, 0))
    kinds = ((Arg.KERNEL,) if into_file else (Arg.OUT, Arg.SIZE)) + SHOWN
    written = () if place is None else (place,)
    return HelperCall(scope.span(node), s64, replace(row, args=kinds), args, written)


def _room(scope: Scope, node: ast.expr) -> Place:
    """Where the text goes. Raises CompileError where that is no memory that may be written."""
    return writable(scope, handed(scope, node), node)


def _memory(scope: Scope, place: Place, node: ast.expr) -> tuple[Expr, Expr]:
    span = scope.span(node)
    return Address(span, Pointer(place.type, Memory.STACK), place), Const(
        span, u64, place.type.size
    )


def _object(scope: Scope, node: ast.expr) -> tuple[Expr, Expr]:
    """An object of the kernel with its type, as memory on the stack, and the size of that."""
    value, span = scope.expr(node), scope.span(node)
    kind = value.type.target if isinstance(value.type, Pointer) else None
    known = isinstance(kind, KernelStruct) and not kind.module
    if value.type is not UNKNOWN and not known:
        problem = f"an object of the kernel is shown by its type, not {describe(value.type)}"
        raise scope.error(node, problem, "give an address a type: skep.kernel_struct(...)(address)")
    number = kind.id if isinstance(kind, KernelStruct) else 0
    where = Slot(span, Pointer(OBJECT, Memory.STACK), scope.own_slot(node, OBJECT))
    stores = (
        Store(span, Place(span, u64, where), value),
        Store(span, Place(span, u32, where, 8), Const(span, u32, number)),
    )
    return Build(span, where.type, where.slot, stores), Const(span, u64, OBJECT.size)
