"""What the verifier is to forget: numbers that it would tell from round to round, or knows from before the first.

A number is forgotten by adding and subtracting one that the verifier does not know, where LLVM cannot see it.
"""

from collections.abc import Iterable, Iterator

from skep.lang.emit.function import Writer
from skep.lang.emit.rounds import Loop, assigned
from skep.lang.emit.text import llvm_type
from skep.lang.tree import (
    Assign,
    Compare,
    For,
    Function,
    HelperCall,
    If,
    Local,
    MapCall,
    Node,
    Place,
    Select,
    Spill,
    Store,
    SubCall,
    View,
    While,
    walk,
)
from skep.lang.values import Memory, Pointer

FOG = "#fog"
"""The part of a frame from which an unknown number is read."""


def _carried(w: Writer, node: Loop) -> list[str]:
    """The numbers that a loop changes, that are set outside of it too, and on which something depends."""
    within = {id(part) for part in walk(node)}
    sets = [part for part in w.function.nodes if isinstance(part, Assign)]
    outside = {part.name for part in sets if id(part) not in within}
    seen = {name for part in w.function.nodes for name in _looked_at(part)}
    return [
        name
        for name in dict.fromkeys(assigned(node))
        if name in outside & seen and not isinstance(w.function.variables[name], Pointer)
    ]


def _looked_at(node: Node) -> Iterator[str]:
    """The variables on whose numbers the verifier has to rely at a node."""
    parts: tuple[Node | None, ...] = ()
    match node:
        case If(test=test) | While(test=test) | Select(test=test):
            parts = (test,)
        case For(start=start, stop=stop):
            parts = (start, stop)
        case Place(index=index):
            parts = (index,)
        case Assign(name=name, value=value):
            return (p.name for p in walk(value) if isinstance(p, Local) and p.name != name)
        case Compare() | View() | MapCall() | SubCall() | HelperCall() | Spill():
            parts = (node,)
    found = walk(*(part for part in parts if part is not None))
    return (part.name for part in found if isinstance(part, Local))


def cloud(w: Writer, node: Loop) -> str:
    """Before a loop over an iterator: where an unknown number stands; "" where ``blur`` needs none."""
    if not _carried(w, node) and not _members(node):
        return ""
    where = w.slot(FOG, "i64")
    _halves(w, where)
    return where


def blur(w: Writer, node: Loop, where: str) -> None:
    """Make the verifier forget numbers that go from round to round, or it tells each round from the one before."""
    if not where:
        return
    unknown = w.get(f"load volatile i64, ptr {where}, align 8")
    for name in _carried(w, node):
        kind = w.function.variables[name]
        _forget(w, w.variable(name, kind), llvm_type(kind), unknown)
    for name, offset, size in _members(node):
        base = w.get(f"load ptr, ptr {w.variable(name, w.function.variables[name])}")
        _forget(w, w.offset(base, offset), f"i{8 * size}", unknown)


def _members(node: Loop) -> list[tuple[str, int, int]]:
    """The numbers in structs on the stack that a loop changes: variable, offset and size of each."""
    own = set(assigned(node))
    return [one for one in _stored(node.body) if one[0] not in own]


def _stored(body: Iterable[Node]) -> list[tuple[str, int, int]]:
    """The same of any statements."""
    found = set()
    for part in walk(*body):
        name = _on_stack(part.place) if isinstance(part, Store) else ""
        if isinstance(part, Store) and name:
            found.add((name, part.place.offset, int(part.place.type.size)))
    return sorted(found)


def _on_stack(place: Place) -> str:
    """The variable through which a fixed place on the stack is reached; "" where it is none."""
    kind = place.base.type
    held = isinstance(kind, Pointer) and kind.memory is Memory.STACK and not kind.nullable
    fixed = held and place.index is None and isinstance(place.base, Local)
    return place.base.name if fixed and isinstance(place.base, Local) else ""


def veil(w: Writer, node: Loop) -> None:
    """Make the verifier forget the numbers that a loop's function changes."""
    changed = [
        name
        for name in dict.fromkeys(assigned(node))
        if name in w.frame and not isinstance(w.function.variables[name], Pointer)
    ]
    memory = [name for name in _reached(w, node) if name in w.frame]
    if not changed and not memory:
        return
    unknown = _unknown(w)
    for name in changed:
        kind = llvm_type(w.function.variables[name])
        _forget(w, w.framed(name), kind, unknown)
    for name in memory:
        kind = w.function.variables[name]
        base = w.get(f"load ptr, ptr {w.framed(name)}")
        for offset, size in _pieces(kind.target.size):
            _forget(w, w.offset(base, offset), f"i{8 * size}", unknown)


def _reached(w: Writer, node: Loop) -> list[str]:
    """The variables that lead to memory on the stack, of those that a loop uses."""
    names = {part.name for part in walk(node) if isinstance(part, Local)}
    kinds = w.function.variables
    return sorted(
        name
        for name in names
        if isinstance(kinds.get(name), Pointer) and kinds[name].memory is Memory.STACK
    )


def shroud(w: Writer, called: Function, memory: str) -> None:
    """Make the verifier forget what lies in memory that a function changes which the kernel calls for each of many."""
    shared = called.parameters[-1].name
    if any(isinstance(part, SubCall) and shared in _named(part) for part in walk(*called.body)):
        kind = called.parameters[-1].type.target
        changed = [(at, size) for at, size in _pieces(kind.size, kind.align)]
    else:
        changed = [(at, size) for name, at, size in _stored(called.body) if name == shared]
    if not changed:
        return
    where = w.slot(FOG, "i64")
    _halves(w, where)
    unknown = w.get(f"load volatile i64, ptr {where}, align 8")
    for at, size in changed:
        _forget(w, w.offset(memory, at), f"i{8 * size}", unknown)


def _named(node: Node) -> set[str]:
    return {part.name for part in walk(node) if isinstance(part, Local)}


def _pieces(size: int, most: int = 8) -> Iterator[tuple[int, int]]:
    offset = 0
    while offset < size:
        piece = next(p for p in (8, 4, 2, 1) if p <= min(size - offset, most))
        yield offset, piece
        offset += piece


def _unknown(w: Writer) -> str:
    """A number that the verifier does not know: two halves on the stack, read as a whole."""
    where = w.framed(FOG)
    _halves(w, where)
    return w.get(f"load volatile i64, ptr {where}, align 8")


def _halves(w: Writer, where: str) -> None:
    w.do(f"store volatile i32 1, ptr {where}, align 8")
    w.do(f"store volatile i32 1, ptr {w.offset(where, 4)}, align 4")


def hidden(w: Writer, kind: str, value: str) -> str:
    """A number that the verifier does not know, in a function with a frame."""
    return _veiled(w, kind, value, _unknown(w))


def _veiled(w: Writer, kind: str, value: str, unknown: str) -> str:
    """Add and subtract what the verifier does not know."""
    if kind != "i64":
        value = w.get(f"zext {kind} {value} to i64")
    value = w.opaque("i64", w.get(f"add i64 {value}, {unknown}"))
    value = w.get(f"sub i64 {value}, {unknown}")
    return value if kind == "i64" else w.get(f"trunc i64 {value} to {kind}")


def _forget(w: Writer, where: str, kind: str, unknown: str) -> None:
    value = _veiled(w, kind, w.get(f"load {kind}, ptr {where}"), unknown)
    w.do(f"store {kind} {value}, ptr {where}")
