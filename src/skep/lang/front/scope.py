"""What the front end knows while it reads one function: names, types found so far, stack slots.

A function is read several times until the types of its variables stand still; each reading has a Scope of its own.
"""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from skep.base.errors import CompileError, Span
from skep.base.frozen import frozen
from skep.lang.bounds import Bound
from skep.lang.capture import defaults
from skep.lang.kernel_types import KernelTypes, Modules, no_modules
from skep.lang.source import Source
from skep.lang.spec import ProgramKind
from skep.lang.static_arguments import Ways, no_ways
from skep.lang.struct import StructType
from skep.lang.tree import Expr, Function, Local, Node, NoneValue, Place, Return, StaticValue
from skep.lang.types import IntType
from skep.lang.values import (
    BOOL,
    NONE,
    UNKNOWN,
    Literal,
    Pointer,
    Static,
    Type,
    describe,
    join,
    promote,
)

Formats = Callable[[str, str], StructType | None]


Events = Callable[[], list[str]]


def no_events() -> list[str]:
    """The tracepoints of such a kernel."""
    return []


Holders = Callable[[str], list[str]]
"""The loaded modules that have a function of that name."""


def no_holders(_function: str) -> list[str]:
    """Those of them that have a function."""
    return []


def no_formats(_category: str, _name: str) -> StructType | None:
    """The formats of a kernel whose tracefs is not known."""
    return None


@frozen
class Target:
    """What a program is compiled for: a kernel's types, an instruction set, and its tracepoints' formats.

    ``usdt`` tells how the arguments of a static probe lie. ``callbacks``: long loops go through bpf_loop (5.17), even
    where the kernel has iterators (6.4). ``events`` lists the tracepoints that have a format, for errors. ``modules``
    gives the types of modules, ``holders`` tells which of them have a function.
    """

    types: KernelTypes
    cpu: str = "v3"
    formats: Formats = no_formats
    callbacks: bool = False
    usdt: Ways = no_ways
    events: Events = no_events
    modules: Modules = no_modules
    holders: Holders = no_holders

    @property
    def iterates(self) -> bool:
        """Whether a long loop becomes an iterator over numbers."""
        return not self.callbacks and self.types.function("bpf_iter_num_new")


def _apart(*kinds: Type) -> str:
    """What to do where one name is to be of two types: numbers are converted, memory has a name for each."""
    numbers = [isinstance(kind, IntType | Literal) or kind is BOOL for kind in kinds]
    found = isinstance(kinds[0], Pointer) and isinstance(kinds[0].target, IntType)
    if found and numbers[1]:
        return "the number behind it is set by x[0] = ..., and changed by x += ..."
    return (
        f"use another name{', or convert one of the two, as in u64(...)' if all(numbers) else ''}"
    )


def _named(kind: Type, name: str) -> Type:
    """The type of a variable of that name; a mere literal notes in which variables it is."""
    return Literal(kind.low, kind.high, kind.names | {name}) if isinstance(kind, Literal) else kind


@dataclass(slots=True)
class Scope:
    """One reading of one function. ``kind`` is that of the program, for its subprograms too.

    ``returns`` has each return with what is written there; ``told`` what was said of each variable's type, and
    ``changed`` whether that was not always the same. ``lock`` is the one that is held.
    """

    source: Source
    function: FunctionType
    target: Target
    kind: ProgramKind
    expression: Callable[["Scope", ast.expr], Expr]
    instantiate: Callable[["Scope", FunctionType, tuple[Expr, ...], ast.AST], Function]
    statements: Callable[["Scope", Sequence[ast.stmt]], tuple[Node, ...]]
    known: dict[str, Type] = field(default_factory=dict)
    found: dict[str, Type] = field(default_factory=dict)
    declared: dict[str, IntType] = field(default_factory=dict)
    hints: dict[str, set[IntType]] = field(default_factory=dict)
    turned: set[str] = field(default_factory=set)
    slots: dict[str, Any] = field(default_factory=dict)
    returns: dict[Return, ast.AST] = field(default_factory=dict)
    calls: list[Function] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    told: dict[str, Type | None] = field(default_factory=dict)
    changed: bool = False
    loops: int = 0
    context: bool = False
    entry: bool = False
    bounds: list[Bound] = field(default_factory=list)
    lock: Place | None = None

    @property
    def optional(self) -> frozenset[str]:
        """The parameters of a program that are None where a kernel does not give them."""
        return frozenset(defaults(self.function)) if self.entry else frozenset()

    def span(self, node: ast.AST) -> Span:
        """The place of a node."""
        return self.source.span(node)

    def error(self, node: ast.AST, problem: str, hint: str = "") -> CompileError:
        """An error at a node."""
        return CompileError(problem, self.span(node), hint)

    def expr(self, node: ast.expr) -> Expr:
        """The typed tree of an expression."""
        return self.expression(self, node)

    def block(self, body: Sequence[ast.stmt]) -> tuple[Node, ...]:
        """The typed nodes of statements."""
        return self.statements(self, body)

    def type_of(self, name: str) -> Type | None:
        """The type of a variable as far as it is known; None where no variable has that name."""
        return self._tell(name, self._type(name))

    def _tell(self, name: str, kind: Type | None) -> Type | None:
        """Note what was said of a variable's type."""
        before = self.told.setdefault(name, kind)
        self.changed = self.changed or (before is not kind and before != kind)
        return kind

    def stands(self) -> bool:
        """Whether all that was said of the variables' types is true at the end: another reading would give the same."""
        return not self.changed and all(
            self._type(name) == kind for name, kind in self.told.items()
        )

    def _type(self, name: str) -> Type | None:
        if name in self.declared:
            return self.declared[name]
        if name not in self.found and name not in self.known:
            return None
        return _named(join(self.known.get(name, UNKNOWN), self.found.get(name, UNKNOWN)), name)

    def variable(self, name: str, node: ast.AST) -> Expr | None:
        """A variable as an expression; None where no variable has that name."""
        kind = self.type_of(name)
        if kind is NONE:  # so far: what is assigned further down may be a pointer
            kind = UNKNOWN
        if isinstance(kind, Static) and kind.value is None:
            return NoneValue(self.span(node), NONE)
        if isinstance(kind, Static):
            return StaticValue(self.span(node), kind)
        return None if kind is None else Local(self.span(node), kind, name)

    def assign(self, name: str, kind: Type, node: ast.AST) -> Type:
        """Note that a variable gets a value of that type; the variable's type now."""
        if name in self.declared:
            return self._tell(name, self.declared[name])
        before = join(self.known.get(name, UNKNOWN), self.found.get(name, UNKNOWN))
        after = join(before, kind)
        if after is None:
            raise self.error(
                node,
                f"{name!r} is {describe(before)} elsewhere and {describe(kind)} here",
                _apart(before, kind),
            )
        self.found[name] = after
        self._tell(name, _named(after, name))
        return after

    def hint(self, literal: Type, kind: Type) -> None:
        """Note that variables that are so far mere literals meet an integer type."""
        if isinstance(literal, Literal) and isinstance(kind, IntType):
            for name in literal.names:
                self.hints.setdefault(name, set()).add(promote(kind))

    def slot(self, role: str, kind: Any) -> str:
        """A stack slot for a value that is handed over at once; slots of one role and type are shared."""
        name = f"{role}.{kind!r}"
        self.slots[name] = kind
        return name

    def own_slot(self, node: ast.AST, kind: Any) -> str:
        """A stack slot that belongs to one place in the source."""
        name = f"at.{getattr(node, 'lineno', 0)}.{getattr(node, 'col_offset', 0)}"
        self.slots[name] = kind
        return name

    def arguments(self, node: ast.Call, low: int, high: int, usage: str) -> list[ast.expr]:
        """The arguments of a call, ``low`` to ``high`` of them. Raises CompileError at another number."""
        if not low <= len(node.args) <= high:
            wanted = low if low == high else f"{low} to {high}"
            words = "argument" if wanted == 1 else "arguments"
            raise self.error(node, f"{usage} takes {wanted} {words}, not {len(node.args)}")
        return node.args
