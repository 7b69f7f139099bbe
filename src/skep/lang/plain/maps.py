"""Fake maps: programs find in them what the kernel does, a test what ``live[map]`` gives.

A FakeMap holds bytes, so that layouts, wrap-around and text behave as in the kernel. To a test it is a dictionary; what
a program does with it is its ``inside``.
"""

import errno
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from skep.base.errors import KernelError
from skep.lang.exact import exact
from skep.lang.maps import Declaration
from skep.lang.plain.memory import (
    ArrayView,
    Reference,
    StructView,
    View,
    encoded,
    pointer,
)
from skep.lang.plain.numbers import gives
from skep.lang.plain.timers import KeptView, Timers
from skep.lang.prefixes import from_key, to_key
from skep.lang.spec import MapType
from skep.lang.special import is_kept, is_locked
from skep.lang.struct import pack, unpack
from skep.lang.types import s32, u32

ANY, NO_EXIST, EXIST = 0, 1, 2
ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)
FORGETFUL = (MapType.LRU_HASH, MapType.LRU_PERCPU_HASH)


class FakeMap(MutableMapping[Any, Any]):
    """A map as a test sees it: a dictionary, as ``live[map]`` is. ``inside`` is what programs call.

    A per-CPU map has lists, with a value for each of ``cpus``; a program works on those of ``cpu()``.
    """

    def __init__(
        self, declared: Declaration, cpus: int, cpu: Callable[[], int], timers: Timers
    ) -> None:
        self.declared, self._cpu = declared, cpu
        self._copies = cpus if declared.type.per_cpu else 1
        self._entries: dict[bytes, list[bytearray]] = {}
        if declared.type in ARRAYS:
            for index in range(declared.entries):
                self._entries[pack(u32, index)] = self._empty()
        self.inside = Inside(self, timers)

    def __getitem__(self, key: Any) -> Any:
        entry = self.entry(self._raw(key))
        if entry is None:
            raise KeyError(key)
        values = [unpack(self.declared.value, memoryview(copy)) for copy in entry]
        return values if self.declared.type.per_cpu else values[0]

    def __setitem__(self, key: Any, value: Any) -> None:
        """TypeError and ValueError for what does not fit, IndexError behind an array, KernelError [E2BIG] if full."""
        raw, values = self._raw(key), value if self.declared.type.per_cpu else [value]
        if not isinstance(values, list) or len(values) != self._copies:
            raise TypeError(f"a value for each of {self._copies} CPUs is wanted, not {value!r}")
        made = [self._exactly(self.declared.value, one) for one in values]
        in_place = self.declared.type is MapType.HASH and is_locked(self.declared.value)
        result = 0 if in_place and self.holds(raw) else self.inside.put(raw, made[0])
        if result < 0:
            if self.declared.type in ARRAYS:
                raise IndexError(f"{key!r} is behind the {self.declared.entries} entries")
            full = f"it is full: it has {self.declared.entries} entries"
            meaning = full if result == self.full else ""
            raise KernelError(f"{type(self.declared).__name__}: update", -result, meaning)
        for copy, one in zip(self._entries[raw], made, strict=True):
            copy[:] = one

    def __delitem__(self, key: Any) -> None:
        if self.declared.type in ARRAYS:
            raise TypeError("entries of an array are not deleted")
        if self.inside.drop(self._raw(key)) < 0:
            raise KeyError(key)

    def clear(self) -> None:
        """Delete all entries; of an array, set them to zero."""
        for key in list(self._entries):
            if self.declared.type in ARRAYS:
                self._entries[key] = self._empty()
            else:
                self.inside.drop(key)

    def drain(self) -> list[tuple[Any, Any]]:
        """Take out all entries; those of an array are read, then set to zero."""
        found = list(self.items())
        self.clear()
        return found

    def __contains__(self, key: object) -> bool:
        return self.entry(self._raw(key)) is not None

    def __iter__(self) -> Iterator[Any]:
        kind = self.declared.key
        return (from_key(kind, unpack(kind, key)) for key in list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<{type(self.declared).__name__} {dict(self)!r}>"

    def _raw(self, key: Any) -> bytes:
        return self._exactly(self.declared.key, to_key(self.declared.key, key))

    def _exactly(self, kind: Any, value: Any) -> bytes:
        if isinstance(value, Reference | StructView | ArrayView):
            return encoded(kind, value)
        return exact(kind, value, type(self.declared).__name__)

    # --- the entries themselves, for ``inside`` -------------------------------------------------------------------

    def _empty(self) -> list[bytearray]:
        return [bytearray(self.declared.value.size) for _ in range(self._copies)]

    def mine(self, entry: list[bytearray], cpu: int | None = None) -> bytearray | None:
        """The copy of this CPU, or of another one, where there is that one."""
        if cpu is None:
            return entry[self._cpu() if self._copies > 1 else 0]
        return entry[cpu] if cpu < self._copies else None

    def entry(self, key: bytes) -> list[bytearray] | None:
        """The copies of a key's value, one for each CPU."""
        entry = self._entries.get(key)
        if entry is not None and self.declared.type in FORGETFUL:
            self._entries[key] = self._entries.pop(key)
        return entry

    def keys_inside(self) -> list[bytes]:
        """The keys that are there, as bytes."""
        return list(self._entries)

    def holds(self, key: bytes) -> bool:
        """Whether this very key is there."""
        return key in self._entries

    def make(self, key: bytes) -> list[bytearray] | None:
        """The copies of a key's value, made where they are missing; None where there is no room."""
        if key not in self._entries and len(self._entries) >= self.declared.entries:
            if self.declared.type not in FORGETFUL:
                return None
            del self._entries[next(iter(self._entries))]
        return self._entries.setdefault(key, self._empty())

    def take(self, key: bytes) -> list[bytearray] | None:
        """Take a key out."""
        return self._entries.pop(key, None)

    @property
    def full(self) -> int:
        """What an update gives where there is no room."""
        return -errno.E2BIG

    def refuses(self, key: bytes) -> int:
        """What an update gives of a key that can have no entry; else 0."""
        return -errno.E2BIG if self.declared.type in ARRAYS and key not in self._entries else 0

    def fixed(self, key: bytes) -> int:
        """What a deletion gives of an entry that stays; else 0."""
        del key
        return -errno.EINVAL if self.declared.type in ARRAYS else 0


class Inside:
    """A map as a program sees it: numbers wrap around, and what fails gives a negative error number, or nothing."""

    def __init__(self, table: FakeMap, timers: Timers) -> None:
        self.table, self.declared, self._timers = table, table.declared, timers

    def lookup(self, key: Any, cpu: Any = None) -> View | None:
        """A pointer to the entry, or None; of another CPU than this one where it is given."""
        raw = encoded(self.declared.key, key)
        entry = self.table.entry(raw)
        if entry is None:
            return None
        own = self.table.mine(entry, None if cpu is None else int(cpu))
        if own is None:
            return None
        mine, kind = memoryview(own), self.declared.value
        if is_kept(kind):
            return KeptView(kind, mine, (self.declared.key, raw), self._timers, id(entry))
        return pointer(kind, mine)

    @gives(s32)
    def update(self, key: Any, value: Any, flags: int = ANY) -> int:
        """Write an entry; 0, or a negative error number."""
        raw, data = encoded(self.declared.key, key), encoded(self.declared.value, value)
        return self.put(raw, data, int(flags))

    def put(self, key: bytes, data: bytes, flags: int = ANY) -> int:
        """The same, of bytes."""
        refused = self.table.refuses(key)
        if refused:
            return refused
        found = self.table.holds(key)
        if (found and flags == NO_EXIST) or (not found and flags == EXIST):
            return -(errno.EEXIST if found else errno.ENOENT)
        entry = self.table.make(key)
        own = None if entry is None else self.table.mine(entry)
        if own is None:
            return self.table.full
        self._timers.drop(id(entry))
        own[:] = data
        return 0

    @gives(s32)
    def delete(self, key: Any) -> int:
        """Remove an entry; 0, or a negative error number."""
        return self.drop(encoded(self.declared.key, key))

    def drop(self, key: bytes) -> int:
        """The same, of bytes."""
        fixed = self.table.fixed(key)
        if fixed:
            return fixed
        gone = self.table.take(key)
        if gone is None:
            return -errno.ENOENT
        self._timers.drop(id(gone))
        return 0

    @gives(s32)
    def increment(self, key: Any, by: int = 1) -> int:
        """Add to an entry, which is made where it is missing and there is room; 0, or a negative error number."""
        entry = self.lookup(key)
        if entry is None:
            return -errno.ENOENT if self.declared.type in ARRAYS else self.update(key, by)
        if isinstance(entry, Reference):
            entry.cell.store(int(entry) + by)
        return 0

    def setdefault(self, key: Any, value: Any = None) -> View | None:
        """A pointer to the entry, made where it is missing: zero, or ``value``; None where there is no room."""
        if self.lookup(key) is None:
            kind = self.declared.value
            data = bytes(kind.size) if value is None else encoded(kind, value)
            self.put(encoded(self.declared.key, key), data, NO_EXIST)
        return self.lookup(key)

    @gives(s32)
    def for_each(self, function: Callable[..., Any], *memory: Any) -> int:
        """Call a function for each key and value, until it gives something true; how many."""
        called = 0
        for raw in self.table.keys_inside():
            key = pointer(self.declared.key, memoryview(bytearray(raw)))
            value = self.lookup(key)
            if value is not None:
                called += 1
                if function(key, value, *memory):
                    break
        return called

    def __setitem__(self, key: Any, value: Any) -> None:
        self.update(key, value)

    def __delitem__(self, key: Any) -> None:
        self.delete(key)

    def __contains__(self, key: object) -> bool:
        return self.lookup(key) is not None
