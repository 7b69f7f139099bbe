"""A fake storage: values of objects that a test gives, which are told apart by identity."""

from collections.abc import Iterator, MutableMapping
from typing import Any

from skep.lang.declared.storage import Storage
from skep.lang.plain.memory import View, encoded, pointer
from skep.lang.plain.numbers import gives
from skep.lang.struct import unpack
from skep.lang.types import s32

NO_ENTRY = -2


class FakeStorage(MutableMapping[Any, Any]):
    """``lookup``, ``get`` and ``delete`` as a program calls them; a mapping by owner for a test."""

    def __init__(self, declared: Storage) -> None:
        self.declared = declared
        self._values: dict[int, tuple[Any, bytearray]] = {}

    def lookup(self, owner: Any) -> View | None:
        """The value of an owner, in place, or None."""
        found = self._values.get(id(owner))
        return None if found is None else pointer(self.declared.value, memoryview(found[1]))

    def get(self, owner: Any, initial: Any = None) -> View | None:
        """The value of an owner, which is made where it is missing."""
        if id(owner) not in self._values:
            size = self.declared.value.size
            first = bytes(size) if initial is None else encoded(self.declared.value, initial)
            self._values[id(owner)] = owner, bytearray(first)
        return self.lookup(owner)

    @gives(s32)
    def delete(self, owner: Any) -> int:
        """Forget an owner's value; 0, or a negative error number."""
        return 0 if self._values.pop(id(owner), None) else NO_ENTRY

    def __getitem__(self, owner: Any) -> Any:
        if id(owner) not in self._values:
            raise KeyError(owner)
        return unpack(self.declared.value, memoryview(self._values[id(owner)][1]))

    def __setitem__(self, owner: Any, value: Any) -> None:
        self._values[id(owner)] = owner, bytearray(encoded(self.declared.value, value))

    def __delitem__(self, owner: Any) -> None:
        self.delete(owner)

    def __contains__(self, owner: object) -> bool:
        return id(owner) in self._values

    def __iter__(self) -> Iterator[Any]:
        return (owner for owner, _ in list(self._values.values()))

    def __len__(self) -> int:
        return len(self._values)
