"""The stacks of functions that call each other, as the kernel adds them up: what is surely too much is refused here.

A pure function of linked code. The verifier counts a frame up to the lowest byte that is reached, in steps of 16 bytes
where programs are compiled to machine code (Linux 6.9), of 32 before; here only the bytes count that instructions
name themselves, in the smaller steps. Where the kernel gives large frames of tracing programs a stack of their own
(6.13), these are not added. A callback that runs later, as a timer's, begins with an empty stack.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from skep.base.errors import CompileError, Span
from skep.btf.reader import Btf
from skep.btf.types import Func
from skep.lang.lines import Lines
from skep.lang.spec import ProgramKind

STACK, GRAIN, DEEPEST = 512, 16, 8
BEFORE_TAILS = 256
"""Bytes from which on there may be no tail call in a function that is called, of all that call it."""
OWN = 64
"""Bytes from which on a frame may have a stack of its own."""
TRACING = frozenset({2, 5, 7, 17, 26, 27, 28, 29})
"""Types of programs whose frames may have that; of iterators none has."""
ITERATOR = 28
"""BPF_TRACE_ITER, an attach type."""
CALLERS = {181: 2, 164: 2, 180: 3, 209: 2}
"""Helpers that call a function at once (loop, for_each_map_elem, find_vma, user_ringbuf_drain): its register."""
TAIL_CALL = 12

_INSN = struct.Struct("<BBhi")
_FUNC_INFO = struct.Struct("<II")
_LOAD, _STORE, _STORE_REGISTER, _JUMPS = 1, 2, 3, (5, 6)
_WIDE_LOAD, _CALL, _FRAME = 0x18, 0x85, 10
_LOCAL, _HELPER, _FUNCTION = 1, 0, 4
_MADE = re.compile(r"(.+)_(?:loop|called)\d+")
"""How functions are named that the compiler made of a loop, or of one that the kernel calls."""


class Code(Protocol):
    """Instructions with what is known of them: a linked program, or a spec."""

    @property
    def insns(self) -> bytes:
        """The entry function, then those that it calls."""
        ...

    @property
    def btf(self) -> bytes:
        """The types of functions."""
        ...

    @property
    def func_info(self) -> bytes:
        """Where each function begins."""
        ...

    @property
    def line_info(self) -> bytes:
        """Where each line begins."""
        ...


class Call(NamedTuple):
    """The instruction that calls, and where the function begins."""

    at: int
    start: int


@dataclass(slots=True)
class Frame:
    """A function: the bytes of stack that it surely has, what it calls, and whether the verifier checks it alone."""

    name: str
    alone: bool
    bytes: int = 0
    calls: list[Call] = field(default_factory=list)
    tails: bool = False

    @property
    def room(self) -> int:
        """The bytes that it takes of the stack."""
        return -(-self.bytes // GRAIN) * GRAIN


@dataclass(slots=True)
class _Walk:
    """The way through the calls of a program, as the kernel goes it."""

    frames: dict[int, Frame]
    lines: Lines
    private: Callable[[], bool]

    def enter(self, frame: Frame, way: tuple[Frame, ...], depth: int) -> None:
        for call in frame.calls:
            callee = self.frames[call.start]
            further = (*way, callee)
            if depth >= DEEPEST and not callee.alone:
                self.refuse_calls(call)
            self.refuse_bytes(call, further)
            if callee.tails:
                self.refuse_tails(call, way)
            self.enter(callee, further, 1 if callee.alone else depth + 1)

    def refuse_calls(self, call: Call) -> None:
        problem = f"functions call each other more than {DEEPEST} deep here, the program itself among them"
        hint = "call fewer functions from functions, or put a small one in place: @skep.inline"
        raise CompileError(problem, self.lines.at(call.at), hint)

    def refuse_tails(self, call: Call, way: tuple[Frame, ...]) -> None:
        total = sum(frame.room for frame in way)
        if total >= BEFORE_TAILS:
            name = self.frames[call.start].name
            problem = (
                f"{name}() has a tail call, and what calls it has {total} bytes of local variables: "
                f"less than {BEFORE_TAILS} are taken"
            )
            hint = "put large ones into a PerCpuArray(Type, 1), and take them by lookup(0)"
            raise CompileError(problem, self.lines.at(call.at), hint)

    def refuse_bytes(self, call: Call, way: tuple[Frame, ...]) -> None:
        sizes = [(frame.name, frame.room) for frame in way]
        if sum(size for _, size in sizes) <= STACK:
            return
        added = [(name, size) for name, size in sizes if size < OWN or not self.private()]
        total = sum(size for _, size in added)
        if total > STACK:
            each = " and ".join(f"{size} in {name}" for name, size in added if size)
            problem = f"functions that call each other have {total} bytes of local variables, not {STACK}: {each}"
            hint = "put large ones into a PerCpuArray(Type, 1), and take them by lookup(0)"
            raise CompileError(problem, self.lines.at(call.at), hint)


def refuse_deep(code: Code, kind: ProgramKind, *, private: Callable[[], bool]) -> None:
    """Raises CompileError at a call by which functions have more stack than there is, or too many are at work.

    ``private`` tells whether the kernel has stacks of their own for large frames; it is asked where that decides.
    """
    frames = _frames(code)
    if len(frames) < 2:
        return
    own = kind.prog_type in TRACING and kind.attach_type != ITERATOR
    own = own and not any(frame.tails for frame in frames.values())
    walk = _Walk(frames, Lines(code.line_info, code.btf), private if own else lambda: False)
    walk.enter(frames[0], (frames[0],), 1)


def heaviest(code: Code) -> tuple[Span, ...]:
    """The lines of the calls by which a program comes to have most on its stack, the first one first."""
    frames, lines = _frames(code), Lines(code.line_info, code.btf)

    def below(frame: Frame) -> tuple[int, tuple[int, ...]]:
        """What a function and those that it calls have at most, and by which calls."""
        ways = [(call.at, *below(frames[call.start])) for call in frame.calls]
        found = [(size, (at, *calls)) for at, size, calls in ways]
        size, calls = max(found, default=(0, ()))
        return max(frame.room, GRAIN) + size, calls

    spans = (lines.at(at) for at in below(frames[0])[1]) if 0 in frames else ()
    return tuple(span for span in spans if span is not None)


def _frames(code: Code) -> dict[int, Frame]:
    """The functions of a program, by where they begin."""
    types = Btf(code.btf) if code.btf else None
    starts = dict(_FUNC_INFO.iter_unpack(code.func_info)) if types else {}
    found: dict[int, Frame] = {}
    current = Frame("", alone=False)
    for at, insn in _instructions(code.insns):
        if at in starts and types is not None:
            made = types.type(starts[at])
            alone = isinstance(made, Func) and made.linkage == 1 and at > 0
            name = types.name(starts[at])
            current = found[at] = Frame(_MADE.sub(r"\1", name), alone)
        current.bytes = max(current.bytes, _reached(*insn))
        start = _called(code.insns, at, insn)
        if start is not None:
            current.calls.append(Call(at, start))
        kind, registers, _, value = insn
        current.tails |= kind == _CALL and registers >> 4 == _HELPER and value == TAIL_CALL
    return found


def _instructions(insns: bytes) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """Each instruction with its place; the second half of a wide one is none."""
    at = 0
    while at * 8 < len(insns):
        insn = _INSN.unpack_from(insns, at * 8)
        yield at, insn
        at += 2 if insn[0] == _WIDE_LOAD else 1


def _reached(code: int, registers: int, offset: int, _value: int) -> int:
    """How far into its frame an instruction reaches."""
    base = registers >> 4 if code & 7 == _LOAD else registers & 15
    memory = code & 7 in (_LOAD, _STORE, _STORE_REGISTER)
    return -offset if memory and base == _FRAME else 0


def _called(insns: bytes, at: int, insn: tuple[int, int, int, int]) -> int | None:
    """Where the function begins that an instruction calls, or gives to a helper that surely calls it at once."""
    code, registers, _, value = insn
    if code == _CALL and registers >> 4 == _LOCAL:
        return at + 1 + value
    if code != _WIDE_LOAD or registers >> 4 != _FUNCTION:
        return None
    for _, (other, them, _, number) in _instructions(insns[(at + 2) * 8 :]):
        if other & 7 in _JUMPS:
            helper = number if other == _CALL and them >> 4 == _HELPER else -1
            return at + 1 + value if CALLERS.get(helper) == registers & 15 else None
    return None
