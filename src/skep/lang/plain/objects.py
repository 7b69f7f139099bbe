"""Fake objects, lists and trees: what a program allocates, and what links it.

What the kernel refuses is a RuntimeError here: a list without its lock, an object that is the
program's no more.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from skep.lang.objects import RefCount, is_head
from skep.lang.plain.memory import StructView, raw
from skep.lang.plain.numbers import gives
from skep.lang.special import SpinLock
from skep.lang.struct import StructType
from skep.lang.types import s32


class Body:
    """An object itself: its memory, the lists and trees that have it, by the node that links it, and its own."""

    def __init__(self, kind: StructType) -> None:
        self.memory = memoryview(bytearray(kind.size))
        self.linked: dict[str, list[Body]] = {}
        self.heads: dict[str, list[Body]] = {}

    def among(self, node: str) -> "list[Body] | None":
        """The list or tree that links it by that node, None where none does."""
        found = self.linked.get(node)
        return found if found is not None and any(one is self for one in found) else None


@dataclass(slots=True, eq=False)
class Holding:
    """What a pointer to an object is worth: the program's own, or that of a list or tree under its lock."""

    kind: StructType
    body: Body
    owned: "Owned"
    head: "FakeHead | None" = None
    gone: str = ""

    @property
    def name(self) -> str:
        """That of its class."""
        return self.kind.__name__

    def reached(self) -> Body:
        """The object. RuntimeError where the program has it no more."""
        if self.gone:
            raise RuntimeError(f"this {self.name} is used after {self.gone}")
        if self.head is not None and not self.head.is_locked():
            raise RuntimeError(f"this {self.name} is linked, and its lock is not held")
        return self.body

    def own(self, action: str) -> Body:
        """The same, of an object that is the program's own. RuntimeError where it is linked."""
        if self.head is not None:
            raise RuntimeError(f"{action}() takes an object that is the program's own")
        return self.reached()

    def give(self, head: "FakeHead") -> None:
        """A list or tree has it from now on."""
        self.owned.pop(id(self), None)
        self.head = head


Owned = dict[int, Holding]
"""The objects that are a program's own, by their identity."""


class FakeObject(StructView):
    """A pointer to an object, with the methods that programs call and no others: a class has fields of any name."""

    def __init__(self, held: Holding) -> None:
        super().__init__(held.kind, held.body.memory)
        object.__setattr__(self, "_held", held)
        if held.head is None:
            held.owned[id(held)] = held

    def _field(self, name: str) -> Any:
        self._held.reached()
        return super()._field(name)

    def __getattr__(self, name: str) -> Any:
        field = self._kind.field(name)
        if field is None or not is_head(field.type):
            return super().__getattr__(name)
        held = holding(self)
        bodies = held.reached().heads.setdefault(name, [])
        return FakeHead(self, field.type, bodies, held.owned)

    def drop(self) -> None:
        """The program has it no more."""
        held = holding(self)
        held.own("drop")
        held.owned.pop(id(held), None)
        held.gone = "drop()"

    def acquire(self) -> Self:
        """One more holder."""
        held = holding(self)
        if not any(field.type is RefCount for field in held.kind.fields):
            raise TypeError(f"{held.name} has no RefCount")
        return type(self)(Holding(held.kind, held.reached(), held.owned))


def holding(one: FakeObject) -> Holding:
    """What a pointer is worth."""
    held: Holding = object.__getattribute__(one, "_held")
    return held


class ObjectKind:
    """A class of objects as a function uses it."""

    def __init__(self, kind: Any, owned: Owned) -> None:
        self.kind, self._owned = kind, owned

    def new(self) -> FakeObject:
        """An object, its fields zero."""
        return FakeObject(Holding(self.kind, Body(self.kind), self._owned))


class FakeHead:
    """A list or a tree in a value: its objects, in order."""

    def __init__(self, view: StructView, kind: Any, bodies: list[Body], owned: Owned) -> None:
        self._view, self._kind, self._bodies, self._owned = view, kind, bodies, owned

    def is_locked(self) -> bool:
        """Whether the lock of its value is held."""
        kind: StructType = object.__getattribute__(self._view, "_kind")
        lock = next(field for field in kind.fields if field.type is SpinLock)
        return any(raw(self._view)[lock.offset : lock.offset + lock.type.size])

    def _checked(self) -> list[Body]:
        if not self.is_locked():
            raise RuntimeError("a list or a tree is used while the lock of its value is held")
        return self._bodies

    def _link(self, action: str, entry: FakeObject, at: Callable[[list[Body]], int]) -> int:
        """Link an object; one that is linked by that node already is given back."""
        bodies, body = self._checked(), holding(entry).own(action)
        node = self._kind.node.name
        holding(entry).give(self)
        if body.among(node) is not None:
            return -errno.EINVAL
        bodies.insert(at(bodies), body)
        body.linked[node] = bodies
        return 0

    def _linked(self, body: Body) -> FakeObject:
        return FakeObject(Holding(self._kind.element, body, self._owned, self))

    def _given(self, body: Body) -> FakeObject:
        return FakeObject(Holding(self._kind.element, body, self._owned))

    def _taken(self, at: int) -> FakeObject | None:
        bodies = self._checked()
        return self._given(bodies.pop(at)) if bodies else None

    @gives(s32)
    def push_front(self, entry: FakeObject) -> int:
        """Link an object at the front; 0."""
        return self._link("push_front", entry, lambda _: 0)

    @gives(s32)
    def push_back(self, entry: FakeObject) -> int:
        """Link an object at the end; 0."""
        return self._link("push_back", entry, len)

    def pop_front(self) -> FakeObject | None:
        """Take the first one out."""
        return self._taken(0)

    def pop_back(self) -> FakeObject | None:
        """Take the last one out."""
        return self._taken(-1)

    @gives(s32)
    def add(self, entry: FakeObject, less: Callable[[Any, Any], Any]) -> int:
        """Link an object behind those that it is not less than; 0."""

        def place(bodies: list[Body]) -> int:
            seen = [self._linked(one) for one in bodies]
            smaller = (at for at, other in enumerate(seen) if less(entry, other))
            return next(smaller, len(bodies))

        return self._link("add", entry, place)

    def first(self) -> FakeObject | None:
        """The least one; it stays."""
        bodies = self._checked()
        return self._linked(bodies[0]) if bodies else None

    def front(self) -> FakeObject | None:
        """The first one; it stays."""
        return self.first()

    def back(self) -> FakeObject | None:
        """The last one; it stays."""
        bodies = self._checked()
        return self._linked(bodies[-1]) if bodies else None

    def root(self) -> FakeObject | None:
        """The one in the middle, from which a search begins; it stays."""
        return self._middle(0, len(self._checked()))

    def left(self, entry: FakeObject) -> FakeObject | None:
        """The middle of those before an object, as far as the one above it; it stays."""
        low, at, _ = self._within(entry)
        return self._middle(low, at)

    def right(self, entry: FakeObject) -> FakeObject | None:
        """The same of those behind it."""
        _, at, high = self._within(entry)
        return self._middle(at + 1, high)

    def _middle(self, low: int, high: int) -> FakeObject | None:
        return self._linked(self._bodies[(low + high) // 2]) if low < high else None

    def _within(self, entry: FakeObject) -> tuple[int, int, int]:
        """Where an object is, and the ends of those that are below it in a tree that is balanced."""
        bodies, body = self._checked(), holding(entry).reached()
        at = next(place for place, one in enumerate(bodies) if one is body)
        low, high = 0, len(bodies)
        while (middle := (low + high) // 2) != at:
            low, high = (low, middle) if at < middle else (middle + 1, high)
        return low, at, high

    def remove(self, entry: FakeObject) -> FakeObject | None:
        """Take an object out; None where it is not in this tree."""
        bodies, body = self._checked(), holding(entry).reached()
        if body.among(self._kind.node.name) is not bodies:
            return None
        bodies[:] = [one for one in bodies if one is not body]
        return self._given(body)
