"""Integers as a program computes them: fixed width, wrap-around, and division, shifts and signs by the written rules.

The rules are those of ``docs/language.md``; they are written here a second time, at run time, so that they test the
compiler. A plain ``int`` is a literal: it takes the type of what it meets.
"""

import operator
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, Protocol, Self, SupportsInt

from skep.lang.types import Int, IntType, s32, s64, u32, u64
from skep.lang.values import common, fits, promote, register

P = ParamSpec("P")
EXACT: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
}
METHODS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "//": "floordiv",
    "%": "mod",
    "&": "and",
    "|": "or",
    "^": "xor",
    "<<": "lshift",
    ">>": "rshift",
}


class Place(Protocol):
    """Memory that a number was read from."""

    def store(self, value: int) -> None:
        """Write a number there; it wraps around."""
        ...


class Number(int):
    """A number of a type, and the place in memory that it came from, where there is one."""

    kind: IntType
    place: Place | None

    def __new__(cls, kind: IntType, value: SupportsInt, place: Place | None = None) -> Self:
        """``value`` as ``kind``: it wraps around."""
        self = int.__new__(cls, register(kind).wrap(int(value)))
        self.kind, self.place = register(kind), place
        return self

    def __neg__(self) -> "Number":
        return _typed("-", 0, self)

    def __invert__(self) -> "Number":
        return _typed("^", self, -1)

    def __pos__(self) -> "Number":
        return self

    def __truediv__(self, _: object) -> Any:
        raise TypeError("/ gives a fraction, which the kernel has not; use //")


def gives(kind: IntType) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Decorates a method of a fake whose result has a type in programs; to a test it is an ``int`` like any other."""

    def decorate(method: Callable[P, int]) -> Callable[P, int]:
        @wraps(method)
        def typed(*args: P.args, **kwargs: P.kwargs) -> int:
            return Number(kind, method(*args, **kwargs))

        return typed

    return decorate


def kind_of(value: object) -> IntType | None:
    """The type of a number; None for a literal."""
    if isinstance(value, Number):
        return value.kind
    return register(type(value)) if isinstance(value, Int) else None


def operate(op: str, left: SupportsInt, right: SupportsInt) -> int:
    """``left op right``. TypeError where the compiler would refuse it: signs that do not mix."""
    left, right = value_of(left), value_of(right)
    if kind_of(left) is None and kind_of(right) is None:
        return _exact(op, left, right)
    return _typed(op, left, right)


def value_of(value: Any) -> int:
    """The number itself, also behind a pointer to one."""
    found = getattr(value, "value", value)
    return found if isinstance(found, int) else int(found)


def _exact(op: str, left: int, right: int) -> int:
    if op in ("//", "%") and right == 0:
        return 0 if op == "//" else left
    return EXACT[op](left, right)


def _typed(op: str, left: int, right: int) -> Number:
    if op in ("<<", ">>"):
        have = kind_of(left)
        kind = promote(have) if have else u64 if left >= 0 else s64
        return Number(kind, EXACT[op](int(left), int(right) % kind.bits))
    kind = meeting(op, left, right)
    return Number(kind, _exact(op, kind.wrap(int(left)), kind.wrap(int(right))))


def meeting(op: str, left: int, right: int) -> IntType:
    """The type of an operation."""
    a, b = kind_of(left), kind_of(right)
    if a is not None and b is not None:
        kind = common(a, b)
        if kind is None:
            raise TypeError(f"{op}: {a!r} and {b!r} do not mix; convert one of the two")
        return kind
    if a is not None:
        return _with_literal(op, promote(a), int(right))
    return _with_literal(op, promote(b), int(left)) if b is not None else s64


def _with_literal(op: str, kind: IntType, value: int) -> IntType:
    """The type of a number, or a wider one of its sign that holds the literal that it meets."""
    if fits(value, kind):
        return kind
    if value < 0 and not kind.signed:
        if op in ("//", "%"):
            raise TypeError(f"{op}: {kind!r} and {value} do not mix; convert one of the two")
        return kind
    wider = (s32, s64) if kind.signed else (u32, u64)
    return next((w for w in wider if w.bits >= kind.bits and fits(value, w)), kind)


def _forward(op: str) -> Callable[[Any, Any], Any]:
    def run(self: Any, other: Any) -> Any:
        return operate(op, self, other) if numeric(other) else NotImplemented

    return run


def _backward(op: str) -> Callable[[Any, Any], Any]:
    def run(self: Any, other: Any) -> Any:
        return operate(op, other, self) if numeric(other) else NotImplemented

    return run


def numeric(value: object) -> bool:
    """Whether a value takes part in arithmetic."""
    return isinstance(value, int) or isinstance(getattr(value, "value", None), int)


def arithmetic(cls: type) -> None:
    """Give a class the operators of the language."""
    for op, name in METHODS.items():
        setattr(cls, f"__{name}__", _forward(op))
        setattr(cls, f"__r{name}__", _backward(op))


arithmetic(Number)
