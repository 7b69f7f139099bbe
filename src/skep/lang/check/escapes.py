"""Memory that a function makes is gone when it ends: what it gives leads to memory of its caller's, or to none."""

from collections.abc import Sequence

from skep.base.errors import CompileError
from skep.lang.tree import (
    Address,
    Argument,
    Assign,
    Expr,
    Function,
    Local,
    NoneValue,
    Once,
    Return,
    Select,
    SubCall,
    Together,
    walk,
)
from skep.lang.values import Memory, Pointer, Several, Type


def refuse_escaping(functions: Sequence[Function]) -> None:
    """Refuse results that lead to what the function itself made on the stack. Raises CompileError."""
    for function in functions:
        if function.entry or not any(map(_is_stack, _kinds(function.result))):
            continue
        returns = [part for part in walk(*function.body) if isinstance(part, Return)]
        given = [one for part in returns if part.value is not None for one in _values(part.value)]
        own = _own(function)
        for value in given:
            if _leads(value, own):
                problem = f"what {function.name}() makes is gone when it ends"
                hint = "make it where it is called, and give it to the function, which fills it; or return numbers"
                raise CompileError(problem, value.span, f"{hint}: return a, b")


def _values(value: Expr) -> Sequence[Expr]:
    return value.items if isinstance(value, Together) else (value,)


def _kinds(result: Type) -> Sequence[Type]:
    return result.items if isinstance(result, Several) else (result,)


def _is_stack(kind: Type) -> bool:
    return isinstance(kind, Pointer) and kind.memory is Memory.STACK


def _own(function: Function) -> frozenset[str]:
    """The variables that lead to memory of the function's own."""
    sets = [part for part in walk(*function.body) if isinstance(part, Assign)]
    before: frozenset[str] | None = None
    own: frozenset[str] = frozenset()
    while own != before:
        before, own = own, frozenset(one.name for one in sets if _leads(one.value, own))
    return own


def _leads(value: Expr, own: frozenset[str]) -> bool:
    """Whether a value leads to memory that is made here."""
    if not _is_stack(value.type):
        return False
    match value:
        case Local(name=name):
            return name in own
        case Address(place=place):
            return _leads(place.base, own)
        case Select(then=then, other=other):
            return _leads(then, own) or _leads(other, own)
        case Once(operand=operand):
            return _leads(operand, own)
        case SubCall(args=args):
            return any(_leads(one, own) for one in args)
        case Argument() | NoneValue():
            return False
    return True
