"""What functions give where they end without a result: 0 in the kernel, None in Python, so that nothing may use it.

As a condition both are false, and where nobody looks at the result there is no difference. A pointer is None in both.
"""

from collections.abc import Iterator, Sequence

from skep.base.errors import CompileError
from skep.lang.tree import (
    Evaluate,
    Expr,
    Function,
    If,
    Logic,
    Node,
    Not,
    Select,
    SubCall,
    While,
)
from skep.lang.types import IntType
from skep.lang.values import BOOL, Several, Type


def refuse_missing(functions: Sequence[Function], ending: Sequence[Function]) -> None:
    """Refuse uses of the results of functions in ``ending``, some path of which gives none. Raises CompileError."""
    short = {id(one): _given(one.result) for one in ending}
    if not any(short.values()):
        return
    for function in functions:
        spared = {id(part) for part in _spared(function.nodes)}
        for part in function.nodes:
            given = short.get(id(part.function)) if isinstance(part, SubCall) else None
            if isinstance(part, SubCall) and given and id(part) not in spared:
                what, last = given
                problem = (
                    f"{part.function.name}() gives {what} on some paths, and nothing on others"
                )
                raise CompileError(problem, part.span, f"end it with one too: {last}")


def _given(kind: Type) -> tuple[str, str] | None:
    """What the kernel gives for nothing, and what to write; None where it is what Python gives."""
    if kind is BOOL:
        return "a truth value", "return False"
    if isinstance(kind, Several):
        return "several results", f"return {', '.join('0' for _ in kind.items)}"
    return ("a number", "return 0") if isinstance(kind, IntType) else None


def _spared(nodes: Sequence[Node]) -> Iterator[Expr]:
    """Calls of which nobody uses the result, and truth values that are conditions."""
    for part in nodes:
        match part:
            case Evaluate(value=SubCall(out="") as value):
                yield value
            case If(test=test) | While(test=test) | Select(test=test) | Not(operand=test):
                yield from _truth(test)
            case Logic(operands=operands):
                yield from (one for test in operands for one in _truth(test))


def _truth(test: Expr) -> Iterator[Expr]:
    if isinstance(test, SubCall) and test.function.result is BOOL:
        yield test
