"""Memory: addresses, loads, stores and copies, each as the memory allows it."""

from math import gcd

from skep.lang.emit.function import WRITTEN, Value, Writer
from skep.lang.emit.text import llvm_type
from skep.lang.layout import Bitfield
from skep.lang.tree import (
    Build,
    Copy,
    Load,
    Local,
    Place,
    Spill,
    Store,
    ValueAddress,
    Write,
    Zero,
)
from skep.lang.types import ArrayType
from skep.lang.values import ALLOCATED, OWN, Memory, Pointer

READERS = {Memory.PROBE: 113, Memory.USER: 112}
STEADY = frozenset({Memory.PACKET, Memory.KERNEL}) | ALLOCATED
"""Memory that is read at constant offsets only: LLVM would make one load of ``a.x if flag & 1 else a.y``."""
WORD = 8
STORES = 128
"""The most stores, or loads, that LLVM writes in place of a memset or memcpy: BPF has neither function."""


def memory_of(place: Place) -> Memory:
    """The memory in which a place lies."""
    kind = place.base.type
    return kind.memory if isinstance(kind, Pointer) else Memory.PROBE


def address(w: Writer, place: Place) -> str:
    """The address of a place."""
    base = w.expr(place.base).text
    memory = memory_of(place)
    if memory is Memory.CONTEXT or (memory in STEADY and place.index is None):
        w.use("llvm.preserve.static.offset")
        base = w.get(f"call ptr @llvm.preserve.static.offset(ptr {base})")
    pointer = w.offset(base, place.offset)
    if place.index is None:
        return pointer
    index = w.expr(place.index).text
    if memory is Memory.STACK:  # LLVM joins a small index to an aligned address by or
        index = w.opaque("i64", index)
    scaled = index if place.stride == 1 else w.get(f"mul i64 {index}, {place.stride}")
    return w.offset(pointer, scaled)


def load(w: Writer, node: Load) -> Value:
    """The number or pointer at a place."""
    place = node.place
    memory = memory_of(place)
    where = address(w, place)
    size = place.bits.size if place.bits else place.type.size
    if memory in READERS:
        copy = w.stack(f"probe{size}", size)
        w.helper(READERS[memory], f"{WRITTEN} {copy}, i64 {size}, ptr {where}")
        where = copy
    if place.bits:
        return Value(_bits(w, node, place.bits, where))
    claim = size if memory in READERS else _natural(place, size)
    loaded = w.get(f"load {llvm_type(node.type)}, ptr {where}, align {claim}")
    w.accessed(memory)
    return Value(loaded)


def _natural(place: Place, size: int) -> int:
    """What a number is aligned to: its size, but in packed Structs that lie in memory of the program's.

    Those of packets and of the kernel are read as they are: there the verifier asks for it only where the machine does.
    """
    steps = place.offset | (place.stride if place.index is not None else 0)
    if steps % size == 0 or place.bits or memory_of(place) not in OWN:
        return size
    return min(size, _claim(place))


def _bits(w: Writer, node: Load, bits: Bitfield, where: str) -> str:
    unit = f"i{bits.size * 8}"
    value = w.get(f"load {unit}, ptr {where}, align {bits.size}")
    left = bits.size * 8 - bits.shift - bits.width
    if node.type.signed:
        value = w.get(f"shl {unit} {value}, {left}")
        value = w.get(f"ashr {unit} {value}, {left + bits.shift}")
    else:
        value = w.get(f"lshr {unit} {value}, {bits.shift}")
        value = w.get(f"and {unit} {value}, {(1 << bits.width) - 1}")
    wide, have = node.type.bits, bits.size * 8
    if wide == have:
        return value
    return w.get(f"{'trunc' if wide < have else 'zext'} {unit} {value} to i{wide}")


def store(w: Writer, node: Store) -> None:
    """A number goes to a place."""
    value = w.expr(node.value).text
    kind, where = llvm_type(node.value.type), address(w, node.place)
    if node.place.bits:
        value = _merged(w, node, node.place.bits, where, value)
    claim = _natural(node.place, int(node.place.type.size))
    w.do(f"store {kind} {value}, ptr {where}, align {claim}")
    w.accessed(memory_of(node.place))


def _merged(w: Writer, node: Store, bits: Bitfield, where: str, value: str) -> str:
    """The unit of a bit field with another number in it."""
    unit, low = llvm_type(node.value.type), (1 << bits.width) - 1
    old = w.get(f"load {unit}, ptr {where}, align {bits.size}")
    rest = w.get(f"and {unit} {old}, {~(low << bits.shift)}")
    new = w.get(f"and {unit} {value}, {low}")
    new = w.get(f"shl {unit} {new}, {bits.shift}")
    return w.get(f"or {unit} {rest}, {new}")


def _claim(place: Place) -> int:
    if memory_of(place) is Memory.CONTEXT and isinstance(place.type, ArrayType):
        return int(place.type.element.size)  # a context is read and written element by element
    base = place.base.type.align if isinstance(place.base.type, Pointer) else WORD
    return gcd(base, place.offset, place.stride if place.index is not None else WORD, WORD)


def copy(w: Writer, node: Copy) -> None:
    """Bytes go from one place to another, which is worked out after the first.

    Memory that the verifier does not know is read by a helper.
    """
    if _overlap(node):
        between = w.stack(f"between.{node.size}", node.size)
        move(w, between, node.source, node.size)
        w.use("llvm.memcpy")
        ends = (
            f"ptr align {_claim(node.target)} {address(w, node.target)}, ptr align {WORD} {between}"
        )
        w.do(f"call void @llvm.memcpy.p0.p0.i64({ends}, i64 {node.size}, i1 false)")
        return
    where = address(w, node.source)
    target = address(w, node.target)
    _move(w, target, node.source, where, size=node.size, claim=_claim(node.target))


def _overlap(node: Copy) -> bool:
    """Whether parts of one piece of memory are copied over each other."""
    to, start = node.target, node.source
    match to.base, start.base:
        case (Local(name=a), Local(name=b)) if a == b:
            one = True
        case (ValueAddress(map=a), ValueAddress(map=b)):
            one = a is b
        case _:
            one = False
    fixed = to.index is None and start.index is None
    return one and not (fixed and abs(to.offset - start.offset) >= node.size)


def move(w: Writer, target: str, source: Place, size: int) -> None:
    """``size`` bytes of ``source`` go to the address ``target``."""
    _move(w, target, source, address(w, source), size=size, claim=WORD)


def _move(w: Writer, target: str, source: Place, where: str, *, size: int, claim: int) -> None:
    """The same from the address ``where`` of ``source``; ``target`` is aligned as claimed."""
    reader = READERS.get(memory_of(source))
    if reader:
        w.helper(reader, f"{WRITTEN} {target}, i64 {size}, ptr {where}")
        return
    w.use("llvm.memcpy")
    most = STORES * min(claim, _claim(source))
    for at in range(0, size, most):
        to, start = w.offset(target, at), w.offset(where, at)
        ends = f"ptr align {claim} {to}, ptr align {_claim(source)} {start}"
        w.do(f"call void @llvm.memcpy.p0.p0.i64({ends}, i64 {min(most, size - at)}, i1 false)")


def fill(w: Writer, target: str, size: int, claim: int = WORD) -> None:
    """``size`` bytes become zero; what is too long for stores is read from nowhere, which leaves zeros."""
    if size > STORES * claim:
        w.helper(READERS[Memory.PROBE], f"{WRITTEN} {target}, i64 {size}, ptr null")
    elif size:
        w.use("llvm.memset")
        w.do(
            f"call void @llvm.memset.p0.i64(ptr align {claim} {target}, i8 0, i64 {size}, i1 false)"
        )


def write(w: Writer, node: Write) -> None:
    """Bytes that are known go to a place, as wide as it is aligned."""
    target, claim, offset = address(w, node.place), _claim(node.place), 0
    while offset < len(node.data):
        size = next(s for s in (8, 4, 2, 1) if s <= claim and s <= len(node.data) - offset)
        value = int.from_bytes(node.data[offset : offset + size], "little")
        w.do(f"store i{8 * size} {value}, ptr {w.offset(target, offset)}, align {size}")
        offset += size


def zero(w: Writer, node: Zero) -> None:
    """A place becomes zero."""
    fill(w, address(w, node.place), node.size, _claim(node.place))


def build(w: Writer, node: Build) -> Value:
    """A struct on the stack: zero, padding included, then its values."""
    size = node.type.target.size
    slot = w.stack(node.slot, size)
    fill(w, slot, size)
    for statement in node.stores:
        w.write((statement,))
    return Value(slot)


def spill(w: Writer, node: Spill) -> Value:
    """A value on the stack."""
    if isinstance(node.value, Place):
        slot = w.stack(node.slot, node.type.target.size)
        move(w, slot, node.value, node.type.target.size)
        return Value(slot)
    return put(w, node, w.expr(node.value))


def put(w: Writer, node: Spill, value: Value) -> Value:
    """A number that was worked out before goes to its stack slot."""
    size, kind = node.type.target.size, llvm_type(node.value.type)
    slot = w.stack(node.slot, size)
    w.do(f"store {kind} {value.text}, ptr {slot}, align {size}")
    return Value(slot)
