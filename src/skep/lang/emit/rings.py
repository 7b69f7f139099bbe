"""Rings: records are reserved, numbered and counted, then handed over or given back."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from skep.lang.emit.function import READ, Value, Writer
from skep.lang.emit.memory import WORD, fill
from skep.lang.emit.operands import ALIGNED
from skep.lang.emit.text import llvm_type
from skep.lang.maps import Ring, RingState
from skep.lang.tree import MapCall, Release, Reserve

OUTPUT, RESERVE, SUBMIT, DISCARD = 130, 131, 132, 133
LONG_RESERVE, LONG_SUBMIT, LONG_DISCARD, WRITE, DATA = 198, 199, 200, 202, 203
LONGEST = (1 << 24) - 1
"""What a dynptr reaches, in bytes."""
BOOT_NS, CPU = 125, 8
NO_WAKEUP, FORCE_WAKEUP = 1, 2
OFFSETS = {field.name: field.offset for field in RingState.fields}


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


def output(w: Writer, node: MapCall) -> Value:
    """Memory goes into a ring, unstamped."""
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


def reserve(w: Writer, node: Reserve) -> Value:
    """A record of the ring: numbered, counted where it is refused, its header stamped, unset fields zero."""
    tail = "" if node.tail is None else _limited(w, w.expr(node.tail).text)
    number = _count(w, node.ring, "seq")
    room = w.expr(node.room).text if node.room else ""
    record = _longer(w, node, room, tail) if node.room else _one(w, node)
    full, got, end = w.name("full"), w.name("got"), w.name("end")
    w.branch(w.get(f"icmp eq ptr {record}, null"), full, got)
    w.start(full)
    if room:  # the verifier wants it back though it has nothing
        w.do(f"call void inttoptr (i64 {LONG_DISCARD} to ptr)(ptr {room}, i64 {NO_WAKEUP})")
    _count(w, node.ring, "lost")
    w.jump(end)
    w.start(got)
    for offset, size in _words(w.unset(node)):
        fill(w, w.offset(record, offset), min(size, node.record.size - offset))
    _stamp(w, node, record, number)
    w.jump(end)
    w.start(end)
    return Value(record)


def _one(w: Writer, node: Reserve) -> str:
    """A record of the one size that a ring has."""
    return w.helper(RESERVE, f"ptr {w.map(node.ring)}, i64 {node.record.size}, i64 0", ALIGNED)


def _longer(w: Writer, node: Reserve, room: str, tail: str) -> str:
    """A record with a tail: a dynptr over both, of which the first bytes are used in place."""
    size = node.record.size
    total = w.get(f"add i64 {tail}, {size}")
    w.helper(LONG_RESERVE, f"ptr {w.map(node.ring)}, i64 {total}, i64 0, ptr {room}")
    return w.helper(DATA, f"ptr {room}, i64 0, i64 {size}", ALIGNED)


def _limited(w: Writer, number: str) -> str:
    """A number of bytes, at most what a dynptr reaches: the kernel takes 32 bits of it."""
    more = w.get(f"icmp ugt i64 {number}, {LONGEST}")
    return w.get(f"select i1 {more}, i64 {LONGEST}, i64 {number}")


def write(w: Writer, node: MapCall) -> Value:
    """Memory goes into the tail of a record."""
    ring: Any = node.map
    _, room, offset, data, size = (w.expr(argument).text for argument in node.args)
    where = w.get(f"add i64 {_limited(w, offset)}, {ring.records[0].size}")
    args = f"ptr {room}, i64 {where}, {READ} {data}, i64 {size}, i64 0"
    return Value(w.helper(WRITE, args))


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
    record = w.expr(node.room or node.pointer).text
    discard, submit = (LONG_DISCARD, LONG_SUBMIT) if node.room else (DISCARD, SUBMIT)
    if node.action == "discard":
        w.do(f"call void inttoptr (i64 {discard} to ptr)(ptr {record}, i64 {NO_WAKEUP})")
    else:
        flags = _flags(w, node.ring)
        w.do(f"call void inttoptr (i64 {submit} to ptr)(ptr {record}, i64 {flags})")
    return Value("0")
