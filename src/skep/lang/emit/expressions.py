"""Expressions of the typed tree as LLVM instructions: one function a node, in one table."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from skep.lang.constant_text import ConstantText
from skep.lang.emit import (
    arithmetic,
    callbacks,
    maps,
    memory,
    objects,
    packets,
    references,
    rings,
    symbols,
)
from skep.lang.emit.function import READ, WRITTEN, Value, Writer, paired
from skep.lang.emit.sizes import known_otherwise
from skep.lang.emit.text import DECLARED, llvm_type
from skep.lang.helpers import Arg
from skep.lang.kernel_symbols import KernelSymbol
from skep.lang.object_calls import ObjectCall
from skep.lang.tree import (
    Address,
    Argument,
    Atomic,
    Binary,
    Build,
    Callback,
    Compare,
    Const,
    ContextValue,
    Convert,
    Expr,
    HelperCall,
    IsNone,
    Item,
    KernelCall,
    Load,
    Local,
    Logic,
    MapAddress,
    MapCall,
    NoneValue,
    Not,
    Once,
    Opaque,
    ReferenceCall,
    Release,
    Reserve,
    Select,
    Slot,
    Spill,
    SubCall,
    Swap,
    ValueAddress,
    View,
)
from skep.lang.types import IntType
from skep.lang.values import BOOL, VOID, Memory, Pointer

PASSED = {Arg.IN: READ, Arg.OUT: WRITTEN, Arg.FUNCTION: "ptr"}


def _const(_w: Writer, node: Const) -> Value:
    if node.type is BOOL:
        return Value("true" if node.value else "false")
    return Value(str(node.value))


def _none(_w: Writer, node: NoneValue) -> Value:
    return Value("null", "false" if paired(node.type) else None)


def _local(w: Writer, node: Local) -> Value:
    kind = w.function.variables[node.name]
    text = llvm_type(kind)
    value = w.get(f"load {text}, ptr {w.variable(node.name, kind)}")
    return Value(value, w.get(f"load i1, ptr {w.flag(node.name)}") if paired(kind) else None)


def _argument(w: Writer, node: Argument) -> Value:
    if w.function.entry:
        return _slot_of_context(w, node)
    given = f"%p{node.index}"
    arena = isinstance(node.type, Pointer) and node.type.memory is Memory.ARENA
    return Value(maps.own(w, given) if arena and w.function.is_global else given)


def _slot_of_context(w: Writer, node: Argument) -> Value:
    w.use("llvm.preserve.static.offset")
    base = w.get("call ptr @llvm.preserve.static.offset(ptr %ctx)")
    where = w.offset(base, 8 * node.index)
    if isinstance(node.type, Pointer):
        return Value(w.get(f"load ptr, ptr {where}, align 8"))
    value = w.get(f"load i64, ptr {where}, align 8")
    kind = llvm_type(node.type)
    return Value(value if kind == "i64" else w.get(f"trunc i64 {value} to {kind}"))


def _context(_w: Writer, _node: ContextValue) -> Value:
    return Value("%ctx")


def _address(w: Writer, node: Address) -> Value:
    return Value(memory.address(w, node.place))


def _is_none(w: Writer, node: IsNone) -> Value:
    """As a number, of which LLVM knows nothing: it would join the test with others, as ``_keep_apart`` says."""
    null = _null(w, node)
    return Value(null if paired(node.operand.type) else w.unknown("i1", null))


def _null(w: Writer, node: IsNone) -> str:
    value = w.expr(node.operand)
    if value.ok is not None:
        return w.get(f"xor i1 {value.ok}, true")
    return w.get(f"icmp eq ptr {value.text}, null")


def _tested(w: Writer, node: Expr) -> str:
    """A condition that is branched on at once."""
    match node:
        case IsNone():
            return _null(w, node)
        case Not(operand=IsNone() as operand):
            return w.get(f"xor i1 {_null(w, operand)}, true")
    return w.expr(node).text


def _once(w: Writer, node: Once) -> Value:
    if id(node) not in w.once:
        w.once[id(node)] = w.expr(node.operand)
    return w.once[id(node)]


def _opaque(w: Writer, node: Opaque) -> Value:
    return Value(w.opaque(llvm_type(node.type), w.expr(node.operand).text))


def _not(w: Writer, node: Not) -> Value:
    return Value(w.get(f"xor i1 {w.expr(node.operand).text}, true"))


def _keep_apart(w: Writer, op: str, tested: Expr, following: Expr) -> None:
    """Between two parts of a condition: an empty instruction, where one of them finds a pointer to be None.

    LLVM would join them, as ``(pointer | number) == 0``, which no verifier can follow.
    """
    if _finds_none(tested, op, last=True) or _finds_none(following, op, last=False):
        w.keep_apart()


def _finds_none(part: Expr, op: str, *, last: bool) -> bool:
    """Whether the last, or the first, that is tested in a part of a condition finds a pointer to be None."""
    if isinstance(part, Logic) and part.op == op:
        return _finds_none(part.operands[-1 if last else 0], op, last=last)
    null = part.operand if op == "or" and isinstance(part, Not) else part
    return isinstance(null, IsNone) and (null is not part) == (op == "or")


def _logic(w: Writer, node: Logic) -> Value:
    """Evaluated from the left as far as needed."""
    end, decided = w.name("end"), "true" if node.op == "or" else "false"
    edges: list[str] = []
    for operand, after in pairwise(node.operands):
        value, following = _tested(w, operand), w.name("next")
        edges.append(f"[ {decided}, %{w.block} ]")
        w.branch(value, *((end, following) if node.op == "or" else (following, end)))
        w.start(following)
        _keep_apart(w, node.op, operand, after)
    last = w.expr(node.operands[-1]).text
    edges.append(f"[ {last}, %{w.block} ]")
    w.jump(end)
    w.start(end)
    return Value(w.get(f"phi i1 {', '.join(edges)}"))


def condition(w: Writer, node: Expr, then: str, other: str) -> None:
    """Branch on a condition, without making a value of it."""
    match node:
        case Not(operand=operand):
            condition(w, operand, other, then)
        case Logic(op=op, operands=operands):
            for operand, after in pairwise(operands):
                following = w.name("next")
                condition(w, operand, *((then, following) if op == "or" else (following, other)))
                w.start(following)
                _keep_apart(w, op, operand, after)
            condition(w, operands[-1], then, other)
        case _:
            before = w.debug
            w.at(node.span)
            w.branch(_tested(w, node), then, other)
            w.restore(before)


def _select(w: Writer, node: Select) -> Value:
    then, other, end = w.name("then"), w.name("else"), w.name("end")
    condition(w, node.test, then, other)
    edges, flags = [], []
    for label, side in ((then, node.then), (other, node.other)):
        w.start(label)
        value = w.expr(side)
        edges.append(f"[ {value.text}, %{w.block} ]")
        flags.append(f"[ {value.ok or 'true'}, %{w.block} ]")
        w.jump(end)
    w.start(end)
    result = w.get(f"phi {llvm_type(node.type)} {', '.join(edges)}")
    return Value(result, w.get(f"phi i1 {', '.join(flags)}") if paired(node.type) else None)


def _helper(w: Writer, node: HelperCall) -> Value:
    pairs = zip(node.helper.args, node.args, strict=True)
    args = ", ".join(
        f"{PASSED.get(kind, llvm_type(value.type))} {w.expr(value).text}" for kind, value in pairs
    )
    if isinstance(node.type, Pointer):
        return Value(w.helper(node.helper.number, args, "ptr"))
    value = w.helper(node.helper.number, args)
    kind = llvm_type(node.type)
    return Value(value if kind == "i64" else w.get(f"trunc i64 {value} to {kind}"))


def _kernel(w: Writer, node: KernelCall) -> Value:
    """A call of a kernel function, which the loader finds by its name."""
    kinds = [f"{llvm_type(a.type)}{extension(a)}" for a in node.args]
    values = [w.flat(w.expr(a)) for a in node.args]
    result = "void" if node.type is VOID else llvm_type(node.type)
    symbol = f'@"{node.symbol}"' if ":" in node.symbol else f"@{node.symbol}"
    if node.symbol in DECLARED:
        w.use(node.symbol)
    else:
        declared = f"declare {result} {symbol}({', '.join(kinds)})"
        w.module.kernel[node.symbol] = f'{declared} section ".ksyms"'
    given = ", ".join(f"{kind} {value}" for kind, value in zip(kinds, values, strict=True))
    if node.type is VOID:
        w.do(f"call void {symbol}({given})")
        return Value("0")
    return Value(w.get(f"call {result} {symbol}({given})"))


def _call(w: Writer, node: SubCall) -> Value:
    args = ["ptr %ctx"] if node.function.context else []
    sizes = w.plan.sizes(node.function)
    for parameter, argument in zip(node.function.parameters, node.args, strict=True):
        value = w.expr(argument)
        text = w.flat(value) if node.function.is_global else value.text
        if parameter.name in sizes and known_otherwise(argument):
            text = w.unknown(llvm_type(argument.type), text)
        args.append(f"{llvm_type(argument.type)}{extension(argument)} {text}")
    if node.out:
        args.append(f"ptr {w.stack(node.out, node.type.size)}")
    kind = llvm_type(node.function.result)
    given = w.get(f"call {kind} @{w.symbols(node.function)}({', '.join(args)})")
    if not paired(node.function.result):
        return Value(given)
    return Value(given, w.get(f"icmp ne ptr {given}, null"))


def _item(w: Writer, node: Item) -> Value:
    where = w.offset(w.stack(node.slot, node.size), 8 * node.index)
    value = w.get(f"load {llvm_type(node.type)}, ptr {where}, align 8")
    return Value(value, w.get(f"icmp ne ptr {value}, null") if paired(node.type) else None)


def extension(node: Expr) -> str:
    """How a narrow argument fills its register."""
    if not isinstance(node.type, IntType) or node.type.bits == 64:
        return " zeroext" if node.type is BOOL else ""
    return " signext" if node.type.signed else " zeroext"


def _atomic(w: Writer, node: Atomic) -> Value:
    return Value(atomic(w, node, "seq_cst"))


def atomic(w: Writer, node: Atomic, order: str) -> str:
    """An atomic operation; ``order`` monotonic where the old value is not wanted."""
    where, kind = memory.address(w, node.place), llvm_type(node.place.type)
    expected = w.expr(node.expected).text if node.expected is not None else ""
    value = w.expr(node.operand).text
    if not expected:
        return w.get(f"atomicrmw {node.op} ptr {where}, {kind} {value} {order}")
    pair = w.get(f"cmpxchg ptr {where}, {kind} {expected}, {kind} {value} seq_cst seq_cst")
    return w.get(f"extractvalue {{ {kind}, i1 }} {pair}, 0")


def _slot(w: Writer, node: Slot) -> Value:
    return Value(w.stack(node.slot, node.type.target.size))


RULES: dict[type[Expr], Callable[[Writer, Any], Value]] = {
    Const: _const,
    NoneValue: _none,
    Local: _local,
    Argument: _argument,
    ContextValue: _context,
    Load: memory.load,
    Address: _address,
    Binary: arithmetic.binary,
    Compare: arithmetic.compare,
    Convert: arithmetic.convert,
    Swap: arithmetic.swap,
    IsNone: _is_none,
    Not: _not,
    Once: _once,
    Opaque: _opaque,
    Logic: _logic,
    Select: _select,
    HelperCall: _helper,
    KernelCall: _kernel,
    SubCall: _call,
    Item: _item,
    Atomic: _atomic,
    Build: memory.build,
    Slot: _slot,
    Spill: memory.spill,
    MapAddress: maps.map_address,
    ValueAddress: maps.value_address,
    MapCall: maps.map_call,
    Callback: callbacks.callback,
    ReferenceCall: references.change,
    ObjectCall: objects.called,
    Reserve: rings.reserve,
    Release: rings.release,
    View: packets.view,
    KernelSymbol: symbols.named,
    ConstantText: symbols.text,
}
