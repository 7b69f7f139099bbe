"""Arrays beside text and bytes: ``==``, ``in``, ``startswith``, ``endswith`` and ``find``.

What is known is compared word by word. A search is a function of its own, with a loop over the places where it may
begin; memory that allows no changing index is copied to the stack for it.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace

from skep.lang.front import instead
from skep.lang.front.access import aligned, memory_of
from skep.lang.front.methods import is_map
from skep.lang.front.scope import Scope
from skep.lang.front.seeking import Search, call, equal, every, first, last
from skep.lang.front.structs import alike
from skep.lang.front.texts import Text, encoded, known
from skep.lang.tree import (
    Address,
    Compare,
    Const,
    Expr,
    Load,
    Local,
    NoneValue,
    Not,
    Once,
    Place,
    Slot,
    Spill,
    ValueAddress,
)
from skep.lang.types import ArrayType, IntType, char, s32, u8, u16, u32, u64
from skep.lang.values import BOOL, UNKNOWN, Memory, Pointer, describe

WORDS: dict[int, IntType] = {8: u64, 4: u32, 2: u16, 1: u8}
INDEXED = frozenset({Memory.STACK, Memory.VALUE, Memory.RECORD})
"""Memory in which the verifier allows an index that is not known."""
FEW = 128
"""Bytes of arrays that are compared word by word, without a loop."""
DIRECT = INDEXED | {Memory.KERNEL, Memory.PACKET}
"""Memory that is read where it is."""


def compared(scope: Scope, node: ast.Compare) -> Expr | None:
    """A comparison with text or bytes, or a search for them; None for any other comparison."""
    if len(node.ops) != 1:
        return None
    op, left, right = node.ops[0], node.left, node.comparators[0]
    found = known(scope, left)
    if isinstance(op, ast.In | ast.NotIn):
        if found is None or is_map(scope.expr(right)):
            return None
        array = _array(scope, right, found)
        if not found and not isinstance(left, ast.Constant):
            return Const(scope.span(node), BOOL, int(isinstance(op, ast.In)))
        test = _contains(scope, array, found, node)
        return _either(scope, test, node, negate=isinstance(op, ast.NotIn))
    other = known(scope, right)
    text = other if found is None else found
    if text is None:
        return None
    if not isinstance(op, ast.Eq | ast.NotEq):
        hint = "sort in Python, or compare characters, which are numbers: a[0] < b[0]"
        raise scope.error(node, "text and bytes are compared with == and != only", hint)
    if found is not None and other is not None:
        return Const(scope.span(node), BOOL, int((found == other) == isinstance(op, ast.Eq)))
    array = _array(scope, right if found is not None else left, text)
    test = _equals(scope, array, text, node)
    return _either(scope, test, node, negate=isinstance(op, ast.NotEq))


def same(scope: Scope, sides: tuple[Expr, Expr], op: ast.cmpop, node: ast.AST) -> Expr | None:
    """Whether two arrays hold the same; None where they are no such arrays."""
    if not isinstance(op, ast.Eq | ast.NotEq):
        return None
    one, other = (side.type.target for side in sides)
    if _numbers(one) and _numbers(other) and alike(one, other):
        test = _same_words(scope, sides, node)
        return _either(scope, test, node, negate=isinstance(op, ast.NotEq))
    if any(_kind(side) is None for side in sides):
        return None
    if one.element is not other.element or not (one.element is char or alike(one, other)):
        return None
    places = tuple(
        _readable(scope, _place(side), node, INDEXED, role)
        for side, role in zip(sides, ("text", "other"), strict=True)
    )
    test = call(scope, Search("same", places, BOOL, node), lambda make: equal(make, one, other))
    return _either(scope, test, node, negate=isinstance(op, ast.NotEq))


def _numbers(kind: object) -> bool:
    """Whether a type is an array of numbers that are no bytes, and few."""
    numbers = isinstance(kind, ArrayType) and isinstance(kind.element, IntType)
    return numbers and isinstance(kind, ArrayType) and kind.element.size > 1 and kind.size <= FEW


def _same_words(scope: Scope, sides: tuple[Expr, Expr], node: ast.AST) -> Expr:
    """Whether two short arrays hold the same, word by word."""
    one, other = (
        _readable(scope, _place(side), node, DIRECT, role)
        for side, role in zip(sides, ("text", "other"), strict=True)
    )
    span, tests, align = scope.span(node), [], min(aligned(one), aligned(other))
    for at, size in _words(align, 0, int(one.type.size)):
        left, right = (
            Load(span, WORDS[size], replace(p, type=WORDS[size], offset=p.offset + at))
            for p in (one, other)
        )
        tests.append(Compare(span, BOOL, "==", left, right))
    return every(span, tests)


def method(scope: Scope, node: ast.Call, owner: Expr, name: str) -> Expr | None:
    """``array.startswith(...)`` and its like; None where it is another method, or no array of bytes."""
    if _kind(owner) is None or name not in METHODS:
        return None
    (argument,) = scope.arguments(node, 1, 1, f"{name}()")
    text = known(scope, argument)
    if text is None:
        problem = f"{name}() takes text or bytes that are known while compiling"
        several = isinstance(argument, ast.Tuple)
        each = f"ask for each: {owner_name(node)}.{name}(a) or {owner_name(node)}.{name}(b)"
        raise scope.error(argument, problem, each if several else "write them out, or capture them")
    if not text and not isinstance(argument, ast.Constant):  # captured: nothing is asked for
        return Const(scope.span(node), *((s32, 0) if name == "find" else (BOOL, 1)))
    return METHODS[name](scope, owner, text, node)


# --- operands ---------------------------------------------------------------------------------------------------------


def _kind(value: Expr) -> ArrayType | None:
    """The type of an array of text or bytes; None for anything else."""
    kind = value.type.target if isinstance(value.type, Pointer) else None
    return kind if isinstance(kind, ArrayType) and kind.element in (char, u8) else None


def owner_name(node: ast.Call) -> str:
    """What a method is called on, as it is written."""
    return ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else "text"


def _array(scope: Scope, node: ast.expr, text: str | bytes) -> Expr:
    """An array that text is compared with, or looked for in. Raises CompileError at anything else."""
    value = scope.expr(node)
    if value.type is UNKNOWN or _kind(value) is not None:
        return value
    kind = value.type.target if isinstance(value.type, Pointer) else None
    numbers = isinstance(kind, ArrayType) and isinstance(kind.element, IntType)
    hint = f"compare it with another {kind!r}" if numbers else instead.of_text(value.type, text)
    problem = f"text and bytes go with char[N] and u8[N], not with {describe(value.type)}"
    raise scope.error(node, problem, hint)


def _either(scope: Scope, test: Expr, node: ast.AST, *, negate: bool) -> Expr:
    return Not(scope.span(node), BOOL, test) if negate and test.type is BOOL else test


def _place(value: Expr) -> Place:
    """The place of an array."""
    if isinstance(value, Address):
        return value.place
    return Place(value.span, value.type.target, value)


def _readable(
    scope: Scope, place: Place, node: ast.AST, memories: frozenset[Memory], role: str
) -> Place:
    """The same bytes, where they can be read: as they are, or copied to the stack once."""
    span, memory = scope.span(node), memory_of(place)
    if memory in memories:
        plain = isinstance(place.base, Local | Slot | ValueAddress) and place.index is None
        if plain:
            return place
        pointer = Pointer(place.type, memory, align=aligned(place))
        return Place(span, place.type, Once(span, pointer, Address(span, pointer, place)))
    pointer = Pointer(place.type, Memory.STACK)
    copied = Spill(span, pointer, scope.slot(role, place.type), place)
    return Place(span, place.type, Once(span, pointer, copied))


# --- what is known ----------------------------------------------------------------------------------------------------


def _equals(scope: Scope, array: Expr, text: Text, node: ast.AST) -> Expr:
    kind = _kind(array)
    if kind is None:
        return NoneValue(array.span, UNKNOWN)
    if text == "" and kind.element is char:
        data = b"\0"
    else:
        data = encoded(scope, kind, text, node)
        if kind.element is u8 and len(data) != kind.count:
            hint = f"compare a part of it, as in a[:{len(data)}]"
            raise scope.error(node, f"{kind!r} never equals {len(data)} bytes", hint)
        if kind.element is char and len(data) < kind.count:
            data += b"\0"
    return _at(scope, array, 0, data, node)


def _starts(scope: Scope, array: Expr, text: Text, node: ast.AST) -> Expr:
    return _at(scope, array, 0, encoded(scope, _kind(array), text, node), node)


def _at(scope: Scope, array: Expr, offset: int, data: bytes, node: ast.AST) -> Expr:
    """Whether known bytes stand at an offset."""
    place = _readable(scope, _place(array), node, DIRECT, "text")
    span = scope.span(node)
    tests: list[Expr] = []
    base = place.base.type.align if isinstance(place.base.type, Pointer) else 1
    for at, size in _words(base, place.offset + offset, len(data)):
        kind = WORDS[size]
        word = Place(span, kind, place.base, place.offset + offset + at)
        value = int.from_bytes(data[at : at + size], "little")
        tests.append(Compare(span, BOOL, "==", Load(span, kind, word), Const(span, kind, value)))
    return every(span, tests)


def _words(align: int, offset: int, length: int) -> Iterator[tuple[int, int]]:
    """(Offset, size) of the words that cover bytes, each where its size allows it to be."""
    at = 0
    while at < length:
        size = next(s for s in WORDS if s <= length - at and s <= align and (offset + at) % s == 0)
        yield at, size
        at += size


# --- searches ---------------------------------------------------------------------------------------------------------


def _contains(scope: Scope, array: Expr, text: Text, node: ast.AST) -> Expr:
    found = _found(scope, array, text, node)
    if found.type is UNKNOWN:
        return found
    span = scope.span(node)
    return Compare(span, BOOL, ">=", found, Const(span, s32, 0))


def _found(scope: Scope, array: Expr, text: Text, node: ast.AST) -> Expr:
    """The first place of known bytes, or -1."""
    kind = _kind(array)
    if kind is None:
        return NoneValue(array.span, UNKNOWN)
    data = encoded(scope, kind, text, node)
    places = (_readable(scope, _place(array), node, INDEXED, "text"),)
    return call(scope, Search("find", places, s32, node), lambda make: first(make, kind, data))


def _ends(scope: Scope, array: Expr, text: Text, node: ast.AST) -> Expr:
    kind = array.type.target
    data = encoded(scope, kind, text, node)
    if kind.element is u8:
        return _at(scope, array, kind.count - len(data), data, node)
    places = (_readable(scope, _place(array), node, INDEXED, "text"),)
    return call(scope, Search("ends", places, BOOL, node), lambda make: last(make, kind, data))


METHODS: dict[str, Callable[[Scope, Expr, Text, ast.AST], Expr]] = {
    "startswith": _starts,
    "endswith": _ends,
    "find": _found,
}
