"""Perf buffers, and rings that a process fills."""

from collections.abc import Callable

from skep.lang.emit.callbacks import shared
from skep.lang.emit.function import READ, Value, Writer
from skep.lang.tree import MapCall

PERF_OUTPUT, DRAIN = 25, 209
CURRENT_CPU = 0xFFFFFFFF


def perf_output(w: Writer, node: MapCall) -> Value:
    """Memory goes to the buffer of this CPU."""
    context, data, size = (w.expr(argument).text for argument in node.args)
    args = f"ptr {context}, ptr {w.map(node.map)}, i64 {CURRENT_CPU}, {READ} {data}, i64 {size}"
    return Value(w.helper(PERF_OUTPUT, args))


def drain(w: Writer, node: MapCall) -> Value:
    """A function takes the messages of a ring."""
    function, *given = (w.expr(argument).text for argument in node.args)
    memory = shared(w, node.args[0], given)
    return Value(w.helper(DRAIN, f"ptr {w.map(node.map)}, ptr {function}, ptr {memory}, i64 0"))


CALLS: dict[str, Callable[[Writer, MapCall], Value]] = {"perf_output": perf_output, "drain": drain}
