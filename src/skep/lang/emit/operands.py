"""What methods of maps hand to helpers: the map, keys and values in memory, and what comes back."""

from skep.lang.emit.function import Value, Writer
from skep.lang.emit.memory import WORD, put
from skep.lang.emit.text import llvm_type
from skep.lang.tree import Convert, Expr, Local, MapCall, Spill

ALIGNED = f"align {WORD} ptr"
"""The type of a pointer to what the kernel aligns."""


def table(w: Writer, node: MapCall) -> str:
    """The map as an argument: a captured one, or what was found in another one."""
    return w.map(node.map) if node.via is None else w.expr(node.via).text


def operands(w: Writer, node: MapCall) -> list[str]:
    """The arguments; all are worked out before any goes to its shared stack slot, which a call in another may use."""
    values = [_computed(w, argument) for argument in node.args]
    return [_operand(w, argument, value) for argument, value in zip(node.args, values, strict=True)]


def _computed(w: Writer, node: Expr) -> Value | None:
    """An argument, or what is to go to its stack slot; None where there is nothing to be worked out."""
    if not isinstance(node, Spill):
        return w.expr(node)
    if not isinstance(node.value, Expr):
        return None
    return w.expr(node.value) if _variable(node) is None else None


def _operand(w: Writer, node: Expr, value: Value | None) -> str:
    """An argument in its place; a variable's value, which a helper only reads, is where the variable is."""
    if value is not None:
        return put(w, node, value).text if isinstance(node, Spill) else value.text
    name = _variable(node)
    return w.expr(node).text if name is None else w.variable(name, w.function.variables[name])


def _variable(node: Expr) -> str | None:
    """The variable whose value, as it is, goes to memory."""
    if not isinstance(node, Spill):
        return None
    value = node.value
    while isinstance(value, Convert) and llvm_type(value.type) == llvm_type(value.operand.type):
        value = value.operand
    return value.name if isinstance(value, Local) else None


def result(w: Writer, register: str) -> str:
    """What a helper gives: before 6.4 the upper half of the register is as it was."""
    return w.get(f"trunc i64 {register} to i32")
