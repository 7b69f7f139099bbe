"""A fake arena: one value, with the key 0, as of a Global. An index outside of an array is an IndexError here."""

from typing import Any

from skep.lang.declared.arena import Arena
from skep.lang.plain.memory import View, encoded, pointer
from skep.lang.struct import unpack


class FakeArena:
    """The memory of an arena."""

    def __init__(self, declared: Arena) -> None:
        self.declared = declared
        self._memory = bytearray(declared.value.size)

    def lookup(self, _key: int) -> View:
        """The value in place, as a program has it."""
        return pointer(self.declared.value, memoryview(self._memory))

    def __getitem__(self, _key: int) -> Any:
        return unpack(self.declared.value, memoryview(self._memory))

    def __setitem__(self, _key: int, value: Any) -> None:
        self._memory[:] = encoded(self.declared.value, value)
