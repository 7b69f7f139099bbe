"""The head of a program while its parameters are worked out, and the types that arguments have in registers."""

import ast
from dataclasses import dataclass
from types import FunctionType, UnionType
from typing import Any, NamedTuple, get_args

from skep.base.errors import CompileError, Span
from skep.lang.capture import MISSING, defaults, resolve
from skep.lang.front.network_order import turned
from skep.lang.front.scope import Target
from skep.lang.kernel_names import KernelView, KernelViewOrNone
from skep.lang.source import Source
from skep.lang.spec import ProgramKind
from skep.lang.struct import StructType
from skep.lang.tree import Argument, Binary, Const, Expr, Parameter
from skep.lang.types import IntType, u64
from skep.lang.values import KernelPointer, KernelStruct, Memory, Pointer, Static, Type, register

RESULT, CONTEXT = "result", "ctx"
ABSENT = Static(None)
"""The type of what is None."""


@dataclass(frozen=True, slots=True)  # not @frozen: mypy would take the function for a method
class Head:
    """A program before its body is read: its function, kind, hook, source and the names of its parameters."""

    target: Target
    kind: ProgramKind
    hook: str
    function: FunctionType
    source: Source
    names: tuple[str, ...]

    @property
    def span(self) -> Span:
        """Where the function begins."""
        return self.source.span(self.source.tree)

    def error(self, problem: str, hint: str = "") -> CompileError:
        """An error at the head of the function."""
        return CompileError(problem, self.span, hint)

    @property
    def optional(self) -> frozenset[str]:
        """The parameters that are None where the kernel does not give them."""
        return frozenset(defaults(self.function))

    def annotation(self, index: int) -> Any:
        """The type that stands behind a parameter, None where none does."""
        return annotation(self.function, self.source.tree.args.args[index])

    def pointed(self, index: int, memory: Memory) -> Pointer | None:
        """A pointer into ``memory`` where a parameter is annotated with a struct. CompileError at an unknown one."""
        argument = self.source.tree.args.args[index]
        written = annotated(self.function, argument)
        return pointed(self.target, written, memory, self.source.span(argument))


def absent(name: str) -> Parameter:
    """A parameter that this kernel does not give."""
    return Parameter(name, ABSENT)


def annotation(function: FunctionType, argument: ast.arg) -> Any:
    """The type that a parameter is annotated with, None where it is not."""
    value = annotated(function, argument).type
    return value if isinstance(value, IntType | StructType) else None


def pointed(target: Target, written: "Annotation", memory: Memory, span: Span) -> Pointer | None:
    """A pointer to the struct that stands behind a parameter; what it leads to is read by probe."""
    match written.type:
        case KernelView(name=name):
            struct = target.types.struct(name)
            if struct is None:
                raise CompileError(f"this kernel has no struct {name}", span)
            return Pointer(struct, memory)
        case StructType() as own:
            return Pointer(own, memory)
    return None


class Annotation(NamedTuple):
    """What stands behind a parameter: a type of the language or a struct of the kernel, else None; and ``| None``."""

    type: IntType | StructType | KernelView | None
    optional: bool = False


def annotated(function: FunctionType, argument: ast.arg) -> Annotation:
    """The annotation of a parameter: ``Point``, ``Point | None``, also as text."""
    written = function.__annotations__.get(argument.arg)
    match written:
        case str():
            parts = [_dotted(function, one.strip()) for one in written.split("|")]
        case KernelViewOrNone(view=view):
            parts = [view, None]
        case UnionType():
            parts = [None if one is type(None) else one for one in get_args(written)]
        case _:
            parts = [written]
    types = [one for one in parts if isinstance(one, IntType | StructType | KernelView)]
    known = len(types) == 1 and len(parts) == 1 + parts.count(None)
    return Annotation(types[0] if known else None, None in parts)


def _dotted(function: FunctionType, name: str) -> Any:
    """What an annotation that is text names: ``u32`` or ``skep.u32``."""
    if name == "None":
        return None
    first, *rest = name.split(".")
    value = resolve(function, first)
    for attribute in rest:
        value = getattr(value, attribute, MISSING)
    return value


def slot(head: Head, name: str, kind: Type, at: int) -> Parameter:
    """A parameter that is word ``at`` of the context."""
    if not isinstance(kind, IntType):
        return Parameter(name, kind, Argument(head.span, kind, at))
    return Parameter(name, register(kind), turned(kind, Argument(head.span, register(kind), at)))


def address(kind: Pointer, number: Expr) -> Expr:
    """A number as such a pointer."""
    return Binary(number.span, kind, "pointer", number, Const(number.span, u64, 0))


def argument(stored: Any, *, trusted: bool) -> Type:
    """The type of an argument in a register; pointers that the verifier does not follow are read by probe."""
    if isinstance(stored, KernelPointer):
        known = trusted and isinstance(stored.target, KernelStruct)
        memory = Memory.USER if stored.user else Memory.KERNEL if known else Memory.PROBE
        return Pointer(stored.target, memory)
    return stored if isinstance(stored, IntType) else u64


def c_name(kind: Any) -> str:
    """A type as C has it, for messages."""
    if isinstance(kind, KernelPointer):
        named = isinstance(kind.target, KernelStruct)
        return f"struct {kind.target.name} *" if named else "pointer"
    return repr(kind)
