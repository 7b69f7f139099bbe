"""Fake maps and rings: programs find in them what the kernel does, a test what ``live[map]`` gives.

A FakeMap holds bytes, so that layouts, wrap-around and text behave as in the kernel. A method that fails gives the
kernel's negative error number.
"""

import errno
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from skep.lang.maps import Declaration, Ring
from skep.lang.plain.memory import Reference, StructView, View, encoded, pointer, type_of
from skep.lang.plain.timers import KeptView, Timers
from skep.lang.prefixes import from_key, to_key
from skep.lang.spec import MapType
from skep.lang.special import is_kept
from skep.lang.struct import StructType, pack, unpack
from skep.lang.types import u32

ANY, NO_EXIST, EXIST = 0, 1, 2
ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)
FORGETFUL = (MapType.LRU_HASH, MapType.LRU_PERCPU_HASH)
SLOT_HEADER = 8


class FakeMap(MutableMapping[Any, Any]):
    """A map: ``lookup``, ``update``, ``delete`` and ``increment`` as a program calls them, a mapping for a test.

    To a test a per-CPU map has lists, with a value for each of ``cpus``; a program works on those of ``cpu()``.
    """

    def __init__(
        self, declared: Declaration, cpus: int, cpu: Callable[[], int], timers: Timers
    ) -> None:
        self.declared, self._cpu, self._timers = declared, cpu, timers
        self._copies = cpus if declared.type.per_cpu else 1
        self._entries: dict[bytes, list[bytearray]] = {}
        if declared.type in ARRAYS:
            for index in range(declared.entries):
                self._entries[pack(u32, index)] = self._empty()

    def _empty(self) -> list[bytearray]:
        return [bytearray(self.declared.value.size) for _ in range(self._copies)]

    def _mine(self, entry: list[bytearray]) -> bytearray:
        return entry[self._cpu() if self._copies > 1 else 0]

    # --- as a program calls them ----------------------------------------------------------------------------------

    def lookup(self, key: Any, cpu: int | None = None) -> View | None:
        """A pointer to the entry, or None; of another CPU than this one where it is given."""
        raw = encoded(self.declared.key, key)
        entry = self._find(raw)
        if entry is None:
            return None
        if cpu is not None and int(cpu) >= self._copies:
            return None
        own = self._mine(entry) if cpu is None else entry[int(cpu)]
        mine, kind = memoryview(own), self.declared.value
        if is_kept(kind):
            return KeptView(kind, mine, (self.declared.key, raw), self._timers, id(entry))
        return pointer(kind, mine)

    def update(self, key: Any, value: Any, flags: int = ANY) -> int:  # type: ignore[override]
        """Write an entry; 0, or a negative error number."""
        raw, data = encoded(self.declared.key, key), encoded(self.declared.value, value)
        found = raw in self._entries
        if (found and flags == NO_EXIST) or (not found and flags == EXIST):
            return -(errno.EEXIST if found else errno.ENOENT)
        if not found and not self._make_room():
            return -errno.E2BIG
        entry = self._entries.setdefault(raw, self._empty())
        self._timers.drop(id(entry))
        self._mine(entry)[:] = data
        return 0

    def _make_room(self) -> bool:
        if len(self._entries) < self.declared.entries:
            return True
        if self.declared.type not in FORGETFUL:
            return False
        del self._entries[next(iter(self._entries))]
        return True

    def delete(self, key: Any) -> int:
        """Remove an entry; 0, or a negative error number."""
        if self.declared.type in ARRAYS:
            return -errno.EINVAL
        gone = self._entries.pop(encoded(self.declared.key, key), None)
        if gone is None:
            return -errno.ENOENT
        self._timers.drop(id(gone))
        return 0

    def increment(self, key: Any, by: int = 1) -> None:
        """Add to an entry, which is made where it is missing and there is room."""
        entry = self.lookup(key)
        if entry is None:
            self.update(key, by)
        elif isinstance(entry, Reference):
            entry.cell.store(int(entry) + by)

    def _find(self, key: bytes) -> list[bytearray] | None:
        if self.declared.type is MapType.LPM_TRIE:
            return self._longest(key)
        entry = self._entries.get(key)
        if entry is not None and self.declared.type in FORGETFUL:
            self._entries[key] = self._entries.pop(key)
        return entry

    def _longest(self, key: bytes) -> list[bytearray] | None:
        """The entry of the longest prefix that the key begins with."""
        best: tuple[int, list[bytearray]] | None = None
        for other, entry in self._entries.items():
            bits = int.from_bytes(other[:4], "little")
            if bits <= int.from_bytes(key[:4], "little") and _begins(key[4:], other[4:], bits):
                best = (bits, entry) if best is None or bits > best[0] else best
        return best[1] if best else None

    # --- as a test sees it ----------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        entry = self._find(self._raw(key))
        if entry is None:
            raise KeyError(key)
        values = [unpack(self.declared.value, memoryview(copy)) for copy in entry]
        return values if self.declared.type.per_cpu else values[0]

    def __setitem__(self, key: Any, value: Any) -> None:
        """An entry from a program, or a test; a test gives a per-CPU map a list."""
        key = to_key(self.declared.key, key)
        if not self.declared.type.per_cpu or not isinstance(value, list):
            self.update(key, value)
            return
        self.update(key, value[self._cpu()])
        entry = self._entries[encoded(self.declared.key, key)]
        for copy, one in zip(entry, value, strict=True):
            copy[:] = encoded(self.declared.value, one)

    def __delitem__(self, key: Any) -> None:
        self.delete(to_key(self.declared.key, key))

    def __contains__(self, key: object) -> bool:
        return self._find(self._raw(key)) is not None

    def __iter__(self) -> Iterator[Any]:
        return (from_key(unpack(self.declared.key, key)) for key in list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def _raw(self, key: Any) -> bytes:
        return encoded(self.declared.key, to_key(self.declared.key, key))


def _begins(data: bytes, prefix: bytes, bits: int) -> bool:
    shift = 8 * len(prefix) - bits
    return int.from_bytes(data, "big") >> shift == int.from_bytes(prefix, "big") >> shift


class RecordView(StructView):
    """A reserved record. What is done with it after ``submit`` or ``discard`` is an error."""

    def __init__(self, kind: StructType, ring: "FakeRing") -> None:
        super().__init__(kind, memoryview(bytearray(kind.size)))
        object.__setattr__(self, "_ring", ring)

    @property
    def struct(self) -> StructType:
        """Its class."""
        return self._kind  # type: ignore[no-any-return]

    def submit(self) -> None:
        """Hand the record over."""
        self._ring.finish(self, bytes(self))

    def discard(self) -> None:
        """Give the room back."""
        self._ring.finish(self, None)


class FakeRing:
    """A ring: ``reserve`` and ``output`` as a program calls them; ``events`` is what a reader would get.

    ``lost`` and ``attempts`` count as the kernel does: a ring that holds ``size`` bytes refuses.
    """

    def __init__(self, declared: Ring, state: Any, stamps: dict[str, Callable[[], int]]) -> None:
        self.declared, self._state, self._stamps = declared, state, stamps
        self.events: list[Any] = []
        self.held: list[RecordView] = []
        self._used = 0

    @property
    def attempts(self) -> int:
        """Records that programs tried to reserve."""
        return int(self._state.seq)

    @property
    def lost(self) -> int:
        """Records that found no room."""
        return int(self._state.lost)

    def reserve(self, record: StructType | None = None) -> RecordView | None:
        """A record with its header stamped, or None where the ring is full."""
        kind = type_of(record) or self.declared.records[0]
        number = self._attempt(kind.size)
        if number is None:
            return None
        view = RecordView(kind, self)
        for name, stamp in getattr(kind, "stamps", {}).items():
            known = {"sequence": number} | {k: v() for k, v in self._stamps.items()}
            setattr(view, name, known[stamp] if isinstance(stamp, str) else stamp)
        self.held.append(view)
        return view

    def poll(self) -> list[Any]:
        """What a reader takes: the events so far, whose room is free then."""
        taken, self.events, self._used = self.events, [], 0
        return taken

    def output(self, data: View, size: int | None = None) -> int:
        """Copy bytes into the ring; 0, or a negative error number."""
        raw = encoded(data.cell.kind, data) if isinstance(data, Reference) else bytes(data)
        raw = raw if size is None else raw[: int(size)]
        if self._attempt(len(raw)) is None:
            return -errno.EAGAIN
        self.events.append(raw)
        return 0

    def _attempt(self, size: int) -> int | None:
        number = int(self._state.seq)
        self._state.seq += 1
        room = -(-(size + SLOT_HEADER) // 8) * 8
        if self._used + room > self.declared.entries:
            self._state.lost += 1
            return None
        self._used += room
        return number

    def finish(self, record: RecordView, data: bytes | None) -> None:
        """End a record that is held."""
        kind = record.struct
        if not any(record is other for other in self.held):
            raise RuntimeError(f"this {kind.__name__} was submitted or discarded before")
        self.held = [other for other in self.held if other is not record]
        if data is not None:
            self.events.append(kind.from_bytes(data))
