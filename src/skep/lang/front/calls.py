"""Calls: conversions, constructors, Python's min, max and len, other functions; the rest has modules of its own."""

import ast
import difflib
from collections.abc import Callable, Hashable
from dataclasses import replace
from types import FunctionType
from typing import Any

from skep.lang.front import searches
from skep.lang.front.contexts import ends
from skep.lang.front.helping import helper, intrinsic
from skep.lang.front.integers import constant, converted, dereferenced, meeting, number
from skep.lang.front.kernel_calls import kernel_call
from skep.lang.front.methods import method
from skep.lang.front.prints import printed
from skep.lang.front.scope import Scope
from skep.lang.front.structs import build
from skep.lang.front.texts import known
from skep.lang.helpers import HELPERS, Helper
from skep.lang.intrinsics import Intrinsic
from skep.lang.kernel_names import KernelFunction, KernelView
from skep.lang.maps import Declaration
from skep.lang.struct import StructType
from skep.lang.tree import (
    Binary,
    Build,
    Convert,
    Expr,
    Load,
    NoneValue,
    Opaque,
    Place,
    StaticValue,
    SubCall,
)
from skep.lang.types import ArrayType, IntType, u32, u64
from skep.lang.values import UNKNOWN, Literal, Memory, Pointer, Several, Static, describe, register


def call(scope: Scope, node: ast.Call) -> Expr:
    """A call of whatever kind."""
    if isinstance(node.func, ast.Attribute):
        owner = scope.expr(node.func.value)
        if owner.type is UNKNOWN:
            return NoneValue(owner.span, UNKNOWN)
        if isinstance(owner.type, Pointer) or (
            isinstance(owner.type, Static) and isinstance(owner.type.value, Declaration)
        ):
            sought = searches.method(scope, node, owner, node.func.attr)
            return method(scope, node, owner, node.func.attr) if sought is None else sought
    function = scope.expr(node.func)
    if not isinstance(function.type, Static):
        raise scope.error(node, f"{describe(function.type)} cannot be called")
    if node.keywords and not isinstance(function.type.value, StructType):
        raise scope.error(
            node, "only a Struct is made with named arguments; give the others in order"
        )
    return _static_call(scope, node, function.type.value)


def _static_call(scope: Scope, node: ast.Call, value: Any) -> Expr:
    match value:
        case IntType():
            return _cast(scope, node, value)
        case StructType():
            return build(scope, node, value)
        case ArrayType():
            return Build(
                scope.span(node), Pointer(value, Memory.STACK), scope.own_slot(node, value)
            )
        case Helper():
            return helper(scope, node, value)
        case KernelView(name=name) | KernelFunction(name=name):
            view = isinstance(value, KernelView)
            return _kernel_view(scope, node, name) if view else kernel_call(scope, node, name)
        case Intrinsic(name=name):
            return intrinsic(scope, node, name)
        case FunctionType():
            args = tuple(_passed(scope, argument) for argument in node.args)
            function = scope.instantiate(scope, value, args, node)
            given = _converted_to(scope, function.parameters, args, node)
            several = isinstance(function.result, Several)
            out = scope.own_slot(node, function.result) if several else ""
            return SubCall(scope.span(node), function.result, function, given, out)
    builtin = BUILTINS.get(value) if isinstance(value, type | type(len)) else None
    if builtin is None:
        close = difflib.get_close_matches(str(getattr(value, "__name__", "")), HELPERS, 1)
        raise scope.error(
            node,
            f"{getattr(value, '__name__', value)!r} cannot be called in a program",
            f"did you mean the helper {close[0]}?"
            if close
            else "call a helper, a Struct or a function of your own",
        )
    return builtin(scope, node)


def _cast(scope: Scope, node: ast.Call, kind: IntType) -> Expr:
    (argument,) = scope.arguments(node, 1, 1, f"{kind!r}(...)")
    value = scope.expr(argument)
    if isinstance(value.type, Pointer) and _is_address(value.type, kind):
        return _pointer_number(scope, node, value, kind)
    return converted(scope, value, kind, argument, wrap=True)


def _is_address(pointer: Pointer, kind: IntType) -> bool:
    """Whether a cast means the pointer: always, unless it stands for a number of the program's own.

    ``u64(bprm.filename)`` is where the name lies, ``u64(counts.lookup(key))`` is the count.
    """
    if not isinstance(pointer.target, IntType):
        return True
    return kind is u64 and pointer.memory in (Memory.KERNEL, Memory.PROBE, Memory.USER)


def _pointer_number(scope: Scope, node: ast.AST, value: Expr, kind: IntType) -> Expr:
    if register(kind) is not u64:
        raise scope.error(node, "an address has 64 bits", "convert it with u64(...)")
    return Binary(scope.span(node), u64, "address", value, constant(scope, node, 0))


def _kernel_view(scope: Scope, node: ast.Call, name: str) -> Expr:
    """An address as a struct of the kernel, which is read by probe."""
    (argument,) = scope.arguments(node, 1, 1, f"kernel_struct({name!r})(...)")
    struct = scope.target.types.struct(name)
    if struct is None:
        raise scope.error(node, f"this kernel has no struct {name}")
    value, kind = scope.expr(argument), Pointer(struct, Memory.PROBE)
    if isinstance(value.type, Pointer) and _is_address(value.type, u64):
        return replace(value, type=kind)
    number_of = converted(scope, value, u64, argument)
    return Binary(scope.span(node), kind, "pointer", number_of, constant(scope, node, 0))


def _minmax(op: str) -> Callable[[Scope, ast.Call], Expr]:
    def run(scope: Scope, node: ast.Call) -> Expr:
        left_node, right_node = scope.arguments(node, 2, 2, f"{op}()")
        left, right = number(scope, left_node), number(scope, right_node)
        kind = meeting(scope, left, right, node)
        if isinstance(kind, IntType):
            left = converted(scope, left, kind, left_node)
            right = converted(scope, right, kind, right_node)
        return Binary(scope.span(node), kind, op, left, right)

    return run


def _len(scope: Scope, node: ast.Call) -> Expr:
    (argument,) = scope.arguments(node, 1, 1, "len()")
    text = known(scope, argument)
    if text is not None:
        return constant(scope, node, len(text))
    value = scope.expr(argument)
    if isinstance(value.type, Static) and isinstance(value.type.value, tuple):
        return constant(scope, node, len(value.type.value))
    if isinstance(value.type, Pointer) and isinstance(value.type.target, ArrayType):
        return constant(scope, node, value.type.target.count)
    if (
        isinstance(value.type, Pointer)
        and value.type.memory is Memory.CONTEXT
        and scope.kind.packet
    ):
        return _packet_length(scope, node, value)
    raise scope.error(
        node, f"len() takes an array, or the context of a packet, not {describe(value.type)}"
    )


def _packet_length(scope: Scope, node: ast.AST, context: Expr) -> Expr:
    """Bytes that ``view`` can reach: the verifier takes the difference of whole registers only."""
    span = scope.span(node)
    first, last, wide = ends(scope)
    sides = []
    for offset in (last, first):
        kind = u64 if wide else u32
        whole: Expr = Load(span, kind, Place(span, kind, context, offset))
        sides.append(Opaque(span, u64, whole if wide else Convert(span, u64, whole)))
    return Opaque(span, u64, Binary(span, u64, "-", sides[0], sides[1]))


def _int(scope: Scope, node: ast.Call) -> Expr:
    raise scope.error(
        node, "int(...) has no width in the kernel", "write u64(...), u32(...) or s64(...)"
    )


def _range(scope: Scope, node: ast.Call) -> Expr:
    raise scope.error(node, "range(...) stands in a for statement only")


BUILTINS: dict[Any, Callable[[Scope, ast.Call], Expr]] = {
    min: _minmax("min"),
    max: _minmax("max"),
    len: _len,
    int: _int,
    range: _range,
    print: printed,
}


def _passed(scope: Scope, node: ast.expr) -> Expr:
    """An argument; text and other objects that are known are passed while compiling."""
    text = known(scope, node)
    value = scope.expr(node) if text is None else StaticValue(scope.span(node), Static(text))
    if isinstance(value.type, Static) and not isinstance(value.type.value, Hashable):
        raise scope.error(
            node,
            f"{describe(value.type)} cannot be passed to a function",
            "the function captures it by itself",
        )
    return value


def _converted_to(
    scope: Scope, parameters: tuple[Any, ...], args: tuple[Expr, ...], node: ast.Call
) -> tuple[Expr, ...]:
    """The arguments that are passed when the program runs."""
    given = [
        (value, written)
        for value, written in zip(args, node.args, strict=True)
        if not isinstance(value.type, Static)
    ]
    return tuple(
        converted(scope, value, parameter.type, written)
        if isinstance(parameter.type, IntType)
        else dereferenced(scope, value, written)
        if isinstance(value.type, Literal)
        else value
        for parameter, (value, written) in zip(parameters, given, strict=True)
    )
