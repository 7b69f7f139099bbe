"""The rounds of a loop, however it runs: how many there are, the number of each, and where its body leads."""

from collections.abc import Iterator

from skep.lang.emit.function import Writer
from skep.lang.emit.text import llvm_type
from skep.lang.tree import Assign, Binary, Const, Convert, Expr, For, Local, Node, While, walk

Loop = For | While
ROUNDS = 1 << 23
"""The rounds after which the kernel ends a loop that it counts."""


def assigned(loop: Loop) -> Iterator[str]:
    """The variables that a loop sets, in the order of the source."""
    for part in sorted(walk(loop), key=lambda n: (n.span.line, n.span.column)):
        if isinstance(part, Assign | For):
            yield part.name


def counts(w: Writer, value: Expr) -> bool:
    """Whether a value is made of numbers of loops alone, which go on by steps: the verifier may follow each of them."""
    parts = list(walk(value))
    names = {part.name for part in parts if isinstance(part, Local)}
    plain = all(isinstance(part, Local | Const | Convert | Binary) for part in parts)
    return plain and bool(names) and names <= set(_counters(w.function.body))


def _counters(nodes: tuple[Node, ...]) -> Iterator[str]:
    for part in walk(*nodes):
        match part:
            case For(name=name):
                yield name
            case Assign(
                name=name, value=Binary(op="+" | "-", left=Local(name=same), right=Const())
            ):
                if name == same:
                    yield name


def inside(w: Writer, nodes: tuple[Node, ...], ends: tuple[str, str]) -> None:
    """A body, with where ``break`` and ``continue`` lead."""
    w.breaks.append(ends[0])
    w.continues.append(ends[1])
    w.write(nodes)
    w.breaks.pop()
    w.continues.pop()


def set_number(w: Writer, node: For, value: str) -> None:
    """The loop's variable gets its number."""
    kind = w.function.variables[node.name]
    w.do(f"store {llvm_type(kind)} {value}, ptr {w.variable(node.name, kind)}")


def order(node: For) -> str:
    """The comparison of a number with the end that holds while the loop goes on."""
    return f"{'s' if node.type.signed else 'u'}{'lt' if node.step > 0 else 'gt'}"


def count(w: Writer, node: For, start: str, stop: str) -> str:
    """The rounds of a loop, 32 bits wide."""
    if isinstance(node.start, Const) and isinstance(node.stop, Const):
        numbers = range(node.start.value, node.stop.value, node.step)
        return str(min(len(numbers), ROUNDS))
    kind = llvm_type(node.type)
    more = w.get(f"icmp {order(node)} {kind} {start}, {stop}")
    ends = (start, stop) if node.step > 0 else (stop, start)
    rounds = w.get(f"sub {kind} {ends[1]}, {ends[0]}")
    if abs(node.step) > 1:
        rounds = w.get(f"sub {kind} {rounds}, 1")
        rounds = w.get(f"udiv {kind} {rounds}, {abs(node.step)}")
        rounds = w.get(f"add {kind} {rounds}, 1")
    rounds = w.get(f"select i1 {more}, {kind} {rounds}, {kind} 0")
    if int(kind[1:]) < 32:
        return w.get(f"zext {kind} {rounds} to i32")
    many = w.get(f"icmp ugt {kind} {rounds}, {ROUNDS}")
    rounds = w.get(f"select i1 {many}, {kind} {ROUNDS}, {kind} {rounds}")
    return rounds if kind == "i32" else w.get(f"trunc {kind} {rounds} to i32")


def number(w: Writer, node: For, start: str, index: str) -> str:
    """The number of round ``index`` (32 bits)."""
    kind = llvm_type(node.type)
    width = int(kind[1:])
    if width != 32:
        index = w.get(f"{'zext' if width > 32 else 'trunc'} i32 {index} to {kind}")
    if node.step != 1:
        index = w.get(f"mul {kind} {index}, {node.step}")
    if isinstance(node.start, Const) and node.start.value == 0:
        return index
    return w.get(f"add {kind} {start}, {index}")
