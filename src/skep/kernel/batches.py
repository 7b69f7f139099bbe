"""Many entries of a map at a time, as numpy arrays: 250 to 500 ns an entry, where single lookups cost 5,000.

numpy is imported with the first batch. The arrays belong to the caller. A map that changes while it is read may show an
entry twice or not at all; with ``take`` each entry is read once and is gone from the map then.
"""

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from skep.base.lazy import lazy
from skep.kernel import commands
from skep.kernel.bpf import Door
from skep.kernel.commands import Batch, Command
from skep.kernel.refusal import ABSENT, refusal
from skep.lang.spec import MapSpec
from skep.lang.struct import StructType
from skep.lang.types import ArrayType, IntType, char

if TYPE_CHECKING:
    import numpy.typing as npt

    Arrays = tuple[npt.NDArray[Any], npt.NDArray[Any]]

DType = Any
"""What np.dtype() takes."""

np = lazy("numpy")


class Source(Protocol):
    """The map that is read, as far as it matters here."""

    spec: MapSpec
    fd: int
    cpus: int
    value_bytes: int

    def raw_keys(self) -> Iterator[bytes]:
        """The keys."""
        ...

    def lookup(self, key: bytes) -> bytes | None:
        """A value."""
        ...

    def take(self, key: bytes) -> bytes | None:
        """A value, which is then deleted."""
        ...


def dtype_of(kind: IntType | ArrayType | StructType) -> DType:
    """What np.dtype() takes for a type of the language."""
    if isinstance(kind, StructType):
        return kind.dtype
    if isinstance(kind, ArrayType):
        return f"S{kind.count}" if kind.element is char else (dtype_of(kind.element), (kind.count,))
    return kind.code


class Batches:
    """Iterates over pairs of arrays: keys of shape (n,), values of shape (n,), or (n, CPUs) where the map is per-CPU.

    Where the kernel has no batch command for the map's type (stack traces), entries are read one by one.
    """

    def __init__(self, source: Source, size: int, *, take: bool, door: Door) -> None:
        self._source, self._size, self._take, self._door = source, size, take, door
        self._command = Command.MAP_LOOKUP_AND_DELETE_BATCH if take else Command.MAP_LOOKUP_BATCH

    def __iter__(self) -> "Iterator[Arrays]":
        source, cursor, first = self._source, bytearray(max(self._source.spec.key_size, 8)), True
        while True:
            keys = bytearray(self._size * source.spec.key_size)
            values = bytearray(self._size * source.value_bytes)
            batch = Batch(keys, values, self._size, cursor)
            count, code = commands.map_batch(
                self._door, self._command, source.fd, batch, first=first
            )
            if code == errno.ENOSPC:  # one bucket holds more than the arrays do
                self._size *= 2
                continue
            if code in ABSENT and first:
                yield from self._singly()
                return
            if code not in (0, errno.ENOENT):
                name = f"BPF_{self._command.name}"
                raise refusal(OSError(code, ""), name, source.spec.name, door=self._door)
            if count:
                yield self._arrays(keys, values, count)
            if code:
                return
            first = False

    def _arrays(self, keys: bytearray, values: bytearray, count: int) -> "Arrays":
        spec, cpus = self._source.spec, self._source.cpus
        slot = np.dtype(
            {
                "names": ["value"],
                "formats": [dtype_of(spec.value)],
                "offsets": [0],
                "itemsize": self._source.value_bytes // (cpus or 1),
            }
        )
        shape = (count, cpus) if cpus else (count,)
        key = np.dtype(
            {"names": ["key"], "formats": [dtype_of(spec.key)], "itemsize": spec.key_size}
        )
        return (
            np.frombuffer(keys, key, count)["key"],
            np.frombuffer(values, slot, count * (cpus or 1)).reshape(shape)["value"],
        )

    def _singly(self) -> "Iterator[Arrays]":
        """The same with one system call for each entry."""
        read = self._source.take if self._take else self._source.lookup
        keys, values = bytearray(), bytearray()
        for key in list(self._source.raw_keys()):
            value = read(key)
            if value is not None:
                keys += key
                values += value
        if keys:
            yield self._arrays(keys, values, len(keys) // self._source.spec.key_size)
