"""Declarations of maps: values that a program captures and a loader makes live.

A declaration is compared by identity: two programs that capture the same one share one live map. In a program its
methods are compiled; in plain Python they are those of the fakes that a test binds (``skep.testing``).
"""

from typing import Any

from skep.lang.spec import MapSpec, MapType
from skep.lang.struct import Struct, StructType, sized
from skep.lang.types import u32, u64

PREALLOCATED, NO_PREALLOC = 0, 1
MMAPABLE = 1 << 10


class Declaration:
    """A map to be: its type, key, value and number of entries (of bytes, for a ring)."""

    type: MapType

    def __init__(
        self, key: Any, value: Any, entries: int, *, flags: int = 0, name: str = ""
    ) -> None:
        if entries < 1:
            raise ValueError(f"a map needs at least one entry, not {entries}")
        for what, kind in (("key", key), ("value", value)):
            if kind is not None:
                sized(f"{type(self).__name__}(...), {what}", kind)
        self.key, self.value, self.entries = key, value, entries
        self.flags, self.name = flags, name

    def spec(self, name: str = "") -> MapSpec:
        """The spec, under the declaration's own name or else ``name`` (cut to the kernel's 15 characters)."""
        return MapSpec(
            (self.name or name)[:15], self.type, self.key, self.value, self.entries, self.flags
        )

    # What a program writes; compiled there, and refused everywhere else.

    def lookup(self, key: Any) -> Any:
        """The value of a key, in place, or None."""
        raise _compiled("lookup")

    def update(self, key: Any, value: Any, flags: int = 0) -> int:
        """Set a key's value; 0, or a negative errno."""
        raise _compiled("update")

    def delete(self, key: Any) -> int:
        """Forget a key; 0, or a negative errno."""
        raise _compiled("delete")

    def increment(self, key: Any, by: int = 1) -> None:
        """Add to the number of a key, which is made where it is missing."""
        raise _compiled("increment")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise _compiled("update")

    def __delitem__(self, key: Any) -> None:
        raise _compiled("delete")

    def __contains__(self, key: Any) -> bool:
        raise _compiled("in")


def _compiled(what: str) -> TypeError:
    return TypeError(
        f"{what} on a declared map exists in programs; the live map is live[...] of skep.load(...)"
    )


class Hash(Declaration):
    """``Hash(key, value, entries)``: BPF_MAP_TYPE_HASH."""

    type = MapType.HASH


class PerCpuHash(Declaration):
    """As Hash, with a value for each CPU."""

    type = MapType.PERCPU_HASH


class LruHash(Declaration):
    """As Hash; a full map forgets the entry that was used least recently."""

    type = MapType.LRU_HASH


class LruPerCpuHash(Declaration):
    """As LruHash, with a value for each CPU."""

    type = MapType.LRU_PERCPU_HASH


class Lpm(Declaration):
    """Longest prefix match: ``key`` is a Struct whose first field is the ``u32`` prefix length in bits."""

    type = MapType.LPM_TRIE

    def __init__(self, key: Any, value: Any, entries: int, *, name: str = "") -> None:
        if not isinstance(key, StructType) or not key.fields or key.fields[0].type is not u32:
            raise TypeError(
                "the key of an Lpm map is a Struct whose first field is a u32, the prefix length"
            )
        super().__init__(key, value, entries, flags=NO_PREALLOC, name=name)


class Array(Declaration):
    """``Array(value, entries)``: indexed by u32, zero at first."""

    type = MapType.ARRAY

    def __init__(self, value: Any, entries: int, *, flags: int = 0, name: str = "") -> None:
        super().__init__(u32, value, entries, flags=flags, name=name)


class PerCpuArray(Array):
    """As Array, with a value for each CPU."""

    type = MapType.PERCPU_ARRAY


class ProgArray(Declaration):
    """Programs by number, to go on in by a tail call; a loader puts them there."""

    type = MapType.PROG_ARRAY

    def __init__(self, entries: int, *, name: str = "") -> None:
        super().__init__(None, None, entries, name=name)


class StackTraces(Declaration):
    """Stacks of addresses by stack id (``bpf_get_stackid``); ``depth`` frames at most."""

    type = MapType.STACK_TRACE

    def __init__(self, depth: int, entries: int, *, name: str = "") -> None:
        super().__init__(u32, u64[depth], entries, name=name)


class Global(Declaration):
    """One value of a Struct, reached by its address without a lookup, and mapped into the loader's memory."""

    type = MapType.ARRAY

    def __init__(self, value: Any, *, name: str = "") -> None:
        super().__init__(u32, value, 1, flags=MMAPABLE, name=name)


class RingState(Struct):
    """What a ring counts: attempts (``seq``) and refusals (``lost``), and its doorbell.

    ``seq`` minus ``lost`` records were delivered. ``doorbell`` is 1 while the reader sleeps and wants to be woken.
    The three lie on cache lines of their own.
    """

    seq: u64
    _pad0: u64[7]
    lost: u64
    _pad1: u64[7]
    doorbell: u32
    _pad2: u32[15]


class Ring(Declaration):
    """``Ring(Exec, Exit, size=1 << 20)``: a ring buffer of fixed-size records, with exact counts of what was lost.

    ``size`` is in bytes, a power of two of at least a page. All records have one size, so that a reader sees them as
    one strided array. ``wakeup`` says who wakes the reader: "doorbell" (when it asked for it) or "none" (it polls).
    """

    type = MapType.RINGBUF

    def __init__(
        self, *records: StructType, size: int = 1 << 20, wakeup: str = "doorbell", name: str = ""
    ) -> None:
        if not records:
            raise TypeError("Ring(...) takes the records that it carries")
        for record in records:
            if not isinstance(record, StructType):
                raise TypeError(f"Ring(...) carries classes of records, not {record!r}")
        sizes = {record.size for record in records}
        if len(sizes) > 1:
            listed = ", ".join(f"{r.__name__} {r.size}" for r in records)
            raise TypeError(
                f"all records of a ring have one size in bytes, here: {listed}; pad them with size="
            )
        if any(record.size % 8 for record in records):
            raise TypeError(
                f"{records[0].__name__} has {records[0].size} bytes; a ring takes multiples of 8"
            )
        if size < 4096 or size & (size - 1):
            raise ValueError(
                f"the size of a ring is a power of two of at least 4096 bytes, not {size}"
            )
        if wakeup not in ("doorbell", "none"):
            raise ValueError(f'wakeup is "doorbell" or "none", not {wakeup!r}')
        super().__init__(None, None, size, name=name)
        self.records, self.wakeup = records, wakeup
        self.state = Global(RingState, name=f"{name}_state"[:15] if name else "")

    def reserve(self, record: Any = None) -> Any:
        """A record with its header stamped, or None where the ring is full; then ``submit()`` or ``discard()``."""
        raise _compiled("reserve")

    def output(self, data: Any, size: int = 0) -> int:
        """Copy memory into the ring, stamping nothing; 0, or a negative errno."""
        raise _compiled("output")
