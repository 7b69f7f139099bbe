"""Loops that bpf_loop runs: the body is a function of its own, which gives 1 to leave the loop.

What it shares with the program around it lies in a frame on the stack. Kernels that have no iterators verify that
function once, with what is known before the first round: so the numbers that it changes are forgotten (``forget``).
"""

from collections.abc import Callable

from skep.lang.check.loops import Lowering, Lowerings, shared
from skep.lang.emit.expressions import condition
from skep.lang.emit.forget import FOG, hidden, veil
from skep.lang.emit.function import Writer, paired
from skep.lang.emit.rounds import ROUNDS, Loop, assigned, count, inside, number, set_number
from skep.lang.emit.text import NO_TABLES, llvm_type
from skep.lang.tree import (
    Const,
    ContextValue,
    For,
    Function,
    Node,
    Parameter,
    Return,
    SubCall,
    Together,
    While,
    statements,
    walk,
)
from skep.lang.types import u64
from skep.lang.values import VOID, Memory, Pointer

BPF_LOOP = 181
CONTEXT, OUT, LEFT, RESULT = "ctx", "out", "#left", "#result"


def prepare(w: Writer, nodes: tuple[Node, ...]) -> None:
    """At the start of a function: what long loops set is zero, for the verifier thinks that they may not run."""
    loops = (n for n in statements(*nodes) if isinstance(n, Loop))
    long = [loop for loop in loops if w.lowering(loop) is not Lowering.PLAIN]
    for name in dict.fromkeys(name for loop in long for name in assigned(loop)):
        if w.outlined and name in w.frame:
            continue
        kind = w.function.variables[name]
        text = llvm_type(kind)
        zero = "null" if text == "ptr" else "0"
        w.do(f"store {text} {zero}, ptr {w.variable(name, kind)}")
    for name in (CONTEXT, OUT):
        if f"#{name}" in w.frame and not w.outlined:
            w.do(f"store ptr %{name}, ptr {w.framed(f'#{name}')}")


def layout(function: Function, how: Lowerings) -> dict[str, int]:
    """Where in the frame of a function what its loops share lies, 8 bytes each; empty where it needs no frame."""
    loops = (n for n in statements(*function.body) if isinstance(n, Loop))
    called = [loop for loop in loops if how(loop) is Lowering.CALLBACK]
    if not called:
        return {}
    inner, names = list(walk(*called)), shared(function, how)
    held = [FOG, *sorted(names)]
    held += [f"ok.{name}" for name in sorted(names) if paired(function.variables.get(name))]
    if any(isinstance(n, ContextValue) or _takes_context(n) for n in inner):
        held.append(f"#{CONTEXT}")
    if any(isinstance(n, Return) for n in inner):
        held += [LEFT, RESULT]
    if any(isinstance(n, Together) for n in inner):
        held.append(f"#{OUT}")
    held += [_first(n) for n in called if isinstance(n, For) and not isinstance(n.start, Const)]
    return {name: 8 * i for i, name in enumerate(held)}


def _first(node: For) -> str:
    """What the frame holds the first number of a loop under."""
    return f"#first.{node.span.line}.{node.span.column}"


def _takes_context(node: Node) -> bool:
    return isinstance(node, SubCall) and node.function.context


def called_for(w: Writer, node: For) -> None:
    """``for`` by bpf_loop."""
    start, stop = w.expr(node.start).text, w.expr(node.stop).text
    rounds = count(w, node, start, stop)
    kind, kept = llvm_type(node.type), _first(node)
    if kept in w.frame:
        w.do(f"store {kind} {start}, ptr {w.framed(kept)}")

    def enter(inner: Writer, index: str, _stop: str) -> None:
        low = inner.get(f"trunc i64 {index} to i32")
        known = kept not in inner.frame
        first = start if known else inner.get(f"load {kind}, ptr {inner.framed(kept)}")
        set_number(inner, node, number(inner, node, first, low))

    _called(w, rounds, enter, node)


def called_while(w: Writer, node: While) -> None:
    """``while`` by bpf_loop."""

    def enter(inner: Writer, _index: str, stop: str) -> None:
        body = inner.name("body")
        condition(inner, node.test, body, stop)
        inner.start(body)

    _called(w, str(ROUNDS), enter, node)


def _called(w: Writer, rounds: str, enter: Callable[[Writer, str, str], None], node: Loop) -> None:
    """A loop that bpf_loop runs."""
    if rounds == "0":
        return
    returns = any(isinstance(part, Return) for part in walk(*node.body))
    if returns:
        w.do(f"store i64 0, ptr {w.framed(LEFT)}")
    symbol = _outlined(w, enter, node)
    if (
        not rounds.isdigit()
    ):  # of none, the kernel would drop the function and trip over what is left
        rounds = hidden(w, "i32", rounds)
    veil(w, node)
    w.get(
        f"call i64 inttoptr (i64 {BPF_LOOP} to ptr)(i32 {rounds}, ptr {symbol}, ptr %frame, i64 0)"
    )
    veil(w, node)
    if not returns:
        return
    left, end = w.name("left"), w.name("end")
    flag = w.get(f"load i64, ptr {w.framed(LEFT)}")
    w.branch(w.get(f"icmp eq i64 {flag}, 0"), end, left)
    w.start(left)
    _return_again(w)
    w.start(end)


def _return_again(w: Writer) -> None:
    """Leave the function with what a loop's function left behind."""
    kind = llvm_type(w.function.result)
    if w.outlined:
        w.jump("stop")
        return
    w.end_iterators()
    value = w.get(f"load {kind}, ptr {w.framed(RESULT)}")
    w.do(f"store {kind} {value}, ptr {w.slot('result', kind)}")
    w.leaves.append(w.debug)
    w.jump("return")


def hand_over(w: Writer, kind: str, value: str) -> None:
    """``return`` in a loop's function: what is around it returns the value."""
    w.do(f"store {kind} {value}, ptr {w.framed(RESULT)}")
    w.do(f"store i64 1, ptr {w.framed(LEFT)}")
    w.jump("stop")


def _outlined(w: Writer, enter: Callable[[Writer, str, str], None], node: Loop) -> str:
    """Write the function of a loop; its symbol."""
    around, number = w.function, len(w.module.functions)
    name = f"{around.name}_loop{number}"
    parameters = (
        Parameter("index", u64),
        Parameter("frame", Pointer(None, Memory.STACK)),
    )
    described = Function(name, around.file, node.span.line, around.source, parameters, VOID, ())
    w.module.functions.append("")
    inner = Writer(
        w.module, around, w.module.subprogram(described, local=True), w.plan, w.frame, outlined=True
    )
    inner.at(node.span)
    prepare(inner, node.body)
    for held in (CONTEXT, OUT):
        if f"#{held}" in w.frame:
            inner.do(f"%{held} = load ptr, ptr {inner.framed(f'#{held}')}")
    enter(inner, "%index", "stop")
    inside(inner, node.body, ("stop", "next"))
    inner.at(node.span)
    inner.start("next")
    inner.do("ret i64 0")
    inner.done = True
    inner.start("stop")
    inner.do("ret i64 1")
    head = f"define internal i64 @{name}(i64 %index, ptr %frame) noinline nounwind {NO_TABLES}"
    lines = [f"{head} !dbg !{inner.scope} {{", "entry:", *inner.slots, *inner.body, "}"]
    w.module.functions[number] = "\n".join(lines)
    return f"@{name}"
