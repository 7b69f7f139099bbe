"""Functions that the kernel calls: for each a function of the kernel's shape, which calls the program's."""

from collections.abc import Callable
from typing import NamedTuple

from skep.lang.emit.forget import shroud
from skep.lang.emit.function import Value, Writer
from skep.lang.emit.text import NO_TABLES, llvm_type
from skep.lang.objects import TreeNode
from skep.lang.tree import Callback, Expr, Function, Parameter
from skep.lang.values import VOID, Memory, Pointer

DYNPTR_READ = 201
POINTER = Pointer(None, Memory.PROBE)


class Shape(NamedTuple):
    """What the kernel calls a function with, all pointers, and the lines that call the program's and give a result."""

    parameters: tuple[str, ...]
    body: Callable[[Writer, Callback], list[str]]


def callback(w: Writer, node: Callback) -> Value:
    """A function as an argument: its symbol."""
    shape = SHAPES[node.shape]
    name = f"{node.function.name}_called{len(w.module.functions)}"
    parameters = tuple(Parameter(one, POINTER) for one in shape.parameters)
    file, source = node.function.file, node.function.source
    described = Function(name, file, node.function.line, source, parameters, VOID, ())
    scope = w.module.subprogram(described, local=True)
    place = f", !dbg !{w.module.place(scope, node.span)}"
    given = ", ".join(f"ptr %{one}" for one in shape.parameters)
    head = f"define internal i64 @{name}({given}) noinline nounwind {NO_TABLES} !dbg !{scope} {{"
    lines = [line if line.endswith(":") else f"  {line}{place}" for line in shape.body(w, node)]
    w.module.functions.append("\n".join([head, "entry:", *lines, "}"]))
    return Value(f"@{name}")


def shared(w: Writer, called: Expr, memory: list[str]) -> str:
    """The memory that a function is given besides, which it changes from call to call; there may be none."""
    if not memory or not isinstance(called, Callback):
        return "null"
    shroud(w, called.function, memory[0])
    return memory[0]


def call(w: Writer, node: Callback, *arguments: str) -> str:
    """The call of the program's function."""
    kind = llvm_type(node.function.result)
    given = ", ".join(f"ptr {argument}" for argument in arguments)
    return f"call {kind} @{w.symbols(node.function)}({given})"


def _element(w: Writer, node: Callback) -> list[str]:
    """Of a map's element; its result is not asked for."""
    return [call(w, node, "%key", "%value"), "ret i64 0"]


def _entry(w: Writer, node: Callback) -> list[str]:
    """Of a map's entry; something true ends the walk."""
    given = ("%key", "%value", "%memory")[: len(node.function.parameters)]
    return [f"%gives = {call(w, node, *given)}", *_stops(node), "ret i64 %result"]


def _mapping(w: Writer, node: Callback) -> list[str]:
    """Of a task's memory; its result is not asked for."""
    given = ("%task", "%mapping", "%memory")[: len(node.function.parameters)]
    return [call(w, node, *given), "ret i64 0"]


def _stops(node: Callback) -> list[str]:
    """What the kernel is told: 1 where the program's function gives something true, which ends the walk."""
    kind = llvm_type(node.function.result)
    if node.function.result is VOID:
        return ["%result = zext i1 false to i64"]
    return [f"%stops = icmp ne {kind} %gives, 0", "%result = zext i1 %stops to i64"]


def _message(w: Writer, node: Callback) -> list[str]:
    """Of a message, copied to the stack where it has the size of its class; something true ends the draining."""
    size = node.function.parameters[0].type.target.size
    given = ("%copy", "%memory")[: len(node.function.parameters)]
    read = f"(ptr %copy, i32 {size}, ptr %message, i32 0, i64 0)"
    return [
        f"%copy = alloca [{size} x i8], align 8",
        f"%missing = call i64 inttoptr (i64 {DYNPTR_READ} to ptr){read}",
        "%short = icmp slt i64 %missing, 0",
        "br i1 %short, label %skip, label %take",
        "take:",
        f"%gives = {call(w, node, *given)}",
        *_stops(node),
        "ret i64 %result",
        "skip:",
        "ret i64 0",
    ]


def _less(w: Writer, node: Callback) -> list[str]:
    """Of two objects of a tree, by their nodes."""
    kind = node.function.parameters[0].type.target
    back = -next(field.offset for field in kind.fields if field.type is TreeNode)
    return [
        f"%a = getelementptr inbounds i8, ptr %new, i64 {back}",
        f"%b = getelementptr inbounds i8, ptr %old, i64 {back}",
        f"%gives = {call(w, node, '%a', '%b')}",
        *_stops(node),
        "ret i64 %result",
    ]


SHAPES: dict[str, Shape] = {
    "less": Shape(("new", "old"), _less),
    "element": Shape(("map", "key", "value"), _element),
    "entry": Shape(("map", "key", "value", "memory"), _entry),
    "mapping": Shape(("task", "mapping", "memory"), _mapping),
    "message": Shape(("message", "memory"), _message),
}
