"""The walk over a typed tree that finds what the verifier would refuse, before it does.

Records that leak or are lost, returns out of range, and (in ``uses``) what expressions do wrong. It also finds which
bytes of a record are to be zeroed (``records``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from skep.base.errors import CompileError, Span
from skep.lang.check import objects, sections
from skep.lang.check.bounds import refuse_boundless
from skep.lang.check.escapes import refuse_escaping
from skep.lang.check.loans import assigned, entering, refuse_unnamed
from skep.lang.check.pointers import refuse_misused
from skep.lang.check.records import Records, Touch, anything, nothing
from skep.lang.check.results import refuse_missing
from skep.lang.check.state import State, merge
from skep.lang.check.uses import condition, expr, place
from skep.lang.reach import goes_on
from skep.lang.spec import ProgramKind
from skep.lang.tree import (
    Argument,
    Assign,
    Binary,
    Break,
    Compare,
    Const,
    Continue,
    Convert,
    Copy,
    Evaluate,
    Expr,
    For,
    Function,
    If,
    IsNone,
    KernelCall,
    Local,
    Logic,
    Node,
    NoneValue,
    Not,
    Release,
    Reserve,
    Return,
    Store,
    While,
    Write,
    Zero,
    statements,
    walk,
)
from skep.lang.values import Memory, Pointer

ROUNDS = 10


@dataclass(slots=True)
class Loop:
    """States that leave a loop, or go on with it."""

    breaks: list[State] = field(default_factory=list)
    continues: list[State] = field(default_factory=list)


@dataclass(slots=True)
class Flow:
    """The walk over one function.

    ``returns`` is the range of results that the kernel takes; ``records`` follows what is set in records; ``leaving``
    is what holds wherever the function ends, ``goes_behind`` whether it does so behind its last line.
    """

    kind: ProgramKind
    returns: tuple[int, int] | None
    records: Records
    loops: list[Loop] = field(default_factory=list)
    leaving: State | None = None
    goes_behind: bool = False

    def function(self, function: Function) -> tuple[Touch, ...]:
        """Check one function; what it does with its parameters. Raises CompileError."""
        begin = State(loans=entering(function), open=sections.entering(function))
        state = self.block(begin, function.body)
        self.goes_behind = state is not None
        if state is not None:
            _refuse_held(state, _whole(function.body[-1].span) if function.body else None)
        left = merge(self.leaving, state)
        sets, reads = left.lent if left else {}, self.records.reads
        return tuple(Touch(sets.get(p.name, 0), reads.get(p.name, 0)) for p in function.parameters)

    def block(self, state: State | None, nodes: tuple[Node, ...]) -> State | None:
        """The state after statements; None where they do not end."""
        for node in nodes:
            if state is None:
                return None
            state = STATEMENTS[type(node)](self, state, node)
        return state

    def assign(self, state: State, node: Assign) -> State:
        """A variable gets a value."""
        value = node.value
        if node.name in state.held and node.name not in state.absent:
            raise _lost(state, node.name, node.span)
        if isinstance(value, Reserve):
            state = self._worked_out(state, value)
            return state.bind(node.name).hold(node.name, value)
        if node.name not in state.absent:
            state.loans.refuse_lost(node.name, state.present, node.span)
        expr(state, value)
        state = self.records.expr(state, value)
        kind = value.type if isinstance(value.type, Pointer) else None
        none = isinstance(value, NoneValue)
        if kind and kind.memory is Memory.RECORD and not isinstance(value, NoneValue | Argument):
            hint = "use the variable that reserve() was assigned to"
            raise CompileError("a reserved record has one name", node.span, hint)
        known = isinstance(value, Local) and value.name in state.present
        state = state.bind(node.name, present=known or not (kind and kind.nullable), absent=none)
        state = state.borrow(assigned(state.loans, node))
        lent = kind and kind.memory is Memory.RECORD and isinstance(value, Argument)
        return state.lend(node.name) if lent else state

    def _worked_out(self, state: State, node: Reserve) -> State:
        """What a record with a tail is reserved with."""
        for part in filter(None, (node.tail, node.room)):
            expr(state, part)
            state = self.records.expr(state, part)
        return state

    def store(self, state: State, node: Store) -> State:
        """A number goes to memory."""
        expr(state, node.value)
        place(state, node.place)
        state = self.records.expr(state, node.value)
        if isinstance(node.value, Local):
            state = state.borrow(state.loans.hand_on(node.value.name))
        state = self.records.reach(state, node.place)
        if node.place.bits is not None:  # what else is in the unit stays
            state = self.records.read(state, node.place, node.place.type.size)
        return self.records.write(state, node.place, node.place.type.size)

    def copy(self, state: State, node: Copy) -> State:
        """Bytes go to memory."""
        place(state, node.source)
        place(state, node.target)
        state = self.records.read(state, node.source, node.size)
        state = self.records.reach(state, node.target)
        return self.records.write(state, node.target, node.size)

    def zero(self, state: State, node: Zero) -> State:
        """Memory becomes zero."""
        place(state, node.place)
        return self.records.write(state, node.place, node.size)

    def write(self, state: State, node: Write) -> State:
        """Known bytes go to memory."""
        place(state, node.place)
        state = self.records.reach(state, node.place)
        return self.records.write(state, node.place, len(node.data))

    def evaluate(self, state: State, node: Evaluate) -> State:
        """An expression for its effect."""
        value = node.value
        if isinstance(value, Reserve):
            raise CompileError("a reserved record needs a name", node.span, "e = ring.reserve()")
        expr(state, value)
        state = self.records.expr(state, value)
        objects.refuse_unnamed(value)
        refuse_unnamed(value)
        if goes_on(value):
            _refuse_held(state, node.span)
        return self._release(state, value) if isinstance(value, Release) else state

    def _release(self, state: State, node: Release) -> State:
        held = state.held.get(node.name)
        if held is not None and node.action == "submit":
            self.records.require(held.reserve, ~held.written)
        return state.release(node.name, node.action)

    def branch(self, state: State, node: If) -> State | None:
        """If, with what each side knows by the condition."""
        then, other = condition(state, node.test, self.records.expr)
        return merge(self.block(then, node.then), self.block(other, node.other))

    def counted(self, state: State, node: For) -> State | None:
        """A loop over numbers."""
        expr(state, node.start)
        expr(state, node.stop)
        state = self.records.expr(self.records.expr(state, node.start), node.stop)
        body, head, end = self._rounds(
            state, node.body, lambda at: (at.bind(node.name, present=True), at)
        )
        return _leaving(body, end if _runs(node) else head)

    def repeated(self, state: State, node: While) -> State | None:
        """A loop that goes on while a condition holds."""
        _refuse_endless(node)

        def test(at: State) -> tuple[State, State]:
            return condition(at, node.test, self.records.expr)

        body, head, _ = self._rounds(state, node.body, test)
        return _leaving(body, None if isinstance(node.test, Const) else test(head)[1])

    def _rounds(
        self, head: State, nodes: tuple[Node, ...], enter: Callable[[State], tuple[State, State]]
    ) -> tuple[Loop, State, State | None]:
        """Walk a body until what holds at its head stands still; the head, and the end of a round."""
        end: State | None = None
        inner = Loop()
        for _ in range(ROUNDS):
            self.loops.append(inner := Loop())
            end = self.block(enter(head)[0], nodes)
            self.loops.pop()
            for other in inner.continues:
                end = merge(end, other)
            again = merge(head, end) or head
            if again == head:
                break
            head = again
        return inner, head, end

    def leave(self, state: State, _node: Break) -> None:
        """Break."""
        self.loops[-1].breaks.append(state)

    def go_on(self, state: State, _node: Continue) -> None:
        """Continue."""
        self.loops[-1].continues.append(state)

    def end(self, state: State, node: Return) -> None:
        """Return: nothing may be held."""
        if node.value is not None:
            expr(state, node.value)
            self._in_range(node.value)
            state = self.records.expr(state, node.value)
            if isinstance(node.value, Local):
                state = state.borrow(state.loans.hand_on(node.value.name))
        _refuse_held(state, node.span)
        self.leaving = merge(self.leaving, state)

    def _in_range(self, value: Expr) -> None:
        if self.returns is None or not isinstance(value, Const):
            return
        low, high = self.returns
        if not low <= value.value <= high:
            taken = f"{low} to {high}" if high - low > 1 else f"{low} or {high}"
            taken = taken if low != high else f"{low} only"
            problem = f"{self.kind.name} programs return {taken}, not {value.value}"
            negative = value.value > 0 and low <= -value.value
            hint = "an error number is negative, as -errno.EPERM" if negative else ""
            raise CompileError(problem, value.span, hint)


def _refuse_endless(node: While) -> None:
    """Refuse a loop that is always true, or whose test no round changes, where nothing else ends it."""
    if isinstance(node.test, Const):
        names, hint = set[str](), "end it with break or return"
    else:
        names = {part.name for part in walk(node.test) if isinstance(part, Local)}
        hint = f"change {' or '.join(map(repr, sorted(names)))} in it"
    fixed = bool(names) or (isinstance(node.test, Const) and bool(node.test.value))
    if not fixed or not all(isinstance(part, UNCHANGED) for part in walk(node.test)):
        return
    if not any(_may_end(part, names) for part in walk(*node.body)):
        hint += ", or count its rounds: for i in range(N)"
        raise CompileError("this loop never ends", node.span, hint)


UNCHANGED = (Local, Const, Compare, Logic, Not, Binary, Convert, IsNone)
"""What has the same value as long as its variables have."""


def _may_end(node: Node, names: set[str]) -> bool:
    """Whether a part of a loop may leave it, or change one of these variables."""
    match node:
        case Break() | Return() | KernelCall():  # a function of the kernel may throw
            return True
        case Assign(name=name) | For(name=name):
            return name in names
    return goes_on(node)


def _lost(state: State, name: str, span: Span) -> CompileError:
    line = state.held[name].reserve.span.line
    problem = f"the record that {name!r} holds since line {line} would be lost here"
    return CompileError(problem, span, f"call {name}.submit() or {name}.discard() before")


def _whole(span: Span) -> Span:
    """The line of a statement, which may know the place of its value only."""
    code = span.text.rstrip()
    return replace(span, column=len(code) - len(code.lstrip()) + 1, end_column=len(code) + 1)


def _refuse_held(state: State, span: Span | None) -> None:
    sections.refuse_open(state.open, span)
    state.loans.refuse_owned(state.present, span)
    for name, held in state.held.items():
        line = held.reserve.span.line
        what = "is neither submitted nor discarded on this path"
        problem = f"the record that {name!r} holds since line {line} {what}"
        hint = f"every path after reserve() calls {name}.submit() or {name}.discard()"
        raise CompileError(problem, span, hint)


def _leaving(loop: Loop, after: State | None) -> State | None:
    """The state after a loop."""
    for other in loop.breaks:
        after = merge(after, other)
    return after


def _runs(node: For) -> bool:
    """Whether a loop is known to run at least once."""
    start, stop = node.start, node.stop
    if not isinstance(start, Const) or not isinstance(stop, Const):
        return False
    return start.value < stop.value if node.step > 0 else start.value > stop.value


STATEMENTS: dict[type[Node], Callable[[Flow, State, Any], State | None]] = {
    Assign: Flow.assign,
    Store: Flow.store,
    Copy: Flow.copy,
    Write: Flow.write,
    Zero: Flow.zero,
    Evaluate: Flow.evaluate,
    If: Flow.branch,
    For: Flow.counted,
    While: Flow.repeated,
    Break: Flow.leave,
    Continue: Flow.go_on,
    Return: Flow.end,
}


def _intervals(mask: int) -> tuple[tuple[int, int], ...]:
    """The runs of ones in a mask, as (first, length)."""
    found, offset = [], 0
    while mask:
        skip = (mask & -mask).bit_length() - 1
        mask, offset = mask >> skip, offset + skip
        size = ((mask + 1) & -(mask + 1)).bit_length() - 1
        found.append((offset, size))
        mask, offset = mask >> size, offset + size
    return tuple(found)


def check(entry: Function, kind: ProgramKind) -> Callable[[Reserve], tuple[tuple[int, int], ...]]:
    """Check a program and its subprograms, callers first. Raises CompileError.

    The result gives, for a reservation, the (offset, size) of the bytes that are to be zeroed.
    """
    queue, looked = [entry], {id(entry)}
    ending: list[Function] = []
    for function in queue:
        flow = _flow(function, kind, Records({}, nothing))
        flow.function(function)
        ending += [function] if flow.goes_behind else []
        refuse_boundless(function, kind)
        refuse_misused(function)
        new = [one for one in function.calls if id(one) not in looked]
        looked |= {id(one) for one in new}
        queue += new
    refuse_missing(queue, ending)
    refuse_escaping(queue)
    unset: dict[int, int] = {}
    found: dict[int, tuple[Touch, ...]] = {}

    def touches(function: Function) -> tuple[Touch, ...]:
        if id(function) not in found and _has_records(function):
            flow = _flow(function, kind, Records(unset, touches))
            found[id(function)] = flow.function(function)
        if function.is_global:
            return anything(function)
        return found.get(id(function), nothing(function))

    for function in queue:
        touches(function)
    return lambda reserve: _intervals(unset.get(id(reserve), 0))


def _has_records(function: Function) -> bool:
    """Whether a function reserves a record, or is given one or a part of one."""
    given = (parameter.type for parameter in function.parameters)
    if any(isinstance(kind, Pointer) and kind.memory is Memory.RECORD for kind in given):
        return True
    sets = (node.value for node in statements(*function.body) if isinstance(node, Assign))
    return any(isinstance(value, Reserve) for value in sets)


def _flow(function: Function, kind: ProgramKind, records: Records) -> Flow:
    return Flow(kind, kind.returns if function.entry else None, records)
