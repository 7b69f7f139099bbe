"""Live things as Protocols: what a power receives from the agent, which alone loads.

``skep.kernel`` has the real ones, ``skep.testing`` the fakes; neither is named here. Nothing of
this module runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np

    from skep.lang.struct import StructType

    Column = np.ndarray[Any, Any]

K = TypeVar("K")
V = TypeVar("V")


class Map(Protocol[K, V]):
    """A map of the kernel as a mapping; a per-CPU map has lists, with a value for each CPU."""

    def __getitem__(self, key: K) -> V: ...
    def __setitem__(self, key: K, value: V) -> None: ...
    def __delitem__(self, key: K) -> None: ...
    def __contains__(self, key: K) -> bool: ...
    def __iter__(self) -> Iterator[K]: ...
    def get(self, key: K, default: V | None = None) -> V | None:
        """The value of a key, else ``default``."""
        ...

    def items(self) -> Iterable[tuple[K, V]]:
        """Pairs of key and value, read many at a time."""
        ...

    def update(self, entries: Mapping[K, V] | Iterable[tuple[K, V]] = (), /) -> None:
        """Writes many entries; none where one of them does not fit its type."""
        ...

    def batches(self, size: int = 4096, *, take: bool = False) -> Iterable[tuple[Column, Column]]:
        """Arrays of keys and of values, ``size`` at a time; ``take`` deletes what it reads."""
        ...


class RingMemory(Protocol):
    """The pages of a ring buffer: ``data``, of ``size`` bytes (a power of two), mapped twice.

    Positions count bytes and never wrap around. Between both positions lie slots: 8 bytes of
    header, then the record.
    """

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def tails(self) -> bool:
        """Whether bytes are behind each record, as many as it needs."""
        ...

    @property
    def data(self) -> memoryview:
        """The slots, twice in a row: any window of ``size`` bytes is contiguous."""
        ...

    def positions(self) -> tuple[int, int]:
        """The consumer's position and the producer's, read in this order."""
        ...

    def consume(self, position: int) -> None:
        """Gives the space before ``position`` back to the kernel; views of it are void then."""
        ...


class Ring(RingMemory, Protocol):
    """A ring with its state: what it counted, and its doorbell."""

    @property
    def records(self) -> Sequence[StructType]:
        """The classes that it carries, all of one size."""
        ...

    @property
    def attempts(self) -> int:
        """Records that programs tried to reserve."""
        ...

    @property
    def refused(self) -> int:
        """Attempts that found no room."""
        ...

    def fileno(self) -> int:
        """A descriptor that is readable (edge-triggered) when the doorbell rang."""
        ...

    def arm(self) -> None:
        """The next record rings the doorbell, once; look at ``positions`` again after."""
        ...

    def disarm(self) -> None:
        """Nothing rings."""
        ...


class Runs(Protocol):
    """What the kernel counts of a program; times only while run statistics are enabled."""

    @property
    def run_cnt(self) -> int:
        """Runs."""
        ...

    @property
    def run_time_ns(self) -> int:
        """Time of all runs."""
        ...

    @property
    def recursion_misses(self) -> int:
        """Runs that were left out because the program was already running on that CPU."""
        ...


class Program(Protocol):
    """A loaded program."""

    def info(self) -> Runs:
        """What the kernel counts of it, now."""
        ...


class Link(Protocol):
    """An attached program; closed, it is detached."""

    def close(self) -> None:
        """Detaches."""
        ...
