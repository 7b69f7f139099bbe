"""Variables that say how much memory a helper takes.

The verifier is to see that they were tested, so LLVM is to know no more of them than it does. Of a number that is
turned from network order, LLVM tests the bytes as they lie in memory, and then turns them: of what comes out, the
verifier knows nothing. Of a difference of which it knows that it is not 0, it leaves the test out. And of two tests it
makes one, of the number less 1.
"""

from skep.lang.helpers import Arg
from skep.lang.tree import (
    Assign,
    Binary,
    Compare,
    Expr,
    Function,
    HelperCall,
    Item,
    Local,
    MapCall,
    SubCall,
    Swap,
    walk,
)
from skep.lang.types import IntType

Known = dict[int, frozenset[str]]


def sizes(function: Function, known: Known) -> frozenset[str]:
    """Variables and parameters of a function that a helper is given a size by, in it or in one that it calls.

    ``known`` has those of functions that were looked into, by their ids.
    """
    if id(function) in known:
        return known[id(function)]
    queue: list[str] = []
    sources: dict[str, list[Expr]] = {}
    for node in function.nodes:
        queue += [name for part in _given(node, known) for name in _of(part)]
        if isinstance(node, Assign):
            sources.setdefault(node.name, []).append(node.value)
    found: set[str] = set()
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += [source for value in sources.get(name, ()) for source in _of(value)]
    known[id(function)] = frozenset(found)
    return known[id(function)]


def known_otherwise(value: Expr) -> bool:
    """Whether LLVM may know of a value what the verifier does not."""
    return any(
        isinstance(part, Swap | SubCall | Item) or (isinstance(part, Binary) and part.op == "-")
        for part in walk(value)
    )


def names_one(node: Compare, names: frozenset[str]) -> bool:
    """Whether one of these variables is compared."""
    return any(isinstance(part, Local) and part.name in names for part in walk(node))


def _given(node: object, known: Known) -> list[Expr]:
    """The sizes among the arguments of a call."""
    match node:
        case HelperCall(helper=helper, args=args):
            return [one for kind, one in zip(helper.args, args, strict=False) if kind is Arg.SIZE]
        case MapCall(method="write" | "output" | "perf_output", args=args):
            return [args[-1]]
        case SubCall(function=function, args=args):
            wanted = sizes(function, known)
            pairs = zip(function.parameters, args, strict=False)
            return [one for parameter, one in pairs if parameter.name in wanted]
    return []


def _of(value: Expr) -> list[str]:
    return [p.name for p in walk(value) if isinstance(p, Local) and isinstance(p.type, IntType)]
