"""Statements of the typed tree as LLVM instructions: one function a node, in one table."""

from collections.abc import Callable
from typing import Any

from skep.lang.emit import memory
from skep.lang.emit.chain import go_on
from skep.lang.emit.expressions import atomic, condition
from skep.lang.emit.function import Writer, paired
from skep.lang.emit.text import llvm_type
from skep.lang.tree import (
    Assign,
    Atomic,
    Break,
    Const,
    Continue,
    Copy,
    Evaluate,
    For,
    If,
    Node,
    Return,
    Store,
    Zero,
)
from skep.lang.types import IntType
from skep.lang.values import VOID


def block(w: Writer, nodes: tuple[Node, ...]) -> None:
    """Write statements."""
    for node in nodes:
        w.at(node.span)
        STATEMENTS[type(node)](w, node)


def _assign(w: Writer, node: Assign) -> None:
    kind = w.function.variables[node.name]
    value = w.expr(node.value)
    w.do(f"store {llvm_type(kind)} {value.text}, ptr {w.variable(node.name, kind)}")
    if paired(kind):
        w.do(f"store i1 {value.ok or 'true'}, ptr {w.flag(node.name)}")


def _evaluate(w: Writer, node: Evaluate) -> None:
    if isinstance(node.value, Atomic):
        atomic(w, node.value, "monotonic")
    else:
        w.expr(node.value)


def _if(w: Writer, node: If) -> None:
    then, other, end = w.name("then"), w.name("else"), w.name("end")
    condition(w, node.test, then, other if node.other else end)
    w.start(then)
    block(w, node.then)
    _leave(w, end)
    if node.other:
        w.start(other)
        block(w, node.other)
        _leave(w, end)
    w.start(end)


def _leave(w: Writer, label: str) -> None:
    if not w.done:
        w.jump(label)


def _for(w: Writer, node: For) -> None:
    """The counter is a variable of its own: what the body does to the loop's variable does not reach it."""
    kind = llvm_type(node.type)
    counter = w.slot(w.name("counter"), kind)
    start, stop = w.expr(node.start).text, w.expr(node.stop).text
    w.do(f"store {kind} {start}, ptr {counter}")
    head, body, following, end = w.name("head"), w.name("body"), w.name("step"), w.name("end")
    w.start(head)
    now = w.get(f"load {kind}, ptr {counter}")
    order = "lt" if node.step > 0 else "gt"
    w.branch(
        w.get(f"icmp {'s' if node.type.signed else 'u'}{order} {kind} {now}, {stop}"), body, end
    )
    w.start(body)
    w.do(f"store {kind} {now}, ptr {w.variable(node.name, w.function.variables[node.name])}")
    w.breaks.append(end)
    w.continues.append(following)
    block(w, node.body)
    w.breaks.pop()
    w.continues.pop()
    w.at(node.span)
    w.start(following)
    if not _stays_inside(node):
        more = w.name("more")
        ends = (now, stop) if node.step > 0 else (stop, now)
        left = w.get(f"sub {kind} {ends[1]}, {ends[0]}")
        w.branch(w.get(f"icmp ugt {kind} {left}, {abs(node.step)}"), more, end)
        w.start(more)
    following_value = w.get(f"add {kind} {now}, {node.step}")
    w.do(f"store {kind} {following_value}, ptr {counter}")
    w.jump(head)
    w.start(end)


def _stays_inside(node: For) -> bool:
    """Whether the counter cannot wrap around: it goes by one, or the last step is known to fit."""
    if abs(node.step) == 1 or not isinstance(node.type, IntType):
        return True
    if not isinstance(node.stop, Const):
        return False
    return bool(node.type.low <= node.stop.value + node.step <= node.type.high)


def _break(w: Writer, _node: Break) -> None:
    w.jump(w.breaks[-1])


def _continue(w: Writer, _node: Continue) -> None:
    w.jump(w.continues[-1])


def _return(w: Writer, node: Return) -> None:
    if node.value is None:
        finish(w, None)
        return
    value = w.expr(node.value)
    if value.ok is None:
        finish(w, value.text)
    else:  # a pointer into a packet that may be None leaves its flag behind
        finish(w, w.get(f"select i1 {value.ok}, ptr {value.text}, ptr null"))


def finish(w: Writer, value: str | None) -> None:
    """Leave the function, with what it gives when it says nothing."""
    kind = llvm_type(w.function.result)
    default = {"ptr": "null", "i1": "false"}.get(
        kind, str(w.function.default if w.function.result is not VOID else 0)
    )
    w.do(f"store {kind} {value if value is not None else default}, ptr {w.slot('result', kind)}")
    w.leaves.append(w.debug)
    w.jump("return")


def end(w: Writer) -> None:
    """The one place where the function ends, as in C: several cost an instruction or two.

    It belongs to the line that leaves the function; where several do, to none.
    """
    kind = llvm_type(w.function.result)
    w.restore(w.leaves[0] if len(w.leaves) == 1 else "")
    w.start("return")
    result = w.get(f"load {kind}, ptr {w.slot('result', kind)}")
    if w.chain is not None:
        go_on(w, w.chain, kind, result)
    w.do(f"ret {kind} {result}")
    w.done = True


STATEMENTS: dict[type[Node], Callable[[Writer, Any], None]] = {
    Assign: _assign,
    Store: memory.store,
    Copy: memory.copy,
    Zero: memory.zero,
    Evaluate: _evaluate,
    If: _if,
    For: _for,
    Break: _break,
    Continue: _continue,
    Return: _return,
}
