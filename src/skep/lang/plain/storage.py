"""A fake storage: values of objects that a test gives, which are told apart by identity."""

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from skep.lang.declared.storage import AttachedStorage, Storage
from skep.lang.plain.maps import FakeMap, Inside
from skep.lang.plain.memory import View, encoded, pointer
from skep.lang.plain.numbers import gives
from skep.lang.plain.timers import Timers
from skep.lang.struct import unpack
from skep.lang.types import s32

NO_ENTRY = -2


class FakeAttached(FakeMap):
    """Values by number of the cgroup to which a program is attached, which is that of the task that runs it."""

    def __init__(
        self,
        declared: AttachedStorage,
        cpus: int,
        cpu: Callable[[], int],
        timers: Timers,
        cgroup: Callable[[], int],
    ) -> None:
        super().__init__(declared, cpus, cpu, timers)
        self.inside = AttachedInside(self, timers, cgroup)

    def make(self, key: bytes) -> list[bytearray] | None:
        """The copies of a cgroup's value, of which there is any number."""
        return self._entries.setdefault(key, self._empty())


class AttachedInside(Inside):
    """The same as a program sees it."""

    def __init__(self, table: FakeMap, timers: Timers, cgroup: Callable[[], int]) -> None:
        super().__init__(table, timers)
        self._cgroup = cgroup

    def get(self) -> View | None:
        """The value of the cgroup, in place."""
        return self.setdefault(self._cgroup())


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
