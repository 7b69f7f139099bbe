"""Calls: conversions, constructors, other functions; the rest has modules of its own."""

import ast
from collections.abc import Callable, Hashable
from dataclasses import replace
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import FunctionType
from typing import Any

from skep.lang.capture import MISSING, defaults, outside, resolve
from skep.lang.front import dynptrs, foreign, instead, objects, searches
from skep.lang.front.builtin_calls import BUILTINS
from skep.lang.front.constants import static
from skep.lang.front.global_functions import is_context
from skep.lang.front.helping import helper, intrinsic, is_address
from skep.lang.front.integers import constant, converted, dereferenced
from skep.lang.front.kernel_calls import kernel_call
from skep.lang.front.kernel_text import text_of_object, text_of_values
from skep.lang.front.kernel_variables import of_cpu
from skep.lang.front.mappings import find_vma
from skep.lang.front.methods import method
from skep.lang.front.scope import Scope
from skep.lang.front.structs import build
from skep.lang.front.texts import known
from skep.lang.helpers import Helper
from skep.lang.intrinsics import Intrinsic
from skep.lang.kernel_names import KernelFunction, KernelIterator, KernelView
from skep.lang.maps import Declaration
from skep.lang.objects import is_object
from skep.lang.struct import StructType
from skep.lang.tree import (
    Binary,
    Build,
    Expr,
    Function,
    NoneValue,
    StaticValue,
    SubCall,
)
from skep.lang.types import ArrayType, IntType, u64
from skep.lang.values import (
    BOOL,
    NONE,
    UNKNOWN,
    Literal,
    Memory,
    Pointer,
    Several,
    Static,
    Type,
    describe,
    register,
)

STARRED = CO_VARARGS | CO_VARKEYWORDS
SHAPED: dict[str, Callable[[Scope, ast.Call, Helper], Expr]] = {
    "this_cpu_ptr": of_cpu,
    "per_cpu_ptr": of_cpu,
    "find_vma": find_vma,
    "dynptr_data": dynptrs.data,
    "snprintf": text_of_values,
    "snprintf_btf": text_of_object,
    "seq_printf_btf": text_of_object,
}
"""Helpers whose arguments are more than numbers and memory."""


def call(scope: Scope, node: ast.Call) -> Expr:
    """A call of whatever kind."""
    if isinstance(node.func, ast.Attribute):
        owner = scope.expr(node.func.value)
        if owner.type is UNKNOWN:
            return NoneValue(owner.span, UNKNOWN)
        if isinstance(owner.type, IntType | Literal) or owner.type is BOOL:
            problem = f"{describe(owner.type)} has no method {node.func.attr!r}"
            raise scope.error(node, problem, instead.of_number_method(owner.type, node.func.attr))
        if _has_methods(owner.type):
            _refuse_names(scope, node)
        if isinstance(owner.type, Static) and is_object(owner.type.value):
            return objects.made(scope, node, owner.type.value, node.func.attr)
        if _has_methods(owner.type):
            sought = searches.method(scope, node, owner, node.func.attr)
            return method(scope, node, owner, node.func.attr) if sought is None else sought
    function = scope.expr(node.func)
    if not isinstance(function.type, Static):
        name = ast.unparse(node.func)
        hidden = isinstance(node.func, ast.Name) and resolve(scope.function, name) is not MISSING
        hint = f"{name!r} is a variable in this function: give that another name" if hidden else ""
        raise scope.error(node, f"{describe(function.type)} cannot be called", hint)
    if _takes_no_names(function.type.value):
        _refuse_names(scope, node)
    return _static_call(scope, node, function.type.value)


def _takes_no_names(value: Any) -> bool:
    """Whether something that a program can call takes its arguments in order only."""
    if isinstance(value, IntType | ArrayType | Helper | KernelView | KernelFunction | Intrinsic):
        return True
    return value is not print and _builtin(value) is not None


def _has_methods(kind: Type) -> bool:
    """Whether a value of that type has methods of the language: memory, a map, a class of objects."""
    static_value = kind.value if isinstance(kind, Static) else None
    return (
        isinstance(kind, Pointer)
        or isinstance(static_value, Declaration)
        or is_object(static_value)
    )


def _refuse_names(scope: Scope, node: ast.Call) -> None:
    """Refuse arguments by name."""
    for keyword in node.keywords:
        problem = "arguments have names in functions of your own and in Structs only"
        made = isinstance(node.func, ast.Attribute) and node.func.attr in ("reserve", "new")
        hint = f"set the field behind it: x.{keyword.arg} = ..." if made else "give them in order"
        raise scope.error(keyword, problem, hint)


def _static_call(scope: Scope, node: ast.Call, value: Any) -> Expr:
    match value:
        case IntType():
            return _cast(scope, node, value)
        case StructType():
            return build(scope, node, value)
        case ArrayType():
            return _array(scope, node, value)
        case Helper():
            return SHAPED.get(value.name, helper)(scope, node, value)
        case KernelView() | KernelFunction() | KernelIterator():
            return _of_kernel(scope, node, value)
        case Intrinsic(name=name):
            return intrinsic(scope, node, name)
        case FunctionType() if outside(value):
            raise scope.error(node, *foreign.outside(node, value))
        case FunctionType():
            written = _ordered(scope, node, value)
            args = tuple(_passed(scope, one) for one in written)
            function = scope.instantiate(scope, value, args, node)
            given = _converted_to(scope, function, args, written)
            several = isinstance(function.result, Several)
            out = scope.own_slot(node, function.result) if several else ""
            return SubCall(scope.span(node), function.result, function, given, out)
    builtin = _builtin(value)
    if builtin is None:
        raise scope.error(node, *foreign.refusal(node, value))
    return builtin(scope, node)


def _builtin(value: Any) -> Callable[[Scope, ast.Call], Expr] | None:
    """What makes a call of a function that Python has and a program too."""
    return BUILTINS.get(value) if isinstance(value, type | type(len)) else None


def _of_kernel(
    scope: Scope, node: ast.Call, named: KernelView | KernelFunction | KernelIterator
) -> Expr:
    """An address as a struct of the kernel, or a call of its function."""
    if isinstance(named, KernelIterator):
        problem = "an iterator of the kernel's is gone over by for, and nothing else"
        raise scope.error(node, problem, f"for one in {ast.unparse(node)}:")
    if isinstance(named, KernelFunction):
        return kernel_call(scope, node, named)
    return _kernel_view(scope, node, named.name)


def _array(scope: Scope, node: ast.Call, kind: ArrayType) -> Expr:
    """An array made on the stack."""
    if node.args:
        problem = f"{ast.unparse(node.func)}() makes an array of zeros, and takes no values"
        hint = 'set its elements behind it: a[0] = ..., or a[:] = b"..." for bytes'
        raise scope.error(node.args[0], problem, hint)
    return Build(scope.span(node), Pointer(kind, Memory.STACK), scope.own_slot(node, kind))


def _cast(scope: Scope, node: ast.Call, kind: IntType) -> Expr:
    (argument,) = scope.arguments(node, 1, 1, f"{kind!r}(...)")
    value = scope.expr(argument)
    if isinstance(value.type, Pointer) and is_address(value.type, kind):
        return _pointer_number(scope, node, value, kind)
    return converted(scope, value, kind, argument, wrap=True)


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
    if isinstance(value.type, Pointer) and is_address(value.type, u64):
        return replace(value, type=kind)
    number_of = converted(scope, value, u64, argument)
    return Binary(scope.span(node), kind, "pointer", number_of, constant(scope, node, 0))


def _ordered(scope: Scope, node: ast.Call, function: FunctionType) -> list[ast.expr]:
    """The arguments of a function of the user's in its own order: by place, by name, and what is left out."""
    if function.__code__.co_flags & STARRED or function.__code__.co_kwonlyargcount:
        return list(node.args)  # it is refused where it is read
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    given = dict(zip(names, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg not in names or keyword.arg in given:
            twice = "is given twice" if keyword.arg in given else "is none of its parameters"
            problem = (
                f"{keyword.arg!r} {twice}" if keyword.arg else "** is not part of the language"
            )
            raise scope.error(keyword, problem, f"{function.__name__}({', '.join(names)})")
        given[keyword.arg] = keyword.value
    left_out = {
        name: ast.copy_location(ast.Constant(value), node)
        for name, value in defaults(function).items()
    }
    given = left_out | given
    missing = [name for name in names if name not in given]
    if missing and len(node.args) <= len(names):
        problem = f"{function.__name__}() is not given {', '.join(missing)}"
        raise scope.error(node, problem, f"{function.__name__}({', '.join(names)})")
    return [*(given[name] for name in names if name in given), *node.args[len(names) :]]


def _passed(scope: Scope, node: ast.expr) -> Expr:
    """An argument; text and other objects that are known are passed while compiling."""
    text = known(scope, node)
    if text is None and isinstance(
        node, ast.Constant
    ):  # written out, or what a parameter is by itself
        value = static(scope, node, node.value)
    else:
        value = scope.expr(node) if text is None else StaticValue(scope.span(node), Static(text))
    if isinstance(value.type, Static) and not isinstance(value.type.value, Hashable):
        raise scope.error(
            node,
            f"{describe(value.type)} cannot be passed to a function",
            instead.of_python(value.type.value) or "the function captures it by itself",
        )
    return value


def _converted_to(
    scope: Scope, function: Function, args: tuple[Expr, ...], nodes: list[ast.expr]
) -> tuple[Expr, ...]:
    """The arguments that are passed when the program runs; a global function gets the context anyway."""
    given = [
        (value, written)
        for value, written in zip(args, nodes, strict=True)
        if not isinstance(value.type, Static)
        and not (function.is_global and is_context(value.type))
    ]
    return tuple(
        converted(scope, value, parameter.type, written)
        if isinstance(parameter.type, IntType)
        else NoneValue(value.span, parameter.type)
        if value.type is NONE and function.is_global
        else dereferenced(scope, value, written)
        if isinstance(value.type, Literal)
        else value
        for parameter, (value, written) in zip(function.parameters, given, strict=True)
    )
