"""Many entries of a map at a time, as numpy arrays: 250 to 500 ns an entry, where single lookups cost 5,000.

numpy is imported with the first batch. The arrays belong to the caller.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from skep.base.lazy import lazy
from skep.kernel.chunks import Chunk
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

    @property
    def spec(self) -> MapSpec:
        """Its types."""
        ...

    cpus: int
    value_bytes: int


def dtype_of(kind: IntType | ArrayType | StructType) -> DType:
    """What np.dtype() takes for a type of the language."""
    if isinstance(kind, StructType):
        return kind.dtype
    if isinstance(kind, ArrayType):
        return f"S{kind.count}" if kind.element is char else (dtype_of(kind.element), (kind.count,))
    return kind.code


class Batches:
    """Iterates over pairs of arrays: keys of shape (n,), values of shape (n,), of a per-CPU map (n, CPUs)."""

    def __init__(self, source: Source, chunks: Iterable[Chunk]) -> None:
        self._source, self._chunks = source, chunks

    def __iter__(self) -> "Iterator[Arrays]":
        return (self._arrays(*chunk) for chunk in self._chunks)

    def joined(self) -> "Arrays":
        """All entries as one pair of arrays; of an empty map they have no element."""
        found = list(self) or [self._arrays(bytearray(), bytearray(), 0)]
        keys, values = zip(*found, strict=True)
        return np.concatenate(keys), np.concatenate(values)

    def _arrays(self, keys: bytearray, values: bytearray, count: int) -> "Arrays":
        spec, cpus = self._source.spec, self._source.cpus
        each = count * (cpus or 1)
        key = _within(spec.key, spec.key_size)
        slot = _within(spec.value, self._source.value_bytes // (cpus or 1))
        shape = (count, cpus) if cpus else (count,)
        return (
            np.frombuffer(keys, key, count)["_"] if count else np.empty(0, key)["_"],
            (np.frombuffer(values, slot, each) if count else np.empty(0, slot)).reshape(shape)["_"],
        )


def packed(source: Source, keys: DType, values: DType) -> tuple[bytes, bytes]:
    """Arrays of keys and values, as ``Batches`` gives them, as the bytes that the kernel takes.

    TypeError and ValueError for what does not fit: nothing is cut or wrapped around.
    """
    spec, cpus = source.spec, source.cpus
    keys, values = np.asarray(keys), np.asarray(values)
    slot = _within(spec.value, source.value_bytes // (cpus or 1))
    if len(keys) != len(values):
        raise ValueError(f"{spec.name}: there are {len(keys)} keys and {len(values)} values")
    shape = (len(values), cpus) if cpus else (len(values),)
    made = np.zeros(len(keys), _within(spec.key, spec.key_size)), np.zeros(shape, slot)
    for array, given, what in zip(made, (keys, values), ("keys", "values"), strict=True):
        _fill(array["_"], given, f"{spec.name}: {what}")
    return made[0].tobytes(), made[1].tobytes()


def _fill(target: DType, given: DType, place: str) -> None:
    """Copy what fits exactly."""
    if target.dtype.names:
        if given.dtype.names != target.dtype.names:
            names = ", ".join(target.dtype.names)
            raise TypeError(f"{place} have the fields {names}, not those of {given.dtype}")
        for name in target.dtype.names:
            _fill(target[name], given[name], f"{place}.{name}")
        return
    if target.shape != given.shape:
        raise ValueError(f"{place} have the shape {target.shape}, not {given.shape}")
    if given.size and target.dtype.kind != "S" and given.dtype.kind not in "iu":
        raise TypeError(f"{place} are integers, not {given.dtype}")
    if given.size and not np.can_cast(given.dtype, target.dtype, "safe"):
        _refuse_misfits(target.dtype, given, place)
    target[...] = given


def _refuse_misfits(kind: DType, given: DType, place: str) -> None:
    if kind.kind == "S":
        size = given.dtype.itemsize
        raise ValueError(f"{place} are of at most {kind.itemsize} bytes, not of up to {size}")
    limits = np.iinfo(kind)
    low, high = int(given.min()), int(given.max())
    if not limits.min <= low <= high <= limits.max:
        raise ValueError(f"{place} are from {limits.min} to {limits.max}, not {low} to {high}")


def _within(kind: IntType | ArrayType | StructType, size: int) -> DType:
    """A type as the only field of ``size`` bytes."""
    return np.dtype({"names": ["_"], "formats": [dtype_of(kind)], "offsets": [0], "itemsize": size})
