"""Statements of the typed tree as LLVM instructions: one function a node, in one table."""

from collections.abc import Callable
from typing import Any

from skep.lang.emit import called, loops, memory
from skep.lang.emit.chain import go_on
from skep.lang.emit.expressions import atomic, condition
from skep.lang.emit.function import Writer, paired
from skep.lang.emit.sizes import known_otherwise
from skep.lang.emit.text import llvm_type
from skep.lang.tree import (
    Assign,
    Atomic,
    Break,
    Continue,
    Copy,
    Evaluate,
    For,
    If,
    Node,
    Return,
    Store,
    Together,
    While,
    Write,
    Zero,
)
from skep.lang.values import VOID


def _assign(w: Writer, node: Assign) -> None:
    kind = w.function.variables[node.name]
    value = w.expr(node.value)
    text = value.text
    if node.name in w.plan.sizes(w.function) and known_otherwise(node.value):
        text = w.unknown(llvm_type(kind), text)
    w.do(f"store {llvm_type(kind)} {text}, ptr {w.variable(node.name, kind)}")
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
    w.write(node.then)
    _leave(w, end)
    if node.other:
        w.start(other)
        w.write(node.other)
        _leave(w, end)
    w.start(end)


def _leave(w: Writer, label: str) -> None:
    if not w.done:
        w.jump(label)


def _return(w: Writer, node: Return) -> None:
    if node.value is None:
        finish(w, None)
        return
    if isinstance(node.value, Together):
        values = [w.flat(w.expr(item)) for item in node.value.items]
        for index, (item, value) in enumerate(zip(node.value.items, values, strict=True)):
            w.do(
                f"store {llvm_type(item.type)} {value}, ptr {w.offset('%out', 8 * index)}, align 8"
            )
        finish(w, None)
        return
    finish(w, w.flat(w.expr(node.value)))


def finish(w: Writer, value: str | None) -> None:
    """Leave the function, with what it gives when it says nothing."""
    kind = llvm_type(w.function.result)
    default = {"ptr": "null", "i1": "false"}.get(
        kind, str(0 if w.function.result is VOID else w.function.default)
    )
    given = value if value is not None else default
    w.end_iterators()
    if w.outlined:
        called.hand_over(w, kind, given)
        return
    w.do(f"store {kind} {given}, ptr {w.slot('result', kind)}")
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
    Write: memory.write,
    Zero: memory.zero,
    Evaluate: _evaluate,
    If: _if,
    For: loops.counted,
    While: loops.repeated,
    Break: loops.leave,
    Continue: loops.go_on,
    Return: _return,
}
