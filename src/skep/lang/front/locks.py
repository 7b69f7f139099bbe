"""``with value.lock:``: a lock in a map's value or an object, taken before the block and given back behind it.

While it is held the kernel allows memory to be read and written, and the lists and trees beside it to be used, and
nothing else; so a block has no other call, and one end.
"""

import ast
from collections.abc import Iterator, Sequence

from skep.base.errors import CompileError
from skep.lang.front.access import place_of
from skep.lang.front.objects import LOCKABLE, OUTSIDE, functions
from skep.lang.front.scope import Scope
from skep.lang.helpers import Arg, Helper
from skep.lang.object_calls import ObjectCall
from skep.lang.special import SpinLock
from skep.lang.tree import (
    Address,
    Break,
    Continue,
    Copy,
    Evaluate,
    For,
    HelperCall,
    If,
    Load,
    MapCall,
    Node,
    Place,
    Release,
    Reserve,
    Return,
    SubCall,
    While,
    walk,
)
from skep.lang.types import s64
from skep.lang.values import UNKNOWN, Memory, Pointer

LOCK = Helper("spin_lock", 93, (Arg.KERNEL,), s64, "5.1", "Take a lock of a map's value.")
UNLOCK = Helper("spin_unlock", 94, (Arg.KERNEL,), s64, "5.1", "Give a lock back.")
CALLS = (HelperCall, MapCall, SubCall, Reserve, Release)
READ_BY_HELPER = (Memory.PROBE, Memory.USER)


def locked(scope: Scope, node: ast.With) -> list[Node]:
    """The nodes of ``with value.lock: ...``. Raises CompileError where it is no lock, or the block does more."""
    lock = _lock(scope, node)
    before_it, scope.lock = scope.lock, lock.place
    body = scope.block(node.body)
    scope.lock = before_it
    _refuse(scope.span(node).line, body)
    span = scope.span(node.items[0].context_expr)
    before, after = (Evaluate(span, HelperCall(span, s64, row, (lock,))) for row in (LOCK, UNLOCK))
    return [before, *body, after]


def _lock(scope: Scope, node: ast.With) -> Address:
    item = node.items[0]
    place = place_of(scope, item.context_expr) if len(node.items) == 1 else None
    known = place is not None and place.type is SpinLock and _in_value(place)
    if place is None or item.optional_vars or not known:
        problem = "with takes one lock, of a map's value or of an object"
        raise scope.error(node, problem, _instead(item.context_expr))
    return Address(scope.span(item.context_expr), Pointer(SpinLock, Memory.VALUE), place)


def _instead(node: ast.expr) -> str:
    """What to write in place of Python's other uses of ``with``."""
    match node:
        case ast.Call(func=ast.Attribute(attr="reserve")):
            return "e = ring.reserve(), a test for None, its fields, then e.submit()"
        case ast.Call(func=ast.Name(id="open")):
            return "send a record to Python by a Ring, and write there"
        case ast.Call():
            return "write out what it does at its beginning and at its end"
    return "give the value a field lock: skep.SpinLock, and write with value.lock:"


def _in_value(place: Place) -> bool:
    kind = place.base.type
    return kind is UNKNOWN or (isinstance(kind, Pointer) and kind.memory in LOCKABLE)


def _refuse(line: int, body: Sequence[Node]) -> None:
    """Refuse what the kernel refuses while a lock is held."""
    for one in _leaving(body, looping=False):
        problem = "the block of a lock is left in its midst"
        hint = "note the outcome in a variable, and act on it behind the block"
        raise CompileError(problem, one.span, hint)
    sorting = [node for function in functions(body) for node in function.body]
    for one in walk(*body, *sorting):
        if isinstance(one, CALLS) or _by_helper(one) or _allocates(one):
            if isinstance(one, HelperCall) and one.helper in (LOCK, UNLOCK):
                problem = f"a second lock is taken while that of line {line} is held"
                raise CompileError(problem, one.span, "end the block of the first before")
            problem = f"nothing is called while the lock of line {line} is held"
            raise CompileError(problem, one.span, "do it before the block, or behind it")


def _leaving(body: Sequence[Node], *, looping: bool) -> Iterator[Node]:
    """The statements that leave a block: returns, and breaks of a loop around it."""
    for node in body:
        match node:
            case Return():
                yield node
            case Break() | Continue() if not looping:
                yield node
            case If(then=then, other=other):
                yield from _leaving((*then, *other), looping=looping)
            case For(body=inner) | While(body=inner):
                yield from _leaving(inner, looping=True)


def _allocates(node: Node) -> bool:
    """Whether an object is made or given back; lists and trees are used under the lock."""
    return isinstance(node, ObjectCall) and node.action in OUTSIDE


def _by_helper(node: Node) -> bool:
    """Whether memory is read by a helper."""
    place = (
        node.place if isinstance(node, Load) else node.source if isinstance(node, Copy) else None
    )
    kind = place.base.type if place is not None else None
    return isinstance(kind, Pointer) and kind.memory in READ_BY_HELPER
