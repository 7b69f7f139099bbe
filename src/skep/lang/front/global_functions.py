"""Global functions: functions that the verifier checks once, by themselves and for any arguments, not at each call.

So what one takes and gives stands in its annotations alone, and nothing that a caller knows reaches it: a number is any
number of its type, a Struct or an object of the kernel may be None where that stands there, ``Point | None``. The
context is the parameter without a type. What is never None, and what an object is, later kernels are told by tags of
the parameters (6.9); on earlier ones the function tests for None what it is given, and no object is passed.
"""

import ast
from types import FunctionType
from typing import Any

from skep.base.errors import CompileError
from skep.lang.dynptr import Dynptr
from skep.lang.front.context_struct import context
from skep.lang.front.head import Head, annotated, annotation
from skep.lang.front.scope import Scope, Target
from skep.lang.kernel_names import KernelView
from skep.lang.source import Source
from skep.lang.spec import Context, ProgramKind
from skep.lang.special import special
from skep.lang.struct import StructType
from skep.lang.tree import Binary, ContextValue, Convert, Expr, Function, Parameter
from skep.lang.types import IntType, s32, u32
from skep.lang.values import (
    ALLOCATED,
    BELONGING,
    BOOL,
    GIVEN,
    NONE,
    OWN,
    UNKNOWN,
    VOID,
    KernelStruct,
    Memory,
    Pointer,
    Static,
    Type,
    describe,
    register,
)

REGISTERS = 5
TAGGED = "6.9"
INSTEAD = {
    Memory.PACKET: "pass the context and the offset, and take the view in the function",
    Memory.CONSTANT: "copy it into a Struct of the program's, or let the function capture it",
    **dict.fromkeys(ALLOCATED | BELONGING, "leave @skep.global_function out"),
}
NUMBERS = "pass the numbers that the function needs"
TAKEN = OWN | {Memory.ARENA}
"""Memory of Structs that a global function is given."""
PROGRAM_RESULTS = (VOID, u32, s32)
"""What a function gives that may go on in another program."""
LOOSE = frozenset({Memory.PROBE, Memory.USER})
"""Memory whose addresses are numbers to the verifier."""
WINDOWS = frozenset({Context.STRUCT, Context.REGISTERS, Context.SYSCALL, Context.USDT})
"""How contexts are given that the verifier also knows in a function of its own, by the name of their struct."""


def is_global(function: FunctionType) -> bool:
    """Whether a function is marked as one that is checked by itself."""
    return bool(getattr(function, "__skep_global__", False))


def parameter_types(
    scope: Scope, function: FunctionType, source: Source, args: tuple[Expr, ...], node: ast.AST
) -> tuple[Type, ...]:
    """The types of a global function's parameters, by its annotations. Raises CompileError at other arguments."""
    pairs = zip(source.tree.args.args, args, strict=True)
    return tuple(_parameter(scope, (function, source), one, value, node) for one, value in pairs)


def _parameter(
    scope: Scope,
    called: tuple[FunctionType, Source],
    argument: ast.arg,
    value: Expr,
    node: ast.AST,
) -> Type:
    kind, (function, source) = value.type, called
    if isinstance(kind, Static):
        return kind
    wanted, optional = annotated(function, argument)
    if wanted is None:
        if kind is not UNKNOWN and not is_context(kind):
            raise _untyped(function, source, argument)
        return _context(scope, kind, node)
    if isinstance(wanted, IntType):
        _refuse_address(scope, value, node)
        return register(wanted)
    known = kind is not UNKNOWN and not (kind is NONE and optional)
    if isinstance(wanted, KernelView):
        if known:
            _refuse_object(scope, function, argument, kind, node)
        found = _object(scope.target, wanted, optional=optional)
        if isinstance(found, str):
            raise scope.error(node, found, NUMBERS)
        return found
    if known:
        _refuse_memory(scope, function, argument, kind, node)
    arena = isinstance(kind, Pointer) and kind.memory is Memory.ARENA
    return given(wanted, optional=optional, memory=Memory.ARENA if arena else Memory.VALUE)


def declared_types(head: Head) -> tuple[Type, ...]:
    """The types of the parameters of one that no program of ours calls, by its annotations alone."""
    return tuple(
        _declared(head, argument) or context(head, argument.arg).type
        for argument in head.source.tree.args.args
    )


def _declared(head: Head, argument: ast.arg) -> Type | None:
    wanted, optional = annotated(head.function, argument)
    if isinstance(wanted, KernelView):
        found = _object(head.target, wanted, optional=optional)
        if isinstance(found, str):
            raise head.error(found, NUMBERS)
        return found
    if isinstance(wanted, IntType):
        return register(wanted)
    return wanted and given(wanted, optional=optional)


def _object(target: Target, view: KernelView, *, optional: bool) -> Pointer | str:
    """An object of the kernel as a global function is given it; why there is none."""
    struct = target.types.struct(view.name)
    if struct is None:
        return f"this kernel has no struct {view.name}"
    if not target.types.tags:
        return f"a global function is given objects of the kernel since Linux {TAGGED}"
    return Pointer(struct, Memory.KERNEL, optional, GIVEN)


def refuse_other(head: Head, replaced: FunctionType, source: Source) -> None:
    """Raises CompileError where a function does not take and give what the one does in whose place it runs."""
    own, other = (
        (
            [annotated(one, argument) for argument in tree.args.args],
            declared_result(one),
        )
        for one, tree in ((head.function, head.source.tree), (replaced, source.tree))
    )
    if own == other:
        return
    result = f" -> {ast.unparse(source.tree.returns)}" if source.tree.returns else ""
    wanted = f"({ast.unparse(source.tree.args)}){result}"
    name = head.function.__name__
    problem = f"{name}() does not take and give what {replaced.__name__}() does, which it replaces"
    raise head.error(problem, f"def {name}{wanted}:")


def is_context(kind: Type) -> bool:
    """Whether a type is that of the program's context."""
    return isinstance(kind, Pointer) and kind.memory is Memory.CONTEXT


def given(struct: StructType, *, optional: bool, memory: Memory = Memory.VALUE) -> Pointer:
    """A Struct as a global function is given it."""
    return Pointer(struct, memory, optional, GIVEN, align=struct.align)


def _untyped(function: FunctionType, source: Source, argument: ast.arg) -> CompileError:
    problem = f"{argument.arg!r} of the global function {function.__name__}() has no type"
    hint = f"write one, as {argument.arg}: u64, or a Struct; it is checked for any value of that"
    return CompileError(problem, source.span(argument), hint)


def _context(scope: Scope, kind: Type, node: ast.AST) -> Type:
    if kind is UNKNOWN:
        return kind
    known = isinstance(kind, Pointer) and _is_window(scope.kind, kind)
    if not known and not scope.target.types.tags:
        problem = f"a global function is given the context of a {scope.kind.name} program since Linux {TAGGED}"
        raise scope.error(node, problem, NUMBERS)
    return kind


def _is_window(kind: ProgramKind, context: Pointer) -> bool:
    return kind.context in WINDOWS and isinstance(context.target, KernelStruct)


def _refuse_object(
    scope: Scope, function: FunctionType, argument: ast.arg, kind: Type, node: ast.AST
) -> None:
    """Refuse what is no such object of the kernel, or none that the verifier follows."""
    view, optional = annotated(function, argument)
    name = view.name if isinstance(view, KernelView) else ""
    known = isinstance(kind, Pointer) and isinstance(kind.target, KernelStruct)
    missing = scope.target.types.struct(name) is None
    if missing or (
        known and kind.memory is Memory.KERNEL and scope.target.types.begins(kind.target, name)
    ):
        return
    wanted = f"struct {name}{' or None' if optional else ''}"
    problem = f"{function.__name__}() takes {wanted} as {argument.arg}, not {describe(kind)}"
    raise scope.error(node, problem, _instead(argument, kind, known=known))


def _instead(argument: ast.arg, kind: Type, *, known: bool) -> str:
    """How an object of the kernel reaches a global function that is not given it."""
    if known and kind.memory in LOOSE:
        return f"give {argument.arg} the type u64 and pass u64(...), its address, which kernel_struct types there"
    return NUMBERS if known else ""


def _refuse_memory(
    scope: Scope, function: FunctionType, argument: ast.arg, kind: Type, node: ast.AST
) -> None:
    """Refuse what is no memory of the program's own, or not of that Struct."""
    wanted = annotation(function, argument)
    if not isinstance(kind, Pointer) or kind.target != wanted:
        taken = f"{wanted!r}{' or None' if annotated(function, argument).optional else ''}"
        problem = f"{function.__name__}() takes {taken} as {argument.arg}, not {describe(kind)}"
        hint = f"write {argument.arg}: {wanted!r} | None, and test it there" if kind is NONE else ""
        raise scope.error(node, problem, hint)
    if special(wanted):
        problem = f"{wanted!r} has a lock, timer or reference, which a global function cannot use"
        raise scope.error(node, problem, "leave @skep.global_function out")
    if wanted is Dynptr and annotated(function, argument).optional:
        problem = f"{argument.arg!r} is a dynptr, which is never None"
        raise scope.error(node, problem, f"write {argument.arg}: skep.Dynptr")
    if wanted is Dynptr and not scope.target.types.tags:
        problem = f"a global function is given a dynptr since Linux {TAGGED}"
        raise scope.error(node, problem, "leave @skep.global_function out")
    if kind.memory not in TAKEN:
        problem = f"a global function takes no pointer to {kind.memory.value}"
        raise scope.error(node, problem, INSTEAD.get(kind.memory, NUMBERS))


def _refuse_address(scope: Scope, value: Expr, node: ast.AST) -> None:
    """Refuse the address of what the verifier follows: to it that is no number."""
    while isinstance(value, Convert):
        value = value.operand
    if isinstance(value, Binary) and value.op == "address" and value.left.type.memory not in LOOSE:
        problem = (
            "the address of an object is no number to the verifier, so it is not passed as one"
        )
        raise scope.error(node, problem, NUMBERS)


def takes_register(parameter: Parameter, *, alone: bool) -> bool:
    """Whether a parameter of a subprogram is passed; the context of a global function is, before all others."""
    known = isinstance(parameter.type, Static)
    return not known and not (alone and isinstance(parameter.value, ContextValue))


def window(parameters: tuple[Parameter, ...], kind: ProgramKind) -> Any:
    """The struct of the context that a global function is given; VOID where a tag tells of it, None where it is not."""
    for parameter in parameters:
        if isinstance(parameter.value, ContextValue):
            return parameter.type.target if _is_window(kind, parameter.type) else VOID
    return None


def declared_result(function: FunctionType) -> Any:
    """What stands behind ``->``: an integer type, or BOOL; None where nothing of these does."""
    found = annotation(function, ast.arg("return"))
    if found is None and function.__annotations__.get("return") in (bool, "bool"):
        return BOOL
    return register(found) if isinstance(found, IntType) else found


def refuse(scope: Scope, made: Function) -> None:
    """Raises CompileError where a function that was read cannot be checked by itself."""
    name = scope.function.__name__
    if getattr(scope.function, "__skep_inline__", False):
        problem = f"{name}() is to be inline, and a global function"
        raise _error(scope, problem, "leave one of the two out")
    if made.context and made.window is None:
        problem = f"{name}() uses the context, which a global function has as a parameter only"
        raise _error(scope, problem, f"give it one without a type: def {name}(ctx, ...)")
    taken = len(made.parameters) + (made.window is not None)
    if taken > REGISTERS:
        problem = f"a global function takes {REGISTERS} arguments at most, not {taken}"
        raise _error(scope, problem, "put several into a Struct")
    _refuse_result(scope, made.result)
    if made.tails and made.result not in PROGRAM_RESULTS:
        problem = f"{name}() goes on in another program, and then gives what that gives: 32 bits"
        hint = f"def {name}(...) -> u32: or s32, or without a result"
        raise _error(scope, problem, hint)


def _refuse_result(scope: Scope, result: Type) -> None:
    name, wanted = scope.function.__name__, declared_result(scope.function)
    if result is VOID:
        return
    if result is not BOOL and not isinstance(result, IntType):
        what = "a pointer" if isinstance(result, Pointer) else describe(result)
        problem = f"the global function {name}() gives {what}, not a number"
        raise _error(scope, problem, "give a number, and the rest in a Struct that it is given")
    if wanted is BOOL and result is not BOOL:
        raise _error(scope, f"{name}() gives {describe(result)}, not a truth value", "compare it")
    if result is not wanted:
        problem = f"the result of the global function {name}() has no type"
        hint = f"write it behind the parameters: def {name}(...) -> {describe(result)}:"
        raise _error(scope, problem, hint)


def _error(scope: Scope, problem: str, hint: str) -> CompileError:
    return CompileError(problem, scope.span(scope.source.tree), hint)
