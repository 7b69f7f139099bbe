"""Live maps without keys: queues and stacks, and bloom filters. Values are exact, as in ``maps``."""

from collections.abc import Iterator

from skep.kernel.commands import Command
from skep.kernel.handle import Handle
from skep.kernel.maps import Value
from skep.lang.exact import exact
from skep.lang.struct import unpack

_DROP_OLDEST = 2


class Queue(Handle):
    """A queue or stack: ``push``, ``pop`` and ``peek``; iterating takes out what is there."""

    def push(self, value: Value, *, drop_oldest: bool = False) -> None:
        """Puts a value in. KernelError [E2BIG] where it is full and nothing is to be dropped for it."""
        raw = exact(self.spec.value, value, f"{self.spec.name}: value")
        self.element(Command.MAP_UPDATE, b"", raw, _DROP_OLDEST if drop_oldest else 0)

    def pop(self) -> Value:
        """Takes the next value out; IndexError where there is none."""
        return self._next(Command.MAP_LOOKUP_AND_DELETE, "pop from")

    def peek(self) -> Value:
        """The next value, which stays; IndexError where there is none."""
        return self._next(Command.MAP_LOOKUP, "peek into")

    def _next(self, command: Command, what: str) -> Value:
        data = bytearray(self.value_bytes)
        if self.element(command, b"", data) is not None:
            raise IndexError(f"{what} an empty {self.spec.type.name.lower()} ({self.spec.name})")
        return unpack(self.spec.value, bytes(data))

    def __iter__(self) -> Iterator[Value]:
        """Takes values out until it is empty."""
        data = bytearray(self.value_bytes)
        while self.element(Command.MAP_LOOKUP_AND_DELETE, b"", data) is None:
            yield unpack(self.spec.value, bytes(data))

    def clear(self) -> None:
        """Takes everything out."""
        for _ in self:
            pass


class Bloom(Handle):
    """A bloom filter: ``add``, and ``in``, which may say yes to what was not added."""

    def add(self, value: Value) -> None:
        """Adds a value; there is no way back."""
        self.element(Command.MAP_UPDATE, b"", self._packed(value))

    def __contains__(self, value: Value) -> bool:
        data = bytearray(self._packed(value))
        return self.element(Command.MAP_LOOKUP, b"", data) is None

    def _packed(self, value: Value) -> bytes:
        return exact(self.spec.value, value, f"{self.spec.name}: value")
