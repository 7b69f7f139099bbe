"""The functions of searches in arrays: a loop over the places where something may begin, made as a typed tree.

Each stands for a line of the user's: that is the place of all of its nodes. Text ends at its first NUL, or with its
array.
"""

import ast
from collections.abc import Callable, Sequence

from skep.base.errors import Span
from skep.base.frozen import frozen
from skep.lang.front.scope import Scope
from skep.lang.tree import (
    Address,
    Argument,
    Assign,
    Compare,
    Const,
    Convert,
    Expr,
    For,
    Function,
    If,
    Load,
    Local,
    Logic,
    Node,
    Parameter,
    Place,
    Return,
    SubCall,
)
from skep.lang.types import ArrayType, char, s32, u8, u32, u64
from skep.lang.values import BOOL, Memory, Pointer, Type

NAMES = ("text", "other")


@frozen
class Search:
    """A function over one array or two: its name, the arrays, its result, and where it is called."""

    name: str
    places: tuple[Place, ...]
    result: Type
    node: ast.AST


@frozen
class Make:
    """Makes the nodes of a search, whose arrays are ``pointers`` and whose loop is over ``i``."""

    span: Span
    pointers: tuple[Pointer, ...]
    result: Type

    def byte(self, offset: int, which: int = 0) -> Expr:
        """The byte ``offset`` bytes behind place ``i``."""
        base = Local(self.span, self.pointers[which], NAMES[which])
        index = Convert(self.span, u64, Local(self.span, u32, "i"))
        return Load(self.span, u8, Place(self.span, u8, base, offset, index, 1))

    def fixed(self, offset: int, which: int = 0) -> Expr:
        """The byte at an offset."""
        base = Local(self.span, self.pointers[which], NAMES[which])
        return Load(self.span, u8, Place(self.span, u8, base, offset))

    def compare(self, left: Expr, op: str, right: Expr | int) -> Expr:
        """Two bytes compared."""
        other = Const(self.span, u8, right) if isinstance(right, int) else right
        return Compare(self.span, BOOL, op, left, other)

    def gives(self, value: Expr | int) -> Node:
        """Return a value."""
        made = Const(self.span, self.result, value) if isinstance(value, int) else value
        return Return(self.span, made)

    def when(self, tests: Sequence[Expr], value: Expr | int) -> Node:
        """Return a value where all tests hold."""
        return If(self.span, every(self.span, tests), (self.gives(value),), ())

    def loop(self, stop: int, *body: Node) -> Node:
        """A loop over the places below ``stop``."""
        return For(
            self.span, "i", u32, Const(self.span, u32, 0), Const(self.span, u32, stop), 1, body
        )


def every(span: Span, tests: Sequence[Expr]) -> Expr:
    """Whether all tests hold."""
    return tests[0] if len(tests) == 1 else Logic(span, BOOL, "and", tuple(tests))


def first(make: Make, kind: ArrayType, data: bytes) -> tuple[Node, ...]:
    """The first place at which ``data`` stands, or -1."""
    body = [
        make.when(tuple(make.compare(make.byte(j), "==", b) for j, b in enumerate(data)), _i(make))
    ]
    if kind.element is char:
        body.insert(0, make.when((make.compare(make.byte(0), "==", 0),), -1))
    return make.loop(kind.count - len(data) + 1, *body), make.gives(-1)


def _i(make: Make) -> Expr:
    return Convert(make.span, s32, Local(make.span, u32, "i"))


def last(make: Make, kind: ArrayType, data: bytes) -> tuple[Node, ...]:
    """Whether text ends with ``data``."""
    room, size = kind.count - len(data), len(data)
    here = [make.compare(make.byte(j), "==", b) for j, b in enumerate(data)]
    ends = make.compare(make.byte(size), "==", 0)
    beyond = make.when((make.compare(make.byte(0), "==", 0),), 0)
    at_end = [make.compare(make.fixed(room + j), "==", b) for j, b in enumerate(data)]
    loop = (make.loop(room, make.when((*here, ends), 1), beyond),) if room else ()
    return (*loop, make.when(at_end, 1), make.gives(0))


def equal(make: Make, one: ArrayType, other: ArrayType) -> tuple[Node, ...]:
    """Whether two arrays hold the same; of text, one may be longer."""
    body = [make.when((make.compare(make.byte(0), "!=", make.byte(0, 1)),), 0)]
    if one.element is char:
        body.append(make.when((make.compare(make.byte(0), "==", 0),), 1))
    shared = min(one.count, other.count)
    longer = int(other.count > shared)
    ends = make.compare(make.fixed(shared, longer), "==", 0)
    return make.loop(shared, *body), make.gives(1 if one.count == other.count else ends)


def call(scope: Scope, search: Search, body: Callable[[Make], tuple[Node, ...]]) -> Expr:
    """Make the function of a search, and call it."""
    span = scope.span(search.node)
    pointers = tuple(Pointer(place.type, _memory(place)) for place in search.places)
    named = tuple(zip(NAMES, pointers, strict=False))
    parameters = tuple(
        Parameter(name, kind, Argument(span, kind, index))
        for index, (name, kind) in enumerate(named)
    )
    prologue = tuple(Assign(span, p.name, p.value) for p in parameters if p.value is not None)
    text = scope.source.text
    function = Function(
        search.name,
        text.file,
        span.line,
        text.padded,
        parameters,
        search.result,
        prologue + body(Make(span, pointers, search.result)),
        dict(named) | {"i": u32},
    )
    scope.calls.append(function)
    args = tuple(
        Address(span, pointer, place)
        for pointer, place in zip(pointers, search.places, strict=True)
    )
    return SubCall(span, search.result, function, args)


def _memory(place: Place) -> Memory:
    kind = place.base.type
    return kind.memory if isinstance(kind, Pointer) else Memory.STACK
