"""Whole functions: parameters, and the reading of a function until the types of its variables stand still.

A program's parameters come from its context; a subprogram is made anew for each set of types of its arguments.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

from skep.base.errors import CompileError, Span
from skep.lang.front.expressions import expression
from skep.lang.front.global_functions import (
    declared_types,
    is_context,
    is_global,
    parameter_types,
    refuse,
    refuse_other,
    takes_register,
    window,
)
from skep.lang.front.head import Head as ProgramHead
from skep.lang.front.head import annotated, annotation
from skep.lang.front.parameters import VARYING, program_parameters
from skep.lang.front.results import result, returning
from skep.lang.front.scope import Scope, Target
from skep.lang.front.statements import block
from skep.lang.front.syscalls import Subscription
from skep.lang.reach import goes_on
from skep.lang.source import Source, parse
from skep.lang.spec import Hook, ProgramKind
from skep.lang.tree import (
    Argument,
    Assign,
    ContextValue,
    Convert,
    Expr,
    Function,
    Node,
    Parameter,
    walk,
)
from skep.lang.types import IntType, s32, s64
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
    common,
    describe,
    join,
    literal_type,
    register,
)

ROUNDS = 50
REGISTERS = 5


Called = tuple[FunctionType, ...]
"""A function that is being read, and those that it was given."""


@dataclass(frozen=True, slots=True)  # not @frozen: mypy would take the function for a method
class Head:
    """A function before its body is read: its source, its parameters, and whether the kernel calls it."""

    function: FunctionType
    source: Source
    parameters: tuple[Parameter, ...]
    entry: bool


@dataclass(slots=True)
class Front:
    """The reading of one program: its kind, what it is attached to, and the subprograms found on the way.

    ``replaces`` is the global function of another program in whose place it runs.
    """

    target: Target
    kind: ProgramKind
    hook: str
    calls: tuple[str, ...] = ()
    replaces: object = None
    instances: dict[tuple[Any, ...], Function] = field(default_factory=dict)
    sources: dict[FunctionType, Source] = field(default_factory=dict)
    open: list[Called] = field(default_factory=list)

    def program(self, function: FunctionType) -> Function:
        """The typed tree of the program ``function``. Raises CompileError."""
        source = self._source(function)
        if self.kind.hook is Hook.SYSCALL:
            return self._subscriber(function, source)
        if isinstance(self.replaces, FunctionType):
            return self._replacement(function, source, self.replaces)
        parameters = self._program_parameters(function, source)
        return self._function(Head(function, source, parameters, entry=True))

    def _replacement(
        self, function: FunctionType, source: Source, replaced: FunctionType
    ) -> Function:
        """A global function that is called in the place of another."""
        names = _named_arguments(source)
        head = ProgramHead(self.target, self.kind, self.hook, function, source, tuple(names))
        refuse_other(head, replaced, self._source(replaced))
        parameters = _parameters(names, declared_types(head), head.span, alone=True)
        return self._function(Head(function, source, parameters, entry=False))

    def _subscriber(self, function: FunctionType, source: Source) -> Function:
        """A subscriber of system calls; at the hook of all calls it begins by leaving at those of others."""
        span = source.span(source.tree)
        wanted = Subscription(self.target, self.kind, self.hook, self.calls, span)
        _plain_arguments(source)
        named = [
            (one.arg, annotated(function, one), source.span(one)) for one in source.tree.args.args
        ]
        parameters = wanted.parameters(named)
        made = self._function(Head(function, source, parameters, entry=True))
        return replace(made, body=(*wanted.guard(), *made.body))

    # --- parameters -----------------------------------------------------------------------------------------------

    def _program_parameters(self, function: FunctionType, source: Source) -> tuple[Parameter, ...]:
        names = tuple(_plain_arguments(source, lacking=self.kind.context in VARYING))
        return program_parameters(
            ProgramHead(self.target, self.kind, self.hook, function, source, names)
        )

    # --- functions ------------------------------------------------------------------------------------------------

    def _source(self, function: FunctionType) -> Source:
        """The source of a function, parsed once though it is called in many places."""
        if function not in self.sources:
            self.sources[function] = parse(function)
        return self.sources[function]

    def instantiate(
        self, scope: Scope, function: FunctionType, args: tuple[Expr, ...], node: ast.AST
    ) -> Function:
        """The subprogram ``function`` for arguments of these types. Raises CompileError where it calls itself."""
        source = self._source(function)
        names = _named_arguments(source)
        if len(names) != len(args):
            raise scope.error(
                node,
                f"{function.__name__}() takes {len(names)} argument{'s' if len(names) != 1 else ''}"
                f", not {len(args)}",
            )
        if alone := is_global(function):
            kinds = parameter_types(scope, function, source, args, node)
        else:
            kinds = tuple(
                _parameter(scope, function, argument, value, node)
                for argument, value in zip(source.tree.args.args, args, strict=True)
            )
        key = (function, kinds, scope.kind.sleeps)
        if key not in self.instances:
            called = (function, *_functions(kinds))
            if called in self.open:
                raise scope.error(
                    node,
                    f"{function.__name__}() calls itself: recursion is not part of the language",
                    "write a for loop",
                )
            self.open.append(called)
            span = source.span(source.tree)
            parameters = _parameters(names, kinds, span, alone=alone)
            before, self.kind = self.kind, scope.kind  # what a program has done later may wait
            self.instances[key] = self._function(Head(function, source, parameters, entry=False))
            self.kind = before
            self.open.pop()
        made = self.instances[key]
        scope.context = scope.context or made.context
        if made not in scope.calls:
            scope.calls.append(made)
        return made

    def _function(self, head: Head) -> Function:
        declared: dict[str, IntType] = {}
        known: dict[str, Type] = {}
        for _ in range(ROUNDS):
            scope = self._scope(head, known, declared)
            body = block(scope, head.source.tree.body)
            if not scope.stands():
                known, declared = scope.found, scope.declared
                continue
            kind = s32 if head.entry else result(scope)
            body = returning(scope, body, kind)
            settled = _settle(scope)
            if not settled:
                return self._finished(head, scope, body, kind)
            known, declared = {}, scope.declared | settled
        name = head.function.__name__
        problem = f"the types of {name}'s variables do not stand still"
        raise source_error(
            head.source, head.source.tree, problem, "annotate them, as in n: u32 = 0"
        )

    def _scope(self, head: Head, known: dict[str, Type], declared: dict[str, IntType]) -> Scope:
        scope = Scope(
            head.source, head.function, self.target, self.kind, expression, self.instantiate, block
        )
        scope.known, scope.declared = known, dict(declared)
        scope.entry = head.entry
        for argument, parameter in zip(head.source.tree.args.args, head.parameters, strict=False):
            scope.found[parameter.name] = parameter.type
            if not head.entry and isinstance(annotation(head.function, argument), IntType):
                scope.declared[parameter.name] = parameter.type
        return scope

    def _finished(self, head: Head, scope: Scope, body: tuple[Node, ...], result: Type) -> Function:
        _refuse_empty(scope, head.source)
        span = head.source.span(head.source.tree)
        variables = {**scope.found, **scope.declared}
        prologue = tuple(
            Assign(span, p.name, _as_variable(p.value, variables[p.name]))
            for p in head.parameters
            if p.value is not None and not isinstance(p.type, Static)
        )
        text = head.source.text
        whole = isinstance(result, Pointer) and result.memory is Memory.PACKET
        asked: bool | None = getattr(head.function, "__skep_inline__", None)
        tails = any(goes_on(node) for node in walk(*body))
        if tails and asked is False:
            raise source_error(
                head.source,
                head.source.tree,
                f"{head.function.__name__}() goes on in another program, which ends the one that calls it",
                "leave @skep.noinline out; a @skep.global_function comes back, with what that program gives",
            )
        alone = not head.entry and is_global(head.function)
        given = window(head.parameters, self.kind) if alone else None
        taken = tuple(p for p in head.parameters if takes_register(p, alone=alone))
        registers = len(taken)
        if isinstance(result, Several):
            whole, registers = _in_place(result, asked), registers + 1
        whole = whole or (tails and not alone) or registers > REGISTERS
        made = Function(
            head.function.__name__,
            text.file,
            text.line + head.source.tree.lineno - 1,
            text.padded,
            taken,
            result,
            prologue + body,
            variables,
            scope.slots,
            False if alone else True if whole else asked,
            head.entry,
            head.entry or scope.context or given is not None,
            self.kind.default if head.entry else 0,
            tuple(scope.calls),
            tails,
            tuple(scope.bounds),
            alone,
            given,
            alone and self.target.types.tags,
        )
        if alone:
            refuse(scope, made)
        return made


def _as_variable(value: Expr, kind: Type) -> Expr:
    """A parameter's value as its variable holds it: wider where the function assigns wider values."""
    if isinstance(kind, IntType) and value.type is not kind:
        return Convert(value.span, kind, value)
    return value


def source_error(source: Source, node: ast.AST, problem: str, hint: str = "") -> CompileError:
    """An error at the head of a function."""
    span = source.span(node)
    return CompileError(problem, span, hint)


def _plain_arguments(source: Source, *, lacking: bool = False) -> list[str]:
    """The parameters of a program, which the kernel gives; ``lacking``: those that it may not give are None."""
    defaults = source.tree.args.defaults
    absent = all(isinstance(one, ast.Constant) and one.value is None for one in defaults)
    if defaults and not (lacking and absent):
        problem = "the kernel gives all parameters of a program: they have no defaults"
        hint = "leave the parameter out, or the default"
        hint += "; that of one which some kernels do not give is None" if lacking else ""
        raise source_error(source, source.tree, problem, hint)
    names = _named_arguments(source)
    if names[:1] == ["self"]:
        problem = "a program is a function, not a method"
        hint = "define it outside of the class, without self"
        raise source_error(source, source.tree, problem, hint)
    return names


def _named_arguments(source: Source) -> list[str]:
    args = source.tree.args
    if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs:
        problem = "a compiled function takes plain arguments only, without * or /"
        raise source_error(source, source.tree, problem, "name each: def f(a, b=0):")
    return [argument.arg for argument in args.args]


def _parameters(
    names: list[str], kinds: tuple[Type, ...], span: Span, *, alone: bool
) -> tuple[Parameter, ...]:
    """The parameters of a subprogram; what is known while compiling takes no register.

    ``alone``: it is a global function, of which the context is known too: as that of its own.
    """
    made: list[Parameter] = []
    index = 0
    for name, kind in zip(names, kinds, strict=True):
        value: Expr | None = None if isinstance(kind, Static) else Argument(span, kind, index)
        if alone and is_context(kind):
            value = ContextValue(span, kind)
        made.append(Parameter(name, kind, value))
        index += takes_register(made[-1], alone=alone)
    return tuple(made)


def _parameter(
    scope: Scope, function: FunctionType, argument: ast.arg, value: Expr, node: ast.AST
) -> Type:
    """The type of a subprogram's parameter: its annotation, or else that of the argument."""
    kind = value.type
    wanted = annotation(function, argument)
    if isinstance(wanted, IntType) and not isinstance(kind, Static):
        return register(wanted)
    if (
        wanted is not None
        and not (isinstance(kind, Pointer) and kind.target == wanted)
        and kind is not UNKNOWN
    ):
        raise scope.error(
            node,
            f"{function.__name__}() takes {wanted!r} as {argument.arg}, not {describe(kind)}",
        )
    if isinstance(kind, Literal):
        return literal_type(kind)
    if kind is BOOL:
        return BOOL
    return kind.checked() if isinstance(kind, Pointer) else kind


def _in_place(result: Several, asked: bool | None) -> bool:  # noqa: FBT001 - what a decorator says, or nothing
    """Whether the body of a function of several results goes where it is called: through memory pointers get lost."""
    return asked is not False or any(isinstance(item, Pointer) for item in result.items)


def _functions(kinds: Sequence[Type]) -> Called:
    """The functions among arguments."""
    return tuple(
        kind.value
        for kind in kinds
        if isinstance(kind, Static) and isinstance(kind.value, FunctionType)
    )


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
            stored = (one for one in ast.walk(source.tree) if _is_stored(one, name))
            hint = "give it what may be something else, as a lookup, or leave it out"
            raise source_error(source, next(stored, source.tree), f"{name!r} is always None", hint)


def _is_stored(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
