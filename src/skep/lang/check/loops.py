"""How each loop runs: as a loop of its own, over an iterator of the kernel, or as a function that the kernel calls.

The verifier follows a loop round by round, up to a million instructions in all. A loop that is known to be shorter is
written as it is; of the others the kernel counts the rounds (``bpf_iter_num``, 6.4; ``bpf_loop``, 5.17). What bpf_loop
calls is a function of its own, which sees the variables around it through a frame on the stack. Kernels that have
nothing better verify that function once, so it may not change pointers of the program around it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeGuard

from skep.base.errors import CompileError
from skep.lang.bounds import upper_bound
from skep.lang.reach import goes_on
from skep.lang.tree import (
    Assign,
    Binary,
    Break,
    Compare,
    Const,
    Continue,
    Convert,
    Expr,
    For,
    Function,
    If,
    Local,
    Logic,
    Node,
    Release,
    Return,
    SubCall,
    While,
    statements,
    walk,
)
from skep.lang.types import IntType
from skep.lang.values import Pointer

LIMIT = 100_000
"""The nodes that the verifier may follow for the sake of one loop: far below a million instructions."""
MOST = 1 << 23
"""The rounds after which the kernel ends a long loop (BPF_MAX_LOOPS)."""
Loop = For | While


class Lowering(Enum):
    """What becomes of a loop."""

    PLAIN = "followed by the verifier round by round"
    ITERATOR = "over bpf_iter_num"
    KERNEL = "over another iterator of the kernel's"
    CALLBACK = "a function that bpf_loop calls"


Lowerings = Callable[[Loop], Lowering]


@dataclass(slots=True)
class Plan:
    """The lowerings of the loops of a program; ``long`` is that of the long ones."""

    long: Lowering
    found: dict[int, Lowering] = field(default_factory=dict)
    costs: dict[int, int] = field(default_factory=dict)

    def function(self, function: Function) -> int:
        """Decide for a function, its callees first; what the verifier follows in it, in nodes."""
        if id(function) not in self.costs:
            self.costs[id(function)] = self.block(function.body)
        return self.costs[id(function)]

    def block(self, nodes: tuple[Node, ...]) -> int:
        """The cost of statements. Numbers that variables were just set to bound what follows."""
        total = 0
        known: dict[str, int] = {}
        asked = any(isinstance(node, While) for node in nodes)
        for node in nodes:
            total += self.statement(node, known)
            if not asked:
                continue
            if isinstance(node, Assign) and isinstance(node.value, Const):
                known[node.name] = node.value.value
            else:
                for name in _assigned(node):
                    known.pop(name, None)
        return total

    def statement(self, node: Node, known: dict[str, int]) -> int:
        """The cost of one statement."""
        match node:
            case If(test=test, then=then, other=other):
                return self.expression(test) + self.block(then) + self.block(other)
            case For(start=start, stop=stop, body=body):
                head = self.expression(start) + self.expression(stop)
                return head + self.loop(node, _rounds(node), self.block(body) + 3)
            case While(body=body, end=Expr()):
                self.found[id(node)] = Lowering.KERNEL
                return 4 * self.block(body)
            case While(test=test, body=body):
                once = self.block(body) + self.expression(test)
                rounds = None if self._forgets(body) else _counted(node, known)
                return self.loop(node, rounds, once)
        return self.expression(node)

    def loop(self, node: Loop, rounds: int | None, once: int) -> int:
        """Decide for a loop. The verifier follows a long one a few times only."""
        if isinstance(node, For) and rounds is not None and rounds > MOST:
            _refuse_endless(node, rounds)
        short = rounds is not None and rounds * once <= LIMIT
        self.found[id(node)] = Lowering.PLAIN if short else self.long
        return rounds * once if short and rounds is not None else 4 * once

    def _forgets(self, body: tuple[Node, ...]) -> bool:
        """Whether a loop over an iterator is in here: after one, the verifier may no longer know a number around it."""
        return self.long is Lowering.ITERATOR and any(self._iterates(part) for part in walk(*body))

    def _iterates(self, node: Node) -> bool:
        if isinstance(node, For | While):
            return self.found[id(node)] is not Lowering.PLAIN
        return _is_followed(node) and any(map(self._iterates, node.function.nodes))

    def expression(self, node: Node) -> int:
        """The cost of an expression, with the functions that it calls; a global one is not followed again."""
        total = 0
        for part in walk(node):
            total += 1 + (self.function(part.function) if _is_followed(part) else 0)
        return total


def _refuse_endless(node: For, rounds: int) -> None:
    """Refuse a loop of constant ends that the kernel would end before, where nothing in it does."""
    constant = isinstance(node.start, Const) and isinstance(node.stop, Const)
    if constant and not any(isinstance(part, Break | Return) for part in walk(*node.body)):
        problem = f"a loop of {rounds:,} rounds: the kernel ends one after {MOST:,}"
        hint = "put one loop into another: for i in range(n): for j in range(m):"
        raise CompileError(problem, node.span, hint)


def _is_followed(node: Node) -> TypeGuard[SubCall]:
    return isinstance(node, SubCall) and not node.function.is_global


def lowerings(functions: list[Function], *, iterates: bool) -> Lowerings:
    """How each loop of these functions runs. Raises CompileError at what bpf_loop cannot do."""
    plan = Plan(Lowering.ITERATOR if iterates else Lowering.CALLBACK)
    for function in functions:  # what costs nothing to a loop is not counted
        if any(isinstance(node, For | While) for node in statements(*function.body)):
            plan.function(function)
    for function in functions:
        _refuse_tails(function, lambda node: plan.found[id(node)])
        if not iterates:
            _refuse(function, lambda node: plan.found[id(node)])
    return lambda node: plan.found[id(node)]


def _refuse_tails(function: Function, how: Lowerings) -> None:
    """Refuse a tail call in a long loop: an iterator is held there, or it is a function that the kernel calls."""
    if not function.tails:
        return
    for node in function.nodes:
        if isinstance(node, For | While) and how(node) is not Lowering.PLAIN:
            for part in walk(*node.body):
                if goes_on(part):
                    problem = "a long loop, of which the kernel counts the rounds, has a tail call"
                    hint = "leave it by break, and make the call behind it; or let the range be short: range(8)"
                    raise CompileError(problem, part.span, hint)


def _rounds(node: For) -> int | None:
    """The rounds of ``for`` at most, where that is plain."""
    first, last = (node.start, node.stop) if node.step > 0 else (node.stop, node.start)
    if not isinstance(first, Const):
        return None
    end = last.value if isinstance(last, Const) else upper_bound(last)
    return max(0, -(-(end - first.value) // abs(node.step)))


# --- while ------------------------------------------------------------------------------------------------------------


def _counted(node: While, known: dict[str, int]) -> int | None:
    """The rounds of ``while`` at most, where a variable that every round changes alike ends it."""
    if any(isinstance(part, Continue) for part in walk(*node.body)):
        return None
    tests = node.test.operands if isinstance(node.test, Logic) else (node.test,)
    if isinstance(node.test, Logic) and node.test.op == "or":
        return None
    found = [rounds for test in tests if (rounds := _bound(test, node.body, known)) is not None]
    return min(found, default=None)


def _bound(test: Expr, body: tuple[Node, ...], known: dict[str, int]) -> int | None:
    if not isinstance(test, Compare) or not isinstance(test.right, Const):
        return None
    counter, change = _plain(test.left), None
    if isinstance(counter, Local):
        change = _change(counter.name, body)
    if change is None or not isinstance(counter, Local):
        return None
    op, by = change
    if op == ">>":
        shrinks = isinstance(counter.type, IntType) and not counter.type.signed
        ends = test.op in ("!=", ">") or (test.op == ">=" and test.right.value > 0)
        return (
            -(-64 // by) if shrinks and ends and (test.op != "!=" or not test.right.value) else None
        )
    start = known.get(counter.name)
    if start is None:
        return None
    left = test.right.value - start if op == "+" else start - test.right.value
    return _steps(test.op if op == "+" else MIRRORED.get(test.op, ""), left, by)


MIRRORED = {">": "<", ">=": "<=", "!=": "!="}


def _steps(op: str, left: int, by: int) -> int | None:
    """The rounds until a counter has gone ``left`` in steps of ``by``."""
    if op == "<":
        return max(0, -(-left // by))
    if op == "<=":
        return max(0, left // by + 1)
    return left // by if op == "!=" and left >= 0 and left % by == 0 else None


def _change(name: str, body: tuple[Node, ...]) -> tuple[str, int] | None:
    """How each round changes a variable, where it does so once, by a constant, whatever else happens."""
    changes = [part for part in walk(*body) if isinstance(part, Assign | For) and part.name == name]
    if len(changes) != 1 or not any(changes[0] is node for node in body):
        return None
    value = _plain(changes[0].value) if isinstance(changes[0], Assign) else None
    match value:
        case Binary(op="+" | "-" | ">>" as op, left=left, right=Const(value=by)) if by > 0:
            plain = _plain(left)
            return (op, by) if isinstance(plain, Local) and plain.name == name else None
    return None


def _plain(value: Expr) -> Expr:
    return _plain(value.operand) if isinstance(value, Convert) else value


# --- bpf_loop ---------------------------------------------------------------------------------------------------------


def _assigned(*nodes: Node) -> set[str]:
    return {part.name for part in walk(*nodes) if isinstance(part, Assign | For)}


def shared(function: Function, how: Lowerings) -> dict[str, int]:
    """The variables that a loop's function and what is around it both use, in a fixed order."""
    users: dict[str, set[int]] = {}
    for name, owner in _uses(function.body, 0, how):
        users.setdefault(name, set()).add(owner)
    return {name: len(owners) for name, owners in users.items() if len(owners) > 1}


def _uses(nodes: tuple[Node, ...], owner: int, how: Lowerings) -> list[tuple[str, int]]:
    """Each use of a variable, with the loop whose function it stands in (0: none)."""
    found: list[tuple[str, int]] = []
    for node in nodes:
        match node:
            case If(test=test, then=then, other=other):
                found += _uses((test,), owner, how)
                found += _uses(then, owner, how) + _uses(other, owner, how)
            case For(start=start, stop=stop, name=name, body=body):
                inner = id(node) if how(node) is Lowering.CALLBACK else owner
                found += _uses((start, stop), owner, how)
                found += [(name, inner), *_uses(body, inner, how)]
            case While(test=test, body=body):
                inner = id(node) if how(node) is Lowering.CALLBACK else owner
                found += _uses((test, *body), inner, how)
            case _:
                names = [p.name for p in walk(node) if isinstance(p, Local | Assign | Release)]
                found += [(name, owner) for name in names]
    return found


def _refuse(function: Function, how: Lowerings) -> None:
    framed = shared(function, how)
    for node in function.nodes:
        if not isinstance(node, For | While) or how(node) is not Lowering.CALLBACK:
            continue
        for part in walk(*node.body):
            if isinstance(part, Assign) and part.name in framed and _points(function, part.name):
                problem = (
                    f"{part.name!r} is a pointer that a long loop changes for what is around it"
                )
                hint = "this kernel calls the body of a long loop as a function; keep a number, and look it up again"
                raise CompileError(problem, part.span, hint)
            if isinstance(part, Release) and part.name not in _assigned(*node.body):
                problem = f"the record that {part.name!r} holds ends within a long loop"
                hint = "this kernel calls the body of a long loop as a function; end the record after the loop"
                raise CompileError(problem, part.span, hint)


def _points(function: Function, name: str) -> bool:
    return isinstance(function.variables.get(name), Pointer)
