"""What an expression can be at most, by its shape alone: variables are not followed. And what it may be at most."""

from typing import NamedTuple

from skep.lang.library.numbers import log2
from skep.lang.tree import Binary, Const, Convert, Expr, Once, SubCall
from skep.lang.types import IntType

MOST = {(log2.__code__.co_filename, log2.__name__): 63}
"""What functions of the library give at most, by file and name: the verifier does not find it."""


class Bound(NamedTuple):
    """What an expression may be at most; the error where nothing limits it, ``{}`` for its name, and a hint.

    ``known``: it is to be known to the verifier, not only limited.
    """

    value: Expr
    high: int
    problem: str
    hint: str
    known: bool = False


def upper_bound(node: Expr) -> int:
    """The largest value that a non-negative expression can have, by its shape."""
    match node:
        case Const(value=value):
            return value
        case Convert(operand=operand) if isinstance(node.type, IntType):
            inner = operand.type
            own = (
                upper_bound(operand)
                if isinstance(inner, IntType) and not inner.signed
                else node.type.high
            )
            return min(own, node.type.high)
        case Binary(op="&", left=left, right=right):
            return min(upper_bound(left), upper_bound(right))
        case Binary(op="+", left=left, right=right):
            return min(upper_bound(left) + upper_bound(right), int(node.type.high))
        case Binary(op="*", left=left, right=right):
            return min(upper_bound(left) * upper_bound(right), int(node.type.high))
        case Binary(op="<<", left=left, right=Const(value=amount)):
            return min(upper_bound(left) << amount, int(node.type.high))
        case Binary(op=">>", left=left, right=Const(value=amount)):
            return upper_bound(left) >> amount
    return int(node.type.high) if isinstance(node.type, IntType) else 1 << 64


def most(node: Expr) -> int | None:
    """What a call gives at most, though the verifier does not see it; None where that is not known."""
    while isinstance(node, Convert | Once):
        node = node.operand
    called = node.function if isinstance(node, SubCall) else None
    return MOST.get((called.file, called.name)) if called else None
