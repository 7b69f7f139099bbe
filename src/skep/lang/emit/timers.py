"""Timers in values of maps."""

from collections.abc import Callable

from skep.lang.emit.function import Value, Writer
from skep.lang.emit.operands import operands, result
from skep.lang.tree import MapCall

INIT, SET_CALLBACK, START, CANCEL = 169, 170, 171, 172
MONOTONIC = 1


def start(w: Writer, node: MapCall) -> Value:
    """The timer runs a function later, once; a timer that is there already is not made again."""
    timer, nanoseconds, *function = operands(w, node)
    if function:
        w.helper(INIT, f"ptr {timer}, ptr {w.map(node.map)}, i64 {MONOTONIC}")
        w.helper(SET_CALLBACK, f"ptr {timer}, ptr {function[0]}")
    return Value(result(w, w.helper(START, f"ptr {timer}, i64 {nanoseconds}, i64 0")))


def cancel(w: Writer, node: MapCall) -> Value:
    """The timer rests."""
    (timer,) = operands(w, node)
    return Value(result(w, w.helper(CANCEL, f"ptr {timer}")))


CALLS: dict[str, Callable[[Writer, MapCall], Value]] = {
    "timer_start": start,
    "timer_cancel": cancel,
}
