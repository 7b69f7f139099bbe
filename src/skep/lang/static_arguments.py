"""Arguments of static probes (USDT): from the words of a note, such as ``-4@-20(%rbp)``, to typed expressions.

Each way in which a compiler left the arguments lying is a number, which the loader gives to each place as its cookie.
Source: the argument format of SystemTap's sys/sdt.h, in the operands of the AT&T syntax for x86-64.
"""

import re
from collections.abc import Callable, Sequence
from functools import reduce

from skep.base.errors import Span
from skep.lang.helpers import HELPERS
from skep.lang.tree import (
    Argument,
    Binary,
    Compare,
    Const,
    ContextValue,
    Convert,
    Expr,
    HelperCall,
    Load,
    Place,
    Select,
)
from skep.lang.types import IntType, u64
from skep.lang.values import BOOL, BY_SHAPE, Memory, Pointer

_ARGUMENT = re.compile(r"(?P<sign>-?)(?P<size>[1248])@(?P<operand>.*)")
_MEMORY = re.compile(r"(-?(?:0x)?[0-9a-f]*)\((?:%(\w+))?(?:,%(\w+)(?:,([1248]))?)?\)")
_BETWEEN = re.compile(r"\s+(?=-?\d+f?@)")
_NAMED = re.compile(r"e?([abcd])[xlh]|[er]?([sd]i|[bs]p)l?|r(\d+)[dwb]?")


class Unreadable(ValueError):
    """An operand that is not known here, such as a vector register."""


def split(text: str) -> list[str]:
    """The arguments of a note, each as it stands there; of some machines an argument has blanks: ``8@[sp, 16]``."""
    return _BETWEEN.split(text.strip()) if text.strip() else []


def register(name: str) -> str:
    """The name in ``struct pt_regs`` of a register in AT&T syntax, whole or a part: ``eax`` is ``ax``."""
    whole = name[1:] if name.startswith("r") and not name[1:2].isdigit() else name
    found = _NAMED.fullmatch(whole)
    if found is None:
        raise Unreadable(name)
    letter, pointer, number = found.groups()
    return f"{letter}x" if letter else pointer or f"r{number}"


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError as error:
        raise Unreadable(text) from error


class Reader:
    """Reads arguments for one machine: ``words`` are the slots of its registers in the context, by name."""

    def __init__(self, span: Span, words: dict[str, int]) -> None:
        self._span, self._words = span, words

    def argument(self, text: str) -> Expr:
        """An argument as an expression of its own width. Unreadable where it lies in a place that is not known."""
        found = _ARGUMENT.fullmatch(text)
        if found is None:
            raise Unreadable(text)
        kind = BY_SHAPE[int(found["size"]) * 8, bool(found["sign"])]
        return self._operand(found["operand"], kind)

    def _operand(self, text: str, kind: IntType) -> Expr:
        if text.startswith("$"):
            return Const(self._span, kind, kind.wrap(_number(text[1:])))
        if text.startswith("%"):
            return self._cut(self._word(text[1:]), kind)
        found = _MEMORY.fullmatch(text)
        if found is None:
            raise Unreadable(text)
        offset, base, index, scale = found.groups()
        parts = [self._word(base)] if base else []
        if index:
            parts.append(self._times(self._word(index), int(scale or 1)))
        if not parts:
            raise Unreadable(text)
        if offset:
            parts.append(Const(self._span, u64, u64.wrap(_number(offset))))
        return self._at(reduce(self._sum, parts), kind)

    def _word(self, name: str) -> Expr:
        known = register(name)
        if known not in self._words:
            raise Unreadable(name)
        return Argument(self._span, u64, self._words[known])

    def _cut(self, word: Expr, kind: IntType) -> Expr:
        return word if kind is u64 else Convert(self._span, kind, word)

    def _sum(self, left: Expr, right: Expr) -> Expr:
        return Binary(self._span, u64, "+", left, right)

    def _times(self, word: Expr, scale: int) -> Expr:
        return Binary(self._span, u64, "*", word, Const(self._span, u64, scale))

    def _at(self, address: Expr, kind: IntType) -> Expr:
        pointer = Pointer(kind, Memory.USER)
        base = Binary(self._span, pointer, "pointer", address, Const(self._span, u64, 0))
        return Load(self._span, kind, Place(self._span, kind, base))

    def chosen(self, ways: Sequence[Expr], kind: IntType) -> Expr:
        """The argument as it lies where the probe was hit: the place's cookie says which of the ways it is."""
        *others, last = (self._widened(way, kind) for way in ways)
        for number in reversed(range(len(others))):
            last = Select(self._span, kind, self._is_way(number), others[number], last)
        return last

    def _widened(self, value: Expr, kind: IntType) -> Expr:
        return value if value.type is kind else Convert(self._span, kind, value)

    def _is_way(self, number: int) -> Expr:
        context = ContextValue(self._span, Pointer(None, Memory.CONTEXT))
        cookie = HelperCall(self._span, u64, HELPERS["get_attach_cookie"], (context,))
        return Compare(self._span, BOOL, "==", cookie, Const(self._span, u64, number))


Ways = Callable[[str], tuple[str, ...]]
"""What tells the ways in which the arguments of ``binary:provider:name`` lie, each as its note has it."""


def no_ways(_target: str) -> tuple[str, ...]:
    """The static probes of a machine whose binaries are not known."""
    return ()
