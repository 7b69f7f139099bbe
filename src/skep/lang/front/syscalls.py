"""Parameters of subscribers of system calls, by name, from the classic tracepoint or from the hook of all calls.

A classic tracepoint gives a record: its number at 8, then the arguments or the result. The shared hook gives the
registers, in which the arguments lie as the ABI of x86-64 says.
"""

from collections.abc import Sequence

from skep.base.errors import CompileError, Span
from skep.base.frozen import frozen
from skep.base.similar import similar
from skep.lang.front.head import Annotation, address, pointed
from skep.lang.front.network_order import turned
from skep.lang.front.scope import Target
from skep.lang.spec import Context, ProgramKind
from skep.lang.struct import StructType
from skep.lang.syscall_numbers import NUMBERS, tracepoint
from skep.lang.tree import (
    Argument,
    Compare,
    Const,
    ContextValue,
    Convert,
    Expr,
    If,
    Load,
    Logic,
    Parameter,
    Place,
    Return,
)
from skep.lang.types import IntType, s64, u32, u64
from skep.lang.values import BOOL, KernelStruct, Memory, Pointer, register

EXIT = "sys_exit"
ARGUMENTS = ("di", "si", "dx", "r10", "r8", "r9")  # members of struct pt_regs
NUMBER = "orig_ax"
FIRST = 16  # where the arguments begin in a classic record
RECORDED = {"number": (u32, 8), "result": (s64, FIRST)}
ANY = tuple(f"arg{i}" for i in range(len(ARGUMENTS)))


def _annotated(
    target: Target, name: str, value: Expr, written: Annotation, span: Span
) -> Parameter:
    """An argument as the struct of the process that it points at, or as a narrower number."""
    if pointer := pointed(target, written, Memory.USER, span):
        return Parameter(name, pointer, address(pointer, value))
    if isinstance(written.type, IntType):
        kind = register(written.type)
        return Parameter(name, kind, turned(written.type, Convert(span, kind, value)))
    return Parameter(name, value.type, value)


@frozen
class Subscription:
    """What a subscriber asks for: ``calls`` by name (none: all), at the entry or at the exit."""

    target: Target
    kind: ProgramKind
    side: str
    calls: tuple[str, ...]
    span: Span

    def parameters(self, names: Sequence[tuple[str, Annotation, Span]]) -> tuple[Parameter, ...]:
        """The parameters of these names, as they are annotated. CompileError at one that is none of the calls'."""
        places = self._places()
        found = []
        for name, written, span in names:
            if name not in places:
                raise self._unknown(name, span, list(places))
            value = self._value(name, places[name])
            found.append(_annotated(self.target, name, value, written, span))
        return tuple(found)

    def guard(self) -> tuple[If, ...]:
        """What leaves the program at another call: the shared hook sees all."""
        if self.kind.context is Context.SUBSCRIBED or not self.calls:
            return ()
        number = self._value("number", 0)
        tests = tuple(
            Compare(self.span, BOOL, "!=", number, Const(self.span, u32, NUMBERS[call]))
            for call in self.calls
        )
        test = tests[0] if len(tests) == 1 else Logic(self.span, BOOL, "and", tests)
        return (If(self.span, test, (Return(self.span, None),), ()),)

    # --- names ----------------------------------------------------------------------------------------------------

    def _places(self) -> dict[str, int]:
        """The names that a parameter may have, and of arguments which one it is."""
        if self.side == EXIT:
            for call in self.calls:
                self._format(call)
            return {"number": 0, "result": 0}
        if not self.calls:
            return {"number": 0, **{name: i for i, name in enumerate(ANY)}}
        listed = [self._arguments(call) for call in self.calls]
        common = {name: i for name, i in listed[0].items() if all(o.get(name) == i for o in listed)}
        fewest = min(len(one) for one in listed)
        return {"number": 0, **common, **{name: i for i, name in enumerate(ANY[:fewest])}}

    def _arguments(self, call: str) -> dict[str, int]:
        fields = self._format(call).fields
        arguments = (f for f in fields if f.offset >= FIRST and not f.name.startswith("_"))
        return {f.name: (f.offset - FIRST) // 8 for f in arguments}

    def _format(self, call: str) -> StructType:
        found = self.target.formats("syscalls", tracepoint(self.side, call))
        if found is None:
            bare = call.removeprefix("sys_").removeprefix("enter_").removeprefix("exit_")
            near = similar(bare, list(NUMBERS))
            hint = f"did you mean {near!r}?" if near and near != call else ""
            problem = f"this kernel has no tracepoint of a system call {call!r}"
            raise CompileError(problem, self.span, hint)
        return found

    def _unknown(self, name: str, span: Span, known: list[str]) -> CompileError:
        general = [one for one in known if one in ANY]
        listed = [one for one in known if one not in general]
        if general:
            listed.append(f"{general[0]} to {general[-1]}")
        hint = f"there are {', '.join(listed)}"
        if self.side == EXIT:
            return CompileError(f"{name!r} is not known at the exit of a system call", span, hint)
        if not self.calls:
            return CompileError(f"{name!r} is no parameter of all system calls", span, hint)
        if len(self.calls) == 1:
            return CompileError(f"{name!r} is no parameter of {self.calls[0]}", span, hint)
        problem = f"{name!r} does not stand at one place in {', '.join(self.calls)}"
        return CompileError(problem, span, hint)

    # --- values ---------------------------------------------------------------------------------------------------

    def _value(self, name: str, place: int) -> Expr:
        if self.kind.context is Context.SUBSCRIBED:
            return self._recorded(name, place)
        if name == "result":
            return Argument(self.span, s64, 1)
        if name != "number":
            return self._register(ARGUMENTS[place], u64)
        return self._register(NUMBER, u32) if self.side == EXIT else Argument(self.span, u32, 1)

    def _recorded(self, name: str, place: int) -> Expr:
        kind, offset = RECORDED.get(name, (u64, FIRST + 8 * place))
        context = ContextValue(self.span, Pointer(None, Memory.CONTEXT))
        return Load(self.span, kind, Place(self.span, kind, context, offset))

    def _register(self, name: str, kind: IntType) -> Expr:
        """A saved register: the hook's first argument points to all of them."""
        struct = self.target.types.struct("pt_regs")
        member = self.target.types.member(struct, name) if struct else None
        if not isinstance(struct, KernelStruct) or member is None:
            problem = "the hook of all system calls is known on x86-64 only"
            raise CompileError(problem, self.span, 'name the calls, as in @skep.syscall("openat")')
        registers = Argument(self.span, Pointer(struct, Memory.KERNEL), 0)
        return Load(self.span, kind, Place(self.span, kind, registers, member.offset))
