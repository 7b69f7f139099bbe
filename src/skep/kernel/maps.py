"""A live map with keys: a dict of Python values, and batches for what is large.

Keys and values are exact: what does not fit its type is refused before the kernel is asked. A single lookup costs about
5 us and is for small maps and tests; whole maps are read and written in batches, the hot way is a batch into numpy.
"""

import errno
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skep.base.errors import KernelError
from skep.kernel.batches import Batches, packed
from skep.kernel.chunks import MAX_BATCH
from skep.kernel.elements import NOEXIST, Elements
from skep.kernel.views import Items, Keys, Values
from skep.lang.exact import exact
from skep.lang.prefixes import from_key, to_key
from skep.lang.spec import MapType
from skep.lang.struct import unpack

if TYPE_CHECKING:
    from skep.kernel.batches import Arrays

Value = Any
"""A value of the language: int, str, list or Struct; of a per-CPU map a list of them."""

Pairs = Mapping[Value, Value] | Iterable[tuple[Value, Value]]
INDEXED = frozenset(
    {
        MapType.ARRAY,
        MapType.PERCPU_ARRAY,
        MapType.ARRAY_OF_MAPS,
        MapType.CGROUP_ARRAY,
        MapType.DEVMAP,
        MapType.CPUMAP,
        MapType.XSKMAP,
        MapType.SOCKMAP,
        MapType.REUSEPORT_SOCKARRAY,
    }
)
"""Types whose keys are numbers below that of the entries."""
_NONE = object()


class Map(Elements):
    """``with Map.create(spec) as m: m[key] = value``: a map of the kernel as a mutable mapping.

    A value is an int, str, list or Struct, as its type says; of a per-CPU map a list, one for each possible CPU. The
    keys of an LPM map of ``Prefix4`` or ``Prefix6`` are networks of ``ipaddress``. TypeError and ValueError for keys
    and values that do not fit; IndexError behind the end of an array; KernelError [E2BIG] where the map is full.
    """

    def __getitem__(self, key: Value) -> Value:
        found = self.lookup(self.pack_key(key))
        if found is None:
            raise KeyError(key)
        return self.unpack_value(found)

    def __setitem__(self, key: Value, value: Value) -> None:
        self.put(self.pack_key(key), self.pack_value(value))

    def __delitem__(self, key: Value) -> None:
        self._refuse_array("deleted")
        if not self.delete(self.pack_key(key)):
            raise KeyError(key)

    def __contains__(self, key: Value) -> bool:
        return self.get(key, _NONE) is not _NONE

    def __iter__(self) -> Iterator[Value]:
        return (self.unpack_key(key) for key in self.raw_keys())

    def __len__(self) -> int:
        """Entries that are there, counted by reading them; of an array all."""
        if self.spec.type in INDEXED:
            return self.spec.entries
        return sum(count for _, _, count in self.chunks())

    def __bool__(self) -> bool:
        return True

    def keys(self) -> Keys:
        """The keys; those of a map that changes meanwhile may be missed or seen twice."""
        return Keys(self)

    def values(self) -> Values:
        """The values."""
        return Values(self)

    def items(self) -> Items:
        """Pairs of key and value."""
        return Items(self)

    def get(self, key: Value, default: Value = None) -> Value:
        """The value of a key, else ``default``."""
        try:
            return self[key]
        except (KeyError, IndexError):
            return default

    def setdefault(self, key: Value, default: Value) -> Value:
        """The value of a key, which gets ``default`` where it is missing."""
        try:
            self.put(self.pack_key(key), self.pack_value(default), NOEXIST)
        except KernelError as error:
            if error.errno != errno.EEXIST:
                raise
        return self.get(key, default)

    def pop(self, key: Value, default: Value = _NONE) -> Value:
        """Takes a value out of the map, at once where the kernel can (hash maps since Linux 5.14)."""
        self._refuse_array("taken out")
        found = self.take(self.pack_key(key))
        if found is not None:
            return self.unpack_value(found)
        if default is _NONE:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[Value, Value]:
        """Takes out any entry; KeyError where there is none."""
        self._refuse_array("taken out")
        for key in self.raw_keys():
            found = self.take(key)
            if found is not None:
                return self.unpack_key(key), self.unpack_value(found)
        raise KeyError(f"{self.spec.name} is empty")

    def update(self, entries: Pairs = (), /) -> None:
        """Writes many entries; none where one of them does not fit its type.

        KernelError [E2BIG] where the map is full, with how many were written before.
        """
        pairs = entries.items() if isinstance(entries, Mapping | Map) else entries
        packed = [(self.pack_key(key), self.pack_value(value)) for key, value in pairs]
        if packed:
            keys, values = (b"".join(parts) for parts in zip(*packed, strict=True))
            self.write(keys, values)

    def update_arrays(self, keys: Any, values: Any) -> None:  # noqa: ANN401 - what numpy.asarray() takes
        """Writes entries from arrays, as ``arrays()`` gives them: 500 ns an entry, where ``update`` takes 5,000.

        TypeError, ValueError and IndexError for what does not fit, before anything is written. KernelError [E2BIG]
        where the map is full, with how many were written before.
        """
        raw = packed(self, keys, values)
        if self.spec.type in INDEXED and raw[0]:
            self.pack_key(max(memoryview(raw[0]).cast("I")))
        if raw[0]:
            self.write(*raw)

    def clear(self) -> None:
        """Deletes all entries; of an array, sets them to zero."""
        if self.spec.type not in INDEXED:
            for _ in self.chunks(take=True):
                pass
            return
        for key in self.raw_keys():
            self.put(key, bytes(self.value_bytes))

    def drain(self) -> list[tuple[Value, Value]]:
        """Takes out all entries, so that no count is lost in between; those of an array are read, then set to zero."""
        if self.spec.type not in INDEXED:
            return list(self.items().taken())
        found = list(self.items())
        self.clear()
        return found

    def batches(self, size: int = 4096, *, take: bool = False) -> Batches:
        """Arrays of keys and values, ``size`` entries at a time; ``take`` deletes what it reads. See Batches."""
        return Batches(self, self.chunks(size, take=take))

    def arrays(self, *, take: bool = False) -> "Arrays":
        """All keys and all values, as one numpy array each. See Batches."""
        return self.batches(MAX_BATCH, take=take).joined()

    def _refuse_array(self, what: str) -> None:
        if self.spec.type in INDEXED:
            problem = f"entries of an array cannot be {what}; set them to zero"
            raise TypeError(f"{self.spec.name}: {problem}")

    # --- conversions ----------------------------------------------------------------------------------------------

    def pack_key(self, key: Value) -> bytes:
        """The bytes of a key. IndexError behind the end of an array."""
        raw = exact(self.spec.key, to_key(self.spec.key, key), f"{self.spec.name}: key")
        if self.spec.type in INDEXED and int(key) >= self.spec.entries:
            last = self.spec.entries - 1
            raise IndexError(f"{self.spec.name} has entries 0 to {last}, not {key}")
        return raw

    def unpack_key(self, data: bytes) -> Value:
        """The key in bytes."""
        return from_key(self.spec.key, unpack(self.spec.key, data))

    def pack_value(self, value: Value) -> bytes:
        """The bytes of a value; of a per-CPU map a list with one for each possible CPU."""
        place = f"{self.spec.name}: value"
        if not self.cpus:
            return exact(self.spec.value, value, place)
        wanted = f"a list of {self.cpus} values, one for each CPU"
        if not isinstance(value, list | tuple):
            raise TypeError(f"{place} is {wanted}, not {value!r}")
        if len(value) != self.cpus:
            raise ValueError(f"{place} is {wanted}, not {len(value)}")
        each = (exact(self.spec.value, one, f"{place}[{cpu}]") for cpu, one in enumerate(value))
        return b"".join(one.ljust(self.slot, b"\0") for one in each)

    def unpack_value(self, data: bytes | memoryview) -> Value:
        """The value in ``value_bytes`` bytes."""
        if not self.cpus:
            return unpack(self.spec.value, data)
        return [unpack(self.spec.value, data[cpu * self.slot :]) for cpu in range(self.cpus)]
