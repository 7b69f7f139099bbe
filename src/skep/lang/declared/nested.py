"""Declarations of maps that hold programs, for tail calls, or other maps."""

from typing import Any, Unpack

from skep.lang.maps import Declaration, Options, Table, compiled
from skep.lang.objects import objects_of
from skep.lang.spec import MapType
from skep.lang.types import u32

INNER = frozenset(
    {
        MapType.HASH,
        MapType.ARRAY,
        MapType.PERCPU_HASH,
        MapType.PERCPU_ARRAY,
        MapType.LRU_HASH,
        MapType.LRU_PERCPU_HASH,
        MapType.LPM_TRIE,
    }
)


class ProgArray(Declaration):
    """``ProgArray(entries)``: programs of one kind by number, which ``call`` goes on in. Linux 4.2."""

    type = MapType.PROG_ARRAY

    def __init__(self, entries: int, **options: Unpack[Options]) -> None:
        super().__init__(u32, u32, entries, **options)

    def call(self, context: Any, index: int) -> None:
        """Go on in a program, with this one's context; it comes back only where there is none at the index."""
        raise compiled("call")


class ArrayOfMaps(Declaration):
    """``ArrayOfMaps(inner, entries)``: maps by number, each as ``inner`` declares it. Linux 4.12."""

    type = MapType.ARRAY_OF_MAPS

    def __init__(self, inner: Table, entries: int, **options: Unpack[Options]) -> None:
        _check(inner)
        super().__init__(u32, u32, entries, **options)
        self.inner = inner

    def lookup(self, key: Any) -> Any:
        """The map of a key, used as ``inner`` is, or None."""
        raise compiled("lookup")

    def __contains__(self, key: Any) -> bool:
        raise compiled("in")


class HashOfMaps(ArrayOfMaps):
    """``HashOfMaps(key, inner, entries)``: maps by key, each as ``inner`` declares it. Linux 4.12."""

    type = MapType.HASH_OF_MAPS

    def __init__(self, key: Any, inner: Table, entries: int, **options: Unpack[Options]) -> None:
        super().__init__(inner, entries, **options)
        self.key = key


def _check(inner: Table) -> None:
    if not isinstance(inner, Table) or inner.type not in INNER:
        given = f"a {type(inner).__name__}" if isinstance(inner, Declaration) else repr(inner)
        raise TypeError(f"a map of maps holds hashes, arrays and LPM tries, not {given}")
    if objects_of(inner.value):
        raise TypeError(
            f"it holds no maps whose values link or keep objects ({inner.value!r}): their types are those of programs"
        )


class CgroupArray(Declaration):
    """``CgroupArray(entries)``: cgroups by number. Linux 4.8."""

    type = MapType.CGROUP_ARRAY

    def __init__(self, entries: int, **options: Unpack[Options]) -> None:
        super().__init__(u32, u32, entries, **options)

    def holds_current(self, index: int) -> int:
        """1 where the current task is in the cgroup of an index, or below it, else 0; a negative errno without one."""
        raise compiled("holds_current")
