"""Indices, sizes and results that nothing limits: the verifier would refuse them.

Only what is sure is told. A value is boundless where it comes from outside (an argument, memory that is not the
program's, a helper), is at most converted on the way, and is compared, computed with or kept nowhere in the function.
As an index, one with a sign is so too where it is compared once: that limits it on one side (``sides``).
"""

from dataclasses import dataclass, field, replace

from skep.base.errors import CompileError
from skep.lang.bounds import Bound, most, upper_bound
from skep.lang.check import sides
from skep.lang.check.sides import Key, key_of, source_of
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
    Expr,
    For,
    Function,
    HelperCall,
    If,
    Load,
    Local,
    Logic,
    Node,
    Not,
    Once,
    Opaque,
    Place,
    Return,
    Select,
    Store,
    SubCall,
    View,
    While,
    Write,
    Zero,
    statements,
    walk,
)
from skep.lang.types import IntType
from skep.lang.values import Memory, Pointer

BOUNDLESS = frozenset(
    {
        *("get_prandom_u32", "get_current_pid_tgid", "get_current_uid_gid"),
        *("get_current_cgroup_id", "ktime_get_ns", "ktime_get_boot_ns", "ktime_get_tai_ns"),
    }
)
"""Helpers whose result may be any number; of others the verifier may know more."""
FOREIGN = frozenset({Memory.CONTEXT, Memory.KERNEL, Memory.PROBE, Memory.USER})
SHARED = frozenset({Memory.VALUE, Memory.PACKET})
LIMITING = (Binary, Compare, Logic, Not, Select, Store, SubCall, View)
"""What may tell the verifier more of a value."""
TURNING = (Break, Continue, Return, If, While, For, Select, Logic)
"""What may keep a round of a loop from coming to each of its parts."""
CHANGING = (Copy, Write, Zero, SubCall)


@dataclass(slots=True)
class _Facts:
    """Of one function: what each variable is set to, and the variables and memory that may be limited.

    ``changing``: memory of maps and packets is changed as a whole, or elsewhere. ``alone``: its arguments may be any.
    ``lopsided``: what is limited on one side.
    """

    values: dict[str, list[Expr]] = field(default_factory=dict)
    limited: set[Key] = field(default_factory=set)
    changing: bool = False
    alone: bool = False
    lopsided: set[Key] = field(default_factory=set)

    def of_index(self) -> "_Facts":
        """The same, of a number that is used as an index: two limits are asked of it."""
        return replace(self, limited=self.limited - self.lopsided)

    def boundless(self, node: Expr) -> bool:
        """Whether nothing limits a value."""
        match node:
            case Convert(operand=operand) | Once(operand=operand):
                return self.boundless(operand)
            case Argument():
                return self.alone  # a caller may have limited what it passes
            case SubCall(function=function):
                return function.is_global or most(node) is not None
            case HelperCall(helper=helper):
                return helper.name in BOUNDLESS
            case Load(place=place):
                return self._foreign(place) and key_of(place) not in self.limited
            case Local(name=name):
                values = self.values.get(name, [])
                sure = len(values) == 1 and name not in self.limited
                return sure and self.boundless(values[0])
        return False

    def unknown(self, node: Expr) -> bool:
        """Whether a value is computed of one that nothing limits."""
        match node:
            case Convert(operand=operand) | Once(operand=operand) | Opaque(operand=operand):
                return self.unknown(operand)
            case Binary(left=left, right=right):
                return self.unknown(left) or self.unknown(right)
            case Local(name=name):
                values = self.values.get(name, [])
                sure = len(values) == 1 and name not in self.limited
                return sure and self.unknown(values[0])
        return self.boundless(node)

    def _foreign(self, place: Place) -> bool:
        """Whether what lies at a place is not known from the program itself."""
        kind = place.base.type
        if not isinstance(kind, Pointer) or place.index is not None:
            return False
        return kind.memory in FOREIGN or (kind.memory in SHARED and not self.changing)


def refuse_boundless(function: Function, kind: ProgramKind) -> None:
    """Raises CompileError at an index, size or result that nothing limits."""
    bounds = (*function.bounds, *_results(function, kind))
    indices = {id(one[0]) for one in function.bounds}
    asked = [Bound(*one) for one in bounds if upper_bound(one[0]) > one[1]]
    asked = [one for one in asked if one.known or not _is_within(one)]
    facts = _facts(function) if asked else _Facts()
    for bound in asked:
        of_index = not bound.known and id(bound.value) in indices
        known = facts.of_index() if of_index else facts
        refused = known.unknown if bound.known else known.boundless
        if refused(bound.value):
            raise _error(bound, facts)
    for loop in statements(*function.body):
        if isinstance(loop, For) and asked:
            _refuse_overrun(loop, asked)


def _is_within(bound: Bound) -> bool:
    """Whether it is an index that ``access`` bounded, for what it calls gives no more."""
    high = most(bound.value)
    return high is not None and high <= bound.high


def _refuse_overrun(loop: For, bounds: list[Bound]) -> None:
    """Refuse a loop whose last round surely lies behind the end of an array: nothing in it turns off or leaves it."""
    if not isinstance(loop.start, Const) or not isinstance(loop.stop, Const):
        return
    rounds = range(loop.start.value, loop.stop.value, loop.step)
    parts = list(walk(*loop.body))
    if not rounds or any(isinstance(part, TURNING) for part in parts):
        return
    places = {part.span for part in parts}
    for bound in bounds:
        within = bound.value.span in places and not bound.known
        reached = _reached(bound.value, loop.name, max(rounds)) if within else -1
        if reached > bound.high:
            problem = f"an index goes up to {reached}, behind the array's 0..{bound.high}"
            raise CompileError(problem, bound.value.span, "let the loop end before")


def _reached(value: Expr, name: str, most: int) -> int:
    """What an index is when the loop's variable is ``most``; -1 where it depends on anything else."""
    match source_of(value):
        case Local(name=found) if found == name:
            return most
        case Binary(op="+", left=left, right=Const(value=by)):
            reached = _reached(left, name, most)
            return reached + by if reached >= 0 else -1
    return -1


def _results(function: Function, kind: ProgramKind) -> list[Bound]:
    """What an entry function returns, where the kernel takes some numbers only."""
    if not function.entry or kind.returns is None:
        return []
    low, high = kind.returns
    taken = f"{low} to {high}" if low != high else f"{low}"
    problem = f"{kind.name} programs return {taken}, and nothing limits {{}} to that"
    hint = "return one of these numbers, as in `1 if x else 0`"
    returned = [node.value for node in statements(*function.body) if isinstance(node, Return)]
    return [
        Bound(value, high, problem, hint)
        for value in returned
        if value is not None and not isinstance(value, Const) and isinstance(value.type, IntType)
    ]


def _facts(function: Function) -> _Facts:
    facts = _Facts(alone=function.entry or function.is_global)
    within = {id(part) for value, *_ in function.bounds for part in walk(value)}
    for node in statements(*function.body):
        if isinstance(node, Assign):
            facts.values.setdefault(node.name, []).append(node.value)
        elif isinstance(node, For):
            facts.limited.add(node.name)
    for node in function.nodes:
        facts.limited |= {
            key_of(part.place if isinstance(part, Load) else part)
            for part in _limited_by(node)
            if isinstance(part, Local | Load | Place) and id(part) not in within
        }
        facts.changing |= isinstance(node, CHANGING)
    for name, values in facts.values.items():  # the other name of a limited value
        for value in values:
            source = source_of(value)
            if isinstance(source, Local) and name in facts.limited:
                facts.limited.add(source.name)
    facts.lopsided = sides.lopsided(function, facts.values, within)
    return facts


def _limited_by(node: Node) -> tuple[Node, ...]:
    match node:
        case If(test=test) | While(test=test):
            return tuple(walk(test))
        case For(start=start, stop=stop):
            return tuple(walk(start, stop))
    return tuple(walk(node)) if isinstance(node, LIMITING) else ()


def _error(bound: Bound, facts: _Facts) -> CompileError:
    source = source_of(bound.value)
    name = repr(source.name) if isinstance(source, Local) else "it"
    problem, hint = bound.problem.format(name), bound.hint
    if isinstance(source, Local) and source.name in facts.lopsided:
        problem += " on both sides, and it has a sign"
        hint = f"test both: if 0 <= {source.name} <= {bound.high}"
    return CompileError(problem, bound.value.span, hint)
