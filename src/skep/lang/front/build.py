"""Whole functions: parameters, and the reading of a function until the types of its variables stand still.

A program's parameters come from its context; a subprogram is made anew for each set of types of its arguments.
"""

import ast
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from skep.base.errors import CompileError
from skep.base.similar import similar
from skep.lang.capture import MISSING, resolve
from skep.lang.front.expressions import expression
from skep.lang.front.scope import Scope, Target
from skep.lang.front.statements import block
from skep.lang.front.syscalls import Subscription
from skep.lang.source import Source, parse
from skep.lang.spec import Context, Hook, ProgramKind
from skep.lang.struct import StructType
from skep.lang.tree import Argument, Assign, ContextValue, Convert, Expr, Function, Node, Parameter
from skep.lang.types import IntType, s32, s64, u64
from skep.lang.values import (
    BOOL,
    NONE,
    UNKNOWN,
    VOID,
    KernelPointer,
    KernelStruct,
    Literal,
    Memory,
    Pointer,
    Static,
    Type,
    common,
    describe,
    join,
    literal_type,
    register,
)

ROUNDS = 50
REGISTERS = 5


@dataclass(frozen=True, slots=True)
class Head:
    """A function before its body is read: its source, its parameters, and whether the kernel calls it."""

    function: FunctionType
    source: Source
    parameters: tuple[Parameter, ...]
    entry: bool


@dataclass(slots=True)
class Front:
    """The reading of one program: its kind, what it is attached to, and the subprograms found on the way."""

    target: Target
    kind: ProgramKind
    hook: str
    calls: tuple[str, ...] = ()
    instances: dict[tuple[Any, ...], Function] = field(default_factory=dict)
    open: list[FunctionType] = field(default_factory=list)

    def program(self, function: FunctionType) -> Function:
        """The typed tree of the program ``function``. Raises CompileError."""
        source = parse(function)
        if self.kind.hook is Hook.SYSCALL:
            return self._subscriber(function, source)
        parameters = self._program_parameters(source)
        return self._function(Head(function, source, parameters, entry=True))

    def _subscriber(self, function: FunctionType, source: Source) -> Function:
        """A subscriber of system calls; at the hook of all calls it begins by leaving at those of others."""
        span = source.span(source.tree)
        wanted = Subscription(self.target, self.kind, self.hook, self.calls, span)
        _plain_arguments(source)
        named = [(argument.arg, source.span(argument)) for argument in source.tree.args.args]
        parameters = wanted.parameters(named)
        made = self._function(Head(function, source, parameters, entry=True))
        made.body = (*wanted.guard(), *made.body)
        return made

    # --- parameters -----------------------------------------------------------------------------------------------

    def _program_parameters(self, source: Source) -> tuple[Parameter, ...]:
        names = _plain_arguments(source)
        span = source.span(source.tree)
        if self.kind.context in (Context.BTF_ARGS, Context.RAW_ARGS):
            kinds = self.target.types.arguments(f"btf_trace_{self.hook}")
            if kinds is None:
                near = similar(self.hook, self.target.types.tracepoints())
                raise CompileError(
                    f"this kernel has no tracepoint {self.hook!r} with types",
                    span,
                    f"did you mean {near!r}?" if near else "",
                )
            if len(names) > len(kinds):
                listed = ", ".join(_c_name(kind) for kind in kinds)
                raise source_error(
                    source,
                    source.tree,
                    f"{self.hook} gives {len(kinds)} arguments, not {len(names)}",
                    f"they are: {listed}",
                )
            trusted = self.kind.context is Context.BTF_ARGS
            return tuple(
                Parameter(
                    name, kind := _argument(stored, trusted=trusted), Argument(span, kind, index)
                )
                for index, (name, stored) in enumerate(zip(names, kinds, strict=False))
            )
        if len(names) != 1:
            raise source_error(
                source, source.tree, f"{self.kind.name} programs take one argument, the context"
            )
        pointer = Pointer(self._context_struct(source), Memory.CONTEXT)
        return (Parameter(names[0], pointer, ContextValue(span, pointer)),)

    def _context_struct(self, source: Source) -> KernelStruct | StructType:
        if self.kind.context is Context.FORMAT:
            category, _, event = self.hook.partition("/")
            layout = self.target.formats(category, event)
            if layout is None:
                raise source_error(
                    source,
                    source.tree,
                    f"this kernel has no tracepoint {self.hook!r}",
                    "the names are those of the directories below events/ in tracefs",
                )
            return layout
        name = (
            f"bpf_iter__{self.hook}" if self.kind.context is Context.ITERATOR else self.kind.struct
        )
        struct = self.target.types.struct(name)
        if struct is None:
            raise source_error(
                source,
                source.tree,
                f"this kernel has no struct {name}: it lacks {self.kind.name} {self.hook}",
            )
        return struct

    # --- functions ------------------------------------------------------------------------------------------------

    def instantiate(
        self, scope: Scope, function: FunctionType, args: tuple[Expr, ...], node: ast.AST
    ) -> Function:
        """The subprogram ``function`` for arguments of these types. Raises CompileError where it calls itself."""
        source = parse(function)
        names = _plain_arguments(source)
        if len(names) != len(args):
            raise scope.error(
                node,
                f"{function.__name__}() takes {len(names)} argument{'s' if len(names) != 1 else ''}"
                f", not {len(args)}",
            )
        kinds = tuple(
            _parameter(scope, function, argument, value, node)
            for argument, value in zip(source.tree.args.args, args, strict=True)
        )
        key = (function, kinds)
        if key not in self.instances:
            if function in self.open:
                raise scope.error(
                    node,
                    f"{function.__name__}() calls itself: recursion is not part of the language",
                    "write a for loop",
                )
            self.open.append(function)
            span = source.span(source.tree)
            parameters = tuple(
                Parameter(name, kind, Argument(span, kind, i))
                for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
            )
            self.instances[key] = self._function(Head(function, source, parameters, entry=False))
            self.open.pop()
        made = self.instances[key]
        scope.context = scope.context or made.context
        if made not in scope.calls:
            scope.calls.append(made)
        return made

    def _function(self, head: Head) -> Function:
        declared: dict[str, IntType] = {}
        known: dict[str, Type] = {}
        start: Type = s32 if head.entry else UNKNOWN
        result = start
        for _ in range(ROUNDS):
            scope = self._scope(head, known, declared, result)
            body = block(scope, head.source.tree.body)
            returned = s32 if head.entry else _result(scope, head.source)
            declared = dict(scope.declared)
            if scope.found != known or returned != result:
                known, result = dict(scope.found), returned
                continue
            settled = _settle(scope)
            if not settled:
                return self._finished(head, scope, body)
            declared, known, result = declared | settled, {}, start
        name = head.function.__name__
        problem = f"the types of {name}'s variables do not stand still"
        raise source_error(
            head.source, head.source.tree, problem, "annotate them, as in n: u32 = 0"
        )

    def _scope(
        self, head: Head, known: dict[str, Type], declared: dict[str, IntType], result: Type
    ) -> Scope:
        scope = Scope(
            head.source, head.function, self.target, self.kind, expression, self.instantiate
        )
        scope.known, scope.declared, scope.result = known, dict(declared), result
        for argument, parameter in zip(head.source.tree.args.args, head.parameters, strict=False):
            scope.found[parameter.name] = parameter.type
            if not head.entry and isinstance(_annotation(head.function, argument), IntType):
                scope.declared[parameter.name] = parameter.type
        return scope

    def _finished(self, head: Head, scope: Scope, body: tuple[Node, ...]) -> Function:
        _refuse_empty(scope, head.source)
        span = head.source.span(head.source.tree)
        variables = {**scope.found, **scope.declared}
        prologue = tuple(
            Assign(span, p.name, _as_variable(p.value, variables[p.name]))
            for p in head.parameters
            if p.value is not None and not isinstance(p.type, Static)
        )
        text, result = head.source.text, scope.result
        whole = isinstance(result, Pointer) and result.memory is Memory.PACKET
        asked: bool | None = getattr(head.function, "__skep_inline__", None)
        return Function(
            head.function.__name__,
            text.file,
            text.line + head.source.tree.lineno - 1,
            text.padded,
            head.parameters,
            result,
            prologue + body,
            variables,
            scope.slots,
            True if whole or len(head.parameters) > REGISTERS else asked,
            head.entry,
            head.entry or scope.context,
            self.kind.default if head.entry else 0,
            tuple(scope.calls),
        )


def _as_variable(value: Expr, kind: Type) -> Expr:
    """A parameter's value as its variable holds it: wider where the function assigns wider values."""
    if isinstance(kind, IntType) and value.type is not kind:
        return Convert(value.span, kind, value)
    return value


def source_error(source: Source, node: ast.AST, problem: str, hint: str = "") -> CompileError:
    """An error at the head of a function."""
    span = source.span(node)
    return CompileError(problem, span, hint)


def _plain_arguments(source: Source) -> list[str]:
    args = source.tree.args
    if args.vararg or args.kwarg or args.kwonlyargs or args.defaults or args.posonlyargs:
        raise source_error(
            source,
            source.tree,
            "a compiled function takes plain arguments only, without defaults or *",
        )
    return [argument.arg for argument in args.args]


def _argument(stored: Any, *, trusted: bool) -> Type:
    """The type of a tracepoint's argument."""
    if isinstance(stored, KernelPointer):
        known = trusted and isinstance(stored.target, KernelStruct)
        return Pointer(
            stored.target, Memory.USER if stored.user else Memory.KERNEL if known else Memory.PROBE
        )
    return register(stored) if isinstance(stored, IntType) else u64


def _c_name(kind: Any) -> str:
    if isinstance(kind, KernelPointer):
        return (
            f"struct {kind.target.name} *" if isinstance(kind.target, KernelStruct) else "pointer"
        )
    return repr(kind)


def _parameter(
    scope: Scope, function: FunctionType, argument: ast.arg, value: Expr, node: ast.AST
) -> Type:
    """The type of a subprogram's parameter: its annotation, or else that of the argument."""
    kind = value.type
    annotation = _annotation(function, argument)
    if isinstance(annotation, IntType):
        return register(annotation)
    if (
        annotation is not None
        and not (isinstance(kind, Pointer) and kind.target == annotation)
        and kind is not UNKNOWN
    ):
        raise scope.error(
            node,
            f"{function.__name__}() takes {annotation!r} as {argument.arg}, not {describe(kind)}",
        )
    if isinstance(kind, Literal):
        return literal_type(kind)
    if kind is BOOL:
        return BOOL
    return kind.checked() if isinstance(kind, Pointer) else kind


def _annotation(function: FunctionType, argument: ast.arg) -> Any:
    value = function.__annotations__.get(argument.arg)
    if isinstance(value, str):
        value = _dotted(function, value)
    return value if isinstance(value, IntType | StructType) else None


def _dotted(function: FunctionType, name: str) -> Any:
    """What an annotation that is text names: ``u32`` or ``skep.u32``."""
    first, *rest = name.split(".")
    value = resolve(function, first)
    for attribute in rest:
        value = getattr(value, attribute, MISSING)
    return value


def _result(scope: Scope, source: Source) -> Type:
    result: Type = UNKNOWN
    for kind in scope.returns:
        joined = join(result, kind)
        if joined is None:
            raise source_error(
                source,
                source.tree,
                f"{scope.function.__name__}() returns {describe(result)} in one place and {describe(kind)} in another",
            )
        result = joined
    if not scope.returns:
        return VOID
    return literal_type(result) if isinstance(result, Literal) else result


def _settle(scope: Scope) -> dict[str, IntType]:
    """Types for variables that are still mere literals: what they met, or else 64 bits, signed."""
    settled: dict[str, IntType] = {}
    for name, kind in scope.found.items():
        if not isinstance(kind, Literal) or name in scope.declared:
            continue
        met: IntType | None = None
        for hint in sorted(scope.hints.get(name, ()), key=lambda t: (t.bits, t.signed)):
            met = hint if met is None else common(met, hint) or s64
        settled[name] = _holding(kind, met) if met is not None else literal_type(kind)
    return settled


def _holding(kind: Literal, met: IntType) -> IntType:
    """The type of a variable that met ``met``, and holds its literals too."""
    joined = join(kind, met)
    return joined if isinstance(joined, IntType) else s64


def _refuse_empty(scope: Scope, source: Source) -> None:
    for name, kind in scope.found.items():
        if kind is NONE:
            raise source_error(source, source.tree, f"{name!r} is always None")
