"""Fake timers, references, lists and trees: what a kernel keeps in the values of maps.

A test moves the clock, ``kernel.advance(ns)``, and what is due runs, in order.
"""

import errno
from collections.abc import Callable
from typing import Any, NamedTuple

from skep.lang.objects import is_head, is_keeper
from skep.lang.plain.memory import StructView, pointer
from skep.lang.plain.numbers import gives
from skep.lang.plain.objects import Body, FakeHead, FakeKeeper, Owned
from skep.lang.special import REFERENCES, TaskWork, Timer, Work
from skep.lang.struct import StructType
from skep.lang.types import s32

ABSOLUTE = 1
"""``BPF_F_TIMER_ABS``."""


class Pending(NamedTuple):
    """What runs at a time: a function, with the entry that holds the timer."""

    at: int
    function: Callable[..., Any]
    key: memoryview
    key_kind: Any
    value: "KeptView"


class Timers:
    """The timers that are set, by the memory of their values. ``now`` reads the clock.

    ``cpus`` tells which CPU runs a program, and how many there are.
    """

    def __init__(self, now: Callable[[], int], cpus: Callable[[], tuple[int, int]]) -> None:
        self.now, self.cpus = now, cpus
        self._pending: dict[int, Pending] = {}
        self._functions: dict[int, Callable[..., Any]] = {}
        self.references: dict[tuple[int, str], Any] = {}
        self.linked: dict[tuple[int, str], list[Body]] = {}
        self.kept: dict[tuple[int, str], Body] = {}
        self.owned: Owned = {}

    def start(self, view: "KeptView", after: int, function: Callable[..., Any] | None) -> int:
        """A timer runs something later; what it was to run before is forgotten."""
        if function is not None:
            self._functions[view.identity] = function
        if view.identity not in self._functions:
            return -errno.EINVAL
        known = self._functions[view.identity]
        pending = Pending(self.now() + after, known, view.key, view.key_kind, view)
        self._pending[view.identity] = pending
        return 0

    def queue(self, view: "KeptView", function: Callable[..., Any]) -> int:
        """Something is run as soon as time passes."""
        pending = Pending(self.now(), function, view.key, view.key_kind, view)
        self._pending[-1 - view.identity] = pending
        return 0

    def cancel(self, identity: int) -> bool:
        """A timer rests; whether it was set."""
        return self._pending.pop(identity, None) is not None

    def drop(self, identity: int) -> None:
        """A value is written over or deleted: its timer rests, its references are given back, its objects dropped."""
        self.cancel(identity)
        self.cancel(-1 - identity)
        for key in [one for one in self.linked if one[0] == identity]:
            self.linked.pop(key).clear()
        for key in [one for one in self.kept if one[0] == identity]:
            del self.kept[key]
        self.references = {k: v for k, v in self.references.items() if k[0] != identity}

    def due(self, until: int) -> Pending | None:
        """The next one that is due, which rests then; None where there is none."""
        found = min(self._pending.items(), key=lambda item: item[1].at, default=None)
        if found is None or found[1].at > until:
            return None
        return self._pending.pop(found[0])

    def run(self, pending: Pending) -> None:
        """What a timer runs."""
        pending.function(pointer(pending.key_kind, pending.key), pending.value)


class FakeTimer:
    """A timer in a value."""

    def __init__(self, view: "KeptView") -> None:
        self._view = view

    @gives(s32)
    def start(self, nanoseconds: Any, function: Any = None, flags: Any = 0) -> int:
        """Run ``function(key, value)``, or what it ran last, later, once; 0, or a negative error number."""
        view = self._view
        timers: Timers = view.timers
        function, flags = (function, flags) if callable(function) else (None, function or flags)
        since = timers.now() if int(flags) & ABSOLUTE else 0
        return timers.start(view, max(int(nanoseconds) - since, 0), function)

    @gives(s32)
    def cancel(self) -> int:
        """Rest; 1 where it was set, 0 where it was not."""
        return int(self._view.timers.cancel(self._view.identity))


class FakeWork:
    """Work in a value: it is done when time passes, however little."""

    def __init__(self, view: "KeptView") -> None:
        self._view = view

    @gives(s32)
    def start(self, function: Callable[..., Any]) -> int:
        """Run ``function(key, value)`` soon; 0, or a negative error number."""
        view = self._view
        timers: Timers = view.timers
        return timers.queue(view, function)


class FakeTaskWork:
    """Work of a task in a value, done when time passes."""

    def __init__(self, view: "KeptView") -> None:
        self._view = view

    @gives(s32)
    def start(self, _task: Any, function: Callable[..., Any]) -> int:
        """Run ``function(key, value)`` soon; 0, or a negative error number."""
        view = self._view
        timers: Timers = view.timers
        return timers.queue(view, function)

    interrupt = start


class FakeReference:
    """A reference in a value: it keeps any object."""

    def __init__(self, view: "KeptView", name: str) -> None:
        self._kept: dict[tuple[int, str], Any] = view.timers.references
        self._key = view.identity, name

    def get(self) -> Any:
        """What is kept, or None."""
        return self._kept.get(self._key)

    @gives(s32)
    def set(self, kept: Any) -> int:
        """Keep an object; 0."""
        self._kept[self._key] = kept
        return 0

    @gives(s32)
    def clear(self) -> int:
        """Give it back; 1 where there was one."""
        return int(self._kept.pop(self._key, None) is not None)


class KeptView(StructView):
    """A value with a timer, references, lists or trees, in place. ``identity`` tells entries apart."""

    def __init__(
        self,
        kind: StructType,
        memory: memoryview,
        key: tuple[Any, bytes],
        timers: Timers,
        identity: int,
    ) -> None:
        super().__init__(kind, memory)
        for name, value in (
            ("key_kind", key[0]),
            ("key", memoryview(bytearray(key[1]))),
            ("timers", timers),
            ("identity", identity),
        ):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        field = self._kind.field(name)
        if field is not None and field.type is Timer:
            return FakeTimer(self)
        if field is not None and field.type is Work:
            return FakeWork(self)
        if field is not None and field.type is TaskWork:
            return FakeTaskWork(self)
        if field is not None and field.type in REFERENCES:
            return FakeReference(self, name)
        if field is not None and is_keeper(field.type):
            timers: Timers = self.timers
            key = self.identity, name
            return FakeKeeper(field.type, timers.kept, key, timers.owned, timers.cpus)
        if field is not None and is_head(field.type):
            bodies: list[Body] = self.timers.linked.setdefault((self.identity, name), [])
            return FakeHead(self, field.type, bodies, self.timers.owned)
        return super().__getattr__(name)
