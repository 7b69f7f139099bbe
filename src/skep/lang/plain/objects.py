"""Fake objects, lists and trees: what a program allocates, and what links or keeps it.

What the kernel refuses is a RuntimeError here: a list without its lock, an object that is the
program's no more.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from skep.lang.keepers import is_per_cpu
from skep.lang.objects import RefCount, is_head, is_keeper
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
        self.kept: dict[Any, Body] = {}

    def among(self, node: str) -> "list[Body] | None":
        """The list or tree that links it by that node, None where none does."""
        found = self.linked.get(node)
        return found if found is not None and any(one is self for one in found) else None


@dataclass(slots=True, eq=False)
class Holding:
    """What a pointer to an object is worth: the program's own, that of a list or tree under its lock, or ``kept``."""

    kind: StructType
    body: Body
    owned: "Owned"
    head: "FakeHead | None" = None
    gone: str = ""
    kept: bool = False

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
        if self.head is not None or self.kept:
            raise RuntimeError(f"{action}() takes an object that is the program's own")
        return self.reached()

    def hand_over(self, action: str) -> Body:
        """The object, which is no longer the program's: something keeps it."""
        body = self.own(action)
        self.owned.pop(id(self), None)
        self.gone = f"{action}() kept it"
        return body

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
        if held.head is None and not held.kept:
            held.owned[id(held)] = held

    def _field(self, name: str) -> Any:
        self._held.reached()
        return super()._field(name)

    def __getattr__(self, name: str) -> Any:
        field = self._kind.field(name)
        held = holding(self)
        if field is not None and is_keeper(field.type):
            return FakeKeeper(field.type, held.reached().kept, name, held.owned)
        if field is None or not is_head(field.type):
            return super().__getattr__(name)
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

    def new_per_cpu(self) -> FakeObject:
        """An object of each CPU: those are made as they are asked for, their fields zero."""
        return FakeEach(Holding(self.kind, Body(self.kind), self._owned))


class FakeEach(FakeObject):
    """A pointer to an object of each CPU: it is reached where it is kept."""

    def _field(self, name: str) -> Any:
        raise RuntimeError(f"{name!r} is reached where the object is kept, by here() or on()")


class FakeKeeper:
    """A field that keeps an object: in ``kept``, under a key."""

    def __init__(
        self,
        kind: Any,
        kept: dict[Any, Body],
        key: Any,
        owned: Owned,
        cpus: Callable[[], tuple[int, int]] = lambda: (0, 1),
    ) -> None:
        self._kind, self._kept, self._key, self._owned, self._cpus = kind, kept, key, owned, cpus
        self._pointer = FakeEach if is_per_cpu(kind) else FakeObject

    def set(self, entry: FakeObject) -> None:
        """Keep an object; the one before is dropped."""
        self._kept[self._key] = holding(entry).hand_over("set")

    def swap(self, entry: FakeObject) -> FakeObject | None:
        """Keep an object, and give the one before."""
        body, old = holding(entry).hand_over("swap"), self.take()
        self._kept[self._key] = body
        return old

    def take(self) -> FakeObject | None:
        """Give the object; nothing is kept."""
        body = self._kept.pop(self._key, None)
        return None if body is None else self._pointer(self._holding(body))

    @gives(s32)
    def clear(self) -> int:
        """Drop the object; 1 where there was one."""
        return int(self._kept.pop(self._key, None) is not None)

    def get(self) -> FakeObject | None:
        """The object; it stays."""
        body = self._kept.get(self._key)
        return None if body is None else FakeObject(self._holding(body, kept=True))

    def here(self) -> FakeObject | None:
        """That of this CPU; it stays."""
        return self.on(self._cpus()[0])

    def on(self, cpu: Any) -> FakeObject | None:
        """That of another CPU."""
        body = self._kept.get(self._key)
        if body is None or int(cpu) >= self._cpus()[1]:
            return None
        own = body.kept.setdefault(int(cpu), Body(self._kind.element))
        return FakeObject(self._holding(own, kept=True))

    def _holding(self, body: Body, *, kept: bool = False) -> Holding:
        return Holding(self._kind.element, body, self._owned, kept=kept)


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
