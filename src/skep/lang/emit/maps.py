"""Maps, rings and packets: the calls of helpers that their methods become."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from skep.lang.emit.arithmetic import upper_bound
from skep.lang.emit.function import READ, Value, Writer
from skep.lang.emit.memory import WORD, fill, put
from skep.lang.emit.text import llvm_type
from skep.lang.maps import Ring, RingState
from skep.lang.spec import MapType
from skep.lang.tree import (
    Convert,
    Expr,
    Local,
    MapAddress,
    MapCall,
    Release,
    Reserve,
    Spill,
    ValueAddress,
    View,
)

LOOKUP, UPDATE, DELETE = 1, 2, 3
OUTPUT, RESERVE, SUBMIT, DISCARD = 130, 131, 132, 133
BOOT_NS, CPU = 125, 8
NO_EXIST = 1
NO_WAKEUP, FORCE_WAKEUP = 1, 2
OFFSETS = {field.name: field.offset for field in RingState.fields}
PACKET_LIMIT = 0xFFFF
ALIGNED = f"align {WORD} ptr"
ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)


def map_address(w: Writer, node: MapAddress) -> Value:
    """A map as an argument."""
    return Value(w.map(node.map))


def value_address(w: Writer, node: ValueAddress) -> Value:
    """The address of a Global's value."""
    return Value(w.map(node.map))


def map_call(w: Writer, node: MapCall) -> Value:
    """A method of a map."""
    return CALLS[node.method](w, node)


def _operands(w: Writer, node: MapCall) -> list[str]:
    """The arguments; all are worked out before any goes to its shared stack slot, which a call in another may use."""
    values = [_computed(w, argument) for argument in node.args]
    return [
        _operand(w, argument)
        if value is None or not isinstance(argument, Spill)
        else put(w, argument, value).text
        for argument, value in zip(node.args, values, strict=True)
    ]


def _computed(w: Writer, node: Expr) -> Value | None:
    """The value that is to go to a stack slot; None where there is nothing to be worked out."""
    if not isinstance(node, Spill) or not isinstance(node.value, Expr):
        return None
    return w.expr(node.value) if _variable(node) is None else None


def _operand(w: Writer, node: Expr) -> str:
    """An argument; a variable's value, which a helper only reads, is where the variable is."""
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


def _lookup(w: Writer, node: MapCall) -> Value:
    (key,) = _operands(w, node)
    return Value(w.helper(LOOKUP, f"ptr {w.map(node.map)}, {READ} {key}", _entry(node)))


def _entry(node: MapCall) -> str:
    """The type of a pointer to a value: all maps but LPM tries, where it stands behind the key, align it."""
    return "ptr" if node.map.type is MapType.LPM_TRIE else ALIGNED


def _update(w: Writer, node: MapCall) -> Value:
    key, value, flags = _operands(w, node)
    args = f"ptr {w.map(node.map)}, {READ} {key}, {READ} {value}, i64 {flags}"
    return Value(w.get(f"trunc i64 {w.helper(UPDATE, args)} to i32"))


def _delete(w: Writer, node: MapCall) -> Value:
    (key,) = _operands(w, node)
    failed = w.helper(DELETE, f"ptr {w.map(node.map)}, {READ} {key}")
    return Value(w.get(f"trunc i64 {failed} to i32"))


def _add(w: Writer, node: MapCall, entry: str, amount: str) -> None:
    kind = llvm_type(node.map.value)
    if node.map.type.per_cpu:
        old = w.get(f"load {kind}, ptr {entry}, align {node.map.value.size}")
        new = w.get(f"add {kind} {old}, {amount}")
        w.do(f"store {kind} {new}, ptr {entry}, align {node.map.value.size}")
    else:
        w.do(f"atomicrmw add ptr {entry}, {kind} {amount} monotonic")


def _increment(w: Writer, node: MapCall) -> Value:
    """Add to an entry; where there is none, make one, unless another CPU was faster, whose entry then counts."""
    key, amount = _operands(w, node)
    table, end = w.map(node.map), w.name("end")
    found, missing = w.name("found"), w.name("missing")
    entry = w.helper(LOOKUP, f"ptr {table}, {READ} {key}", _entry(node))
    w.branch(w.get(f"icmp eq ptr {entry}, null"), missing, found)
    w.start(missing)
    if node.map.type not in ARRAYS:
        first = w.stack(f"one.{node.map.value!r}", node.map.value.size)
        w.do(
            f"store {llvm_type(node.map.value)} {amount}, ptr {first}, align {node.map.value.size}"
        )
        failed = w.helper(UPDATE, f"ptr {table}, {READ} {key}, {READ} {first}, i64 {NO_EXIST}")
        again, raced = w.name("again"), w.name("raced")
        number = w.get(f"trunc i64 {failed} to i32")
        w.branch(w.get(f"icmp eq i32 {number}, 0"), end, again)
        w.start(again)
        other = w.helper(LOOKUP, f"ptr {table}, {READ} {key}", _entry(node))
        w.branch(w.get(f"icmp eq ptr {other}, null"), end, raced)
        w.start(raced)
        _add(w, node, other, amount)
    w.jump(end)
    w.start(found)
    _add(w, node, entry, amount)
    w.jump(end)
    w.start(end)
    return Value("0")


def _count(w: Writer, ring: Ring, name: str) -> str:
    where = w.offset(w.map(ring.state), OFFSETS[name])
    return w.get(f"atomicrmw add ptr {where}, i64 1 {'seq_cst' if name == 'seq' else 'monotonic'}")


def _flags(w: Writer, ring: Ring) -> str:
    """Flags of a submission: wake the reader where it asked for it, once."""
    if ring.wakeup == "none":
        return str(NO_WAKEUP)
    bell = w.offset(w.map(ring.state), OFFSETS["doorbell"])
    asleep = w.get(f"load i32, ptr {bell}, align 4")
    ringing, before, end = w.name("ring"), w.block, w.name("submit")
    w.branch(w.get(f"icmp eq i32 {asleep}, 0"), end, ringing)
    w.start(ringing)
    w.do(f"store i32 0, ptr {bell}, align 4")
    w.jump(end)
    w.start(end)
    return w.get(f"phi i64 [ {NO_WAKEUP}, %{before} ], [ {FORCE_WAKEUP}, %{ringing} ]")


def _output(w: Writer, node: MapCall) -> Value:
    ring: Any = node.map  # methods of rings are called on rings only
    data, size = w.expr(node.args[0]).text, w.expr(node.args[1]).text
    _count(w, ring, "seq")
    flags = _flags(w, ring)
    result = w.helper(OUTPUT, f"ptr {w.map(ring)}, {READ} {data}, i64 {size}, i64 {flags}")
    lost, end = w.name("lost"), w.name("end")
    w.branch(w.get(f"icmp slt i64 {result}, 0"), lost, end)
    w.start(lost)
    _count(w, ring, "lost")
    w.jump(end)
    w.start(end)
    return Value(result)


CALLS: dict[str, Callable[[Writer, MapCall], Value]] = {
    "lookup": _lookup,
    "update": _update,
    "delete": _delete,
    "increment": _increment,
    "output": _output,
}


def reserve(w: Writer, node: Reserve) -> Value:
    """A record of the ring: numbered, counted where it is refused, its header stamped, unset fields zero."""
    number = _count(w, node.ring, "seq")
    record = w.helper(RESERVE, f"ptr {w.map(node.ring)}, i64 {node.record.size}, i64 0", ALIGNED)
    full, got, end = w.name("full"), w.name("got"), w.name("end")
    w.branch(w.get(f"icmp eq ptr {record}, null"), full, got)
    w.start(full)
    _count(w, node.ring, "lost")
    w.jump(end)
    w.start(got)
    for offset, size in _words(w.unset(node)):
        fill(w, w.offset(record, offset), min(size, node.record.size - offset))
    _stamp(w, node, record, number)
    w.jump(end)
    w.start(end)
    return Value(record)


def _words(intervals: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Intervals widened to whole words, each word once: what else is in one is set later, and stores become few."""
    end = 0
    for offset, size in intervals:
        start = max(offset // WORD * WORD, end)
        end = max(-(-(offset + size) // WORD) * WORD, end)
        if start < end:
            yield start, end - start


def _stamp(w: Writer, node: Reserve, record: str, number: str) -> None:
    for name, stamp in getattr(node.record, "stamps", {}).items():
        field = node.record.field(name)
        if field is None:
            continue
        kind = llvm_type(field.type)
        value = STAMPS[stamp](w, number) if isinstance(stamp, str) else str(stamp)
        wide = "i64" if isinstance(stamp, str) else kind
        if wide != kind:
            value = w.get(f"trunc {wide} {value} to {kind}")
        w.do(f"store {kind} {value}, ptr {w.offset(record, field.offset)}, align {field.type.size}")


STAMPS: dict[str, Callable[[Writer, str], str]] = {
    "boot_ns": lambda w, _: w.helper(BOOT_NS, ""),
    "sequence": lambda _w, number: number,
    "cpu": lambda w, _: w.helper(CPU, ""),
}


def release(w: Writer, node: Release) -> Value:
    """``submit`` or ``discard``."""
    record = w.expr(node.pointer).text
    if node.action == "discard":
        w.do(f"call void inttoptr (i64 {DISCARD} to ptr)(ptr {record}, i64 {NO_WAKEUP})")
    else:
        flags = _flags(w, node.ring)
        w.do(f"call void inttoptr (i64 {SUBMIT} to ptr)(ptr {record}, i64 {flags})")
    return Value("0")


def _bound(w: Writer, context: str, offset: int) -> str:
    w.use("llvm.preserve.static.offset")
    base = w.get(f"call ptr @llvm.preserve.static.offset(ptr {context})")
    value = w.get(f"load i32, ptr {w.offset(base, offset)}, align 4")
    return w.get(f"inttoptr i64 {w.get(f'zext i32 {value} to i64')} to ptr")


def view(w: Writer, node: View) -> Value:
    """A view of a packet and whether the packet is long enough for it."""
    context = w.expr(node.context).text
    offset = w.expr(node.offset).text
    have = llvm_type(node.offset.type)
    if have != "i64":
        offset = w.get(f"zext {have} {offset} to i64") if not offset.isdigit() else offset
    size = node.type.target.size
    if upper_bound(node.offset) <= PACKET_LIMIT:
        return _checked(w, node, context, offset, size)
    inside, end, before = w.name("inside"), w.name("end"), w.block
    w.branch(w.get(f"icmp ugt i64 {offset}, {PACKET_LIMIT}"), end, inside)
    w.start(inside)
    bounded = w.get(f'call i64 asm sideeffect "", "=r,0"(i64 {offset})')
    limited = w.get(f"icmp ule i64 {bounded}, {PACKET_LIMIT}")
    near, far = w.name("near"), end
    second = w.block
    w.branch(limited, near, far)
    w.start(near)
    value = _checked(w, node, context, bounded, size)
    third = w.block
    w.jump(end)
    w.start(end)
    pointer = w.get(f"phi ptr [ null, %{before} ], [ null, %{second} ], [ {value.text}, %{third} ]")
    ok = w.get(f"phi i1 [ false, %{before} ], [ false, %{second} ], [ {value.ok}, %{third} ]")
    return Value(pointer, ok)


def _checked(w: Writer, node: View, context: str, offset: str, size: int) -> Value:
    start = _bound(w, context, node.start_field)
    limit = _bound(w, context, node.end_field)
    pointer = w.offset(start, offset if not offset.isdigit() else int(offset))
    beyond = w.offset(pointer, size)
    return Value(pointer, w.get(f"icmp ule ptr {beyond}, {limit}"))
