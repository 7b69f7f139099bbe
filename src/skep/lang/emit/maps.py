"""Maps: the calls of helpers that their methods become."""

from collections.abc import Callable

from skep.lang.emit import redirects, rings, storages, streams, timers
from skep.lang.emit.callbacks import shared
from skep.lang.emit.function import READ, WRITTEN, Value, Writer
from skep.lang.emit.memory import fill
from skep.lang.emit.operands import ALIGNED, operands, result, table
from skep.lang.emit.text import llvm_type
from skep.lang.spec import MapType
from skep.lang.tree import MapAddress, MapCall, ValueAddress

LOOKUP, UPDATE, DELETE, LOOKUP_ON = 1, 2, 3, 195
TAIL_CALL, UNDER_CGROUP, FOR_EACH = 12, 37, 164
PUSH, POP, PEEK = 87, 88, 89
NO_EXIST, ABSENT = 1, -2
UNALIGNED = (MapType.LPM_TRIE, MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS)
ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)


def map_address(w: Writer, node: MapAddress) -> Value:
    """A map as an argument."""
    return Value(w.map(node.map))


def value_address(w: Writer, node: ValueAddress) -> Value:
    """The address of a Global's value; that of an arena is one of Python's, which the kernel makes its own."""
    if node.map.type is not MapType.ARENA:
        return Value(w.map(node.map))
    return Value(own(w, w.map(node.map)))


def own(w: Writer, address: str) -> str:
    """An address in an arena as the kernel's own; to the verifier, what is given to a global function is a number."""
    known = w.get(f"ptrtoint ptr {address} to i64")
    there = w.get(f'call i64 asm "", "=r,0"(i64 {known})')
    foreign = w.get(f"inttoptr i64 {there} to ptr addrspace(1)")
    return w.get(f"addrspacecast ptr addrspace(1) {foreign} to ptr")


def map_call(w: Writer, node: MapCall) -> Value:
    """A method of a map."""
    return CALLS[node.method](w, node)


def _lookup(w: Writer, node: MapCall) -> Value:
    (key,) = operands(w, node)
    return Value(w.helper(LOOKUP, f"ptr {table(w, node)}, {READ} {key}", _entry(node)))


def _lookup_on(w: Writer, node: MapCall) -> Value:
    key, cpu = operands(w, node)
    return Value(w.helper(LOOKUP_ON, f"ptr {table(w, node)}, {READ} {key}, i32 {cpu}", ALIGNED))


def _entry(node: MapCall) -> str:
    """The type of a pointer to a value: all maps but LPM tries, where it stands behind the key, align it."""
    return "ptr" if node.map.type in UNALIGNED else ALIGNED


def _update(w: Writer, node: MapCall) -> Value:
    key, value, flags = operands(w, node)
    args = f"ptr {table(w, node)}, {READ} {key}, {READ} {value}, i64 {flags}"
    return Value(result(w, w.helper(UPDATE, args)))


def _delete(w: Writer, node: MapCall) -> Value:
    (key,) = operands(w, node)
    failed = w.helper(DELETE, f"ptr {table(w, node)}, {READ} {key}")
    return Value(result(w, failed))


def _add(w: Writer, node: MapCall, entry: str, amount: str) -> None:
    kind = llvm_type(node.map.value)
    if node.map.type.per_cpu:
        old = w.get(f"load {kind}, ptr {entry}, align {node.map.value.size}")
        new = w.get(f"add {kind} {old}, {amount}")
        w.do(f"store {kind} {new}, ptr {entry}, align {node.map.value.size}")
    else:
        w.do(f"atomicrmw add ptr {entry}, {kind} {amount} monotonic")


def _increment(w: Writer, node: MapCall) -> Value:
    """Add to an entry; where there is none, make one, unless another CPU was faster, whose entry then counts.

    The result is 0, or why nothing was counted; unused, it costs nothing.
    """
    key, amount = operands(w, node)
    where, end = table(w, node), w.name("end")
    found, missing = w.name("found"), w.name("missing")
    ways = [("0", found)]
    entry = w.helper(LOOKUP, f"ptr {where}, {READ} {key}", _entry(node))
    w.branch(w.get(f"icmp eq ptr {entry}, null"), missing, found)
    w.start(missing)
    if node.map.type in ARRAYS:
        ways.append((str(ABSENT), missing))
    else:
        first = w.stack(f"one.{node.map.value!r}", node.map.value.size)
        w.do(
            f"store {llvm_type(node.map.value)} {amount}, ptr {first}, align {node.map.value.size}"
        )
        failed = w.helper(UPDATE, f"ptr {where}, {READ} {key}, {READ} {first}, i64 {NO_EXIST}")
        again, raced = w.name("again"), w.name("raced")
        number = result(w, failed)
        w.branch(w.get(f"icmp eq i32 {number}, 0"), end, again)
        w.start(again)
        other = w.helper(LOOKUP, f"ptr {where}, {READ} {key}", _entry(node))
        w.branch(w.get(f"icmp eq ptr {other}, null"), end, raced)
        w.start(raced)
        _add(w, node, other, amount)
        ways += [("0", missing), (number, again), ("0", raced)]
    w.jump(end)
    w.start(found)
    _add(w, node, entry, amount)
    w.jump(end)
    w.start(end)
    return Value(w.get(f"phi i32 {', '.join(f'[ {value}, %{way} ]' for value, way in ways)}"))


def _setdefault(w: Writer, node: MapCall) -> Value:
    """The value of a key; where there is none, one is made, unless another CPU was faster, whose value it then is."""
    key, *given = operands(w, node)
    where, end, missing = table(w, node), w.name("end"), w.name("missing")
    entry, before = w.helper(LOOKUP, f"ptr {where}, {READ} {key}", _entry(node)), w.block
    if node.map.type in ARRAYS:
        return Value(entry)
    w.branch(w.get(f"icmp eq ptr {entry}, null"), missing, end)
    w.start(missing)
    size = node.map.value.size
    first = given[0] if given else w.stack(f"zero.{node.map.value!r}", size)
    if not given:
        fill(w, first, size)
    w.helper(UPDATE, f"ptr {where}, {READ} {key}, {READ} {first}, i64 {NO_EXIST}")
    made, after = w.helper(LOOKUP, f"ptr {where}, {READ} {key}", _entry(node)), w.block
    w.jump(end)
    w.start(end)
    return Value(w.get(f"phi ptr [ {entry}, %{before} ], [ {made}, %{after} ]"))


def _for_each(w: Writer, node: MapCall) -> Value:
    """How many entries a function was called for, or a negative error number."""
    function, *given = operands(w, node)
    memory = shared(w, node.args[0], given)
    args = f"ptr {table(w, node)}, ptr {function}, ptr {memory}, i64 0"
    return Value(result(w, w.helper(FOR_EACH, args)))


def _push(w: Writer, node: MapCall) -> Value:
    value, flags = operands(w, node)
    return Value(result(w, w.helper(PUSH, f"ptr {table(w, node)}, {READ} {value}, i64 {flags}")))


def _next(number: int) -> Callable[[Writer, MapCall], Value]:
    def run(w: Writer, node: MapCall) -> Value:
        (slot,) = operands(w, node)
        register = w.helper(number, f"ptr {table(w, node)}, {WRITTEN} {slot}")
        return Value(slot, w.get(f"icmp eq i32 {result(w, register)}, 0"))

    return run


def _contains(w: Writer, node: MapCall) -> Value:
    (value,) = operands(w, node)
    register = w.helper(PEEK, f"ptr {table(w, node)}, {READ} {value}")
    return Value(w.get(f"icmp eq i32 {result(w, register)}, 0"))


def _tail_call(w: Writer, node: MapCall) -> Value:
    context, index = operands(w, node)
    w.helper(TAIL_CALL, f"ptr {context}, ptr {table(w, node)}, i64 {index}")
    return Value("0")


def _holds(w: Writer, node: MapCall) -> Value:
    (index,) = operands(w, node)
    return Value(result(w, w.helper(UNDER_CGROUP, f"ptr {table(w, node)}, i64 {index}")))


CALLS: dict[str, Callable[[Writer, MapCall], Value]] = {
    "lookup": _lookup,
    "lookup_on": _lookup_on,
    "update": _update,
    "delete": _delete,
    "increment": _increment,
    "setdefault": _setdefault,
    "for_each": _for_each,
    "output": rings.output,
    "write": rings.write,
    "push": _push,
    "pop": _next(POP),
    "peek": _next(PEEK),
    "contains": _contains,
    "tail_call": _tail_call,
    "holds_current": _holds,
    **storages.CALLS,
    **redirects.CALLS,
    **streams.CALLS,
    **timers.CALLS,
}
