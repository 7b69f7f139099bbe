"""Loops as LLVM instructions, in the three ways of ``check.loops``: as they are, over an iterator, or called."""

from collections.abc import Callable

from skep.lang.check.loops import Lowering
from skep.lang.emit.called import called_for, called_while
from skep.lang.emit.expressions import condition
from skep.lang.emit.forget import blur, cloud
from skep.lang.emit.function import Writer
from skep.lang.emit.rounds import ROUNDS, Loop, count, inside, number, order, set_number
from skep.lang.emit.text import llvm_type
from skep.lang.tree import Break, Const, Continue, Expr, For, While
from skep.lang.types import IntType


def counted(w: Writer, node: For) -> None:
    """``for name in range(...)``."""
    FORMS[w.lowering(node)][0](w, node)


def repeated(w: Writer, node: While) -> None:
    """``while test``."""
    FORMS[w.lowering(node)][1](w, node)


def leave(w: Writer, _node: Break) -> None:
    """``break``."""
    w.jump(w.breaks[-1])


def go_on(w: Writer, _node: Continue) -> None:
    """``continue``."""
    w.jump(w.continues[-1])


# --- as it is ---------------------------------------------------------------------------------------------------------


def _plain_for(w: Writer, node: For) -> None:
    """The counter is a variable of its own: what the body does to the loop's variable does not reach it."""
    kind = llvm_type(node.type)
    counter = w.slot(w.name("counter"), kind)
    start, stop = w.expr(node.start).text, w.expr(node.stop).text
    w.do(f"store {kind} {start}, ptr {counter}")
    head, body, following, end = w.name("head"), w.name("body"), w.name("step"), w.name("end")
    w.start(head)
    now = w.get(f"load {kind}, ptr {counter}")
    w.branch(w.get(f"icmp {order(node)} {kind} {now}, {stop}"), body, end)
    w.start(body)
    set_number(w, node, now)
    inside(w, node.body, (end, following))
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


def _plain_while(w: Writer, node: While) -> None:
    head, body, end = w.name("head"), w.name("body"), w.name("end")
    w.start(head)
    condition(w, node.test, body, end)
    w.start(body)
    inside(w, node.body, (end, head))
    if not w.done:
        w.jump(head)
    w.start(end)


# --- counted by the kernel --------------------------------------------------------------------------------------------


def _iterated(w: Writer, rounds: str, enter: Callable[[str, str, str], None], node: Loop) -> None:
    """A loop over an iterator; ``enter(index, body, end)`` begins a round, or leaves the loop."""
    for name in ("new", "next", "destroy"):
        w.use(f"bpf_iter_num_{name}")
    iterator = w.slot(w.name("iterator"), "[8 x i8]")
    head, got, body, end = w.name("head"), w.name("got"), w.name("body"), w.name("end")
    fog = cloud(w, node)
    w.get(f"call i32 @bpf_iter_num_new(ptr {iterator}, i32 0, i32 {rounds})")
    w.start(head)
    where = w.get(f"call ptr @bpf_iter_num_next(ptr {iterator})")
    w.branch(w.get(f"icmp eq ptr {where}, null"), end, got)
    w.start(got)
    w.iterators.append(lambda: destroy(w, iterator))
    index = w.get(f"load i32, ptr {where}, align 4")
    blur(w, node, fog)
    enter(index, body, end)
    w.start(body)
    _turn(w, node, head, end)
    destroy(w, iterator)


def _turn(w: Writer, node: Loop, head: str, end: str) -> None:
    """The body of a loop over the newest iterator, and back to ``head``; what follows stands at ``end``."""
    inside(w, node.body, (end, head))
    w.iterators.pop()
    w.at(node.span)
    if not w.done:
        w.jump(head)
    w.start(end)


def destroy(w: Writer, iterator: str) -> None:
    """End an iterator."""
    w.do(f"call void @bpf_iter_num_destroy(ptr {iterator})")


def _iterated_for(w: Writer, node: For) -> None:
    start, stop = w.expr(node.start).text, w.expr(node.stop).text
    rounds = count(w, node, start, stop)

    def enter(index: str, body: str, end: str) -> None:
        if rounds.isdigit():  # the verifier does not know that the kernel counts no further
            below = w.name("below")
            w.branch(w.get(f"icmp ult i32 {index}, {rounds}"), below, end)
            w.start(below)
        set_number(w, node, number(w, node, start, index))
        w.jump(body)

    _iterated(w, rounds, enter, node)


def _iterated_while(w: Writer, node: While) -> None:
    def enter(_index: str, body: str, end: str) -> None:
        condition(w, node.test, body, end)

    _iterated(w, str(ROUNDS), enter, node)


def _over_the_kernels(w: Writer, node: While) -> None:
    """What the kernel goes over: the body takes the next one, and leaves where there is none."""
    ends = node.end
    head, end = w.name("head"), w.name("end")
    fog = cloud(w, node)
    w.start(head)
    w.iterators.append(lambda: _ended(w, ends))
    blur(w, node, fog)
    _turn(w, node, head, end)
    _ended(w, ends)


def _ended(w: Writer, call: Expr | None) -> None:
    if call is not None:
        w.expr(call)


def _not_counted(_w: Writer, node: For) -> None:
    raise AssertionError(f"a range is no iterator of the kernel's: {node.span}")


FORMS: dict[Lowering, tuple[Callable[[Writer, For], None], Callable[[Writer, While], None]]] = {
    Lowering.PLAIN: (_plain_for, _plain_while),
    Lowering.ITERATOR: (_iterated_for, _iterated_while),
    Lowering.KERNEL: (_not_counted, _over_the_kernels),
    Lowering.CALLBACK: (called_for, called_while),
}
