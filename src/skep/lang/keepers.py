"""Fields in which a map's value, or an object, keeps one object, without a list: ``entry: Owned[Entry]``.

In memory a keeper is an address of the kernel's, which nobody sees; objects go in and out by exchange. What a keeper is
of, the kernel is told by a note on the pointer.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from skep.lang.objects import (
    NODES,
    Keeper,
    check_object,
    compiled,
    is_kernels,
    is_object,
)
from skep.lang.struct import StructType

T = TypeVar("T")

KEEPER_SIZE = 8
LARGEST_PER_CPU = 512
"""Bytes of an object of each CPU that the kernel allocates to programs."""


class _Owned(Keeper):
    note = "kptr"


class _PerCpu(Keeper):
    note = "percpu_kptr"


_Owned.__name__, _PerCpu.__name__ = "Owned", "PerCpu"


def is_per_cpu(kind: Any) -> bool:
    """Whether a type keeps objects of each CPU."""
    return isinstance(kind, StructType) and issubclass(kind, _PerCpu)


def check_per_cpu(element: StructType) -> None:
    """Refuse objects that the kernel does not make for each CPU. TypeError."""
    for field in element.fields:
        if field.type in NODES or is_kernels(field.type):
            raise TypeError(
                f"{element!r}.{field.name}: an object of each CPU has numbers, arrays and Structs, no {field.type!r}"
            )
    if element.size > LARGEST_PER_CPU:
        raise TypeError(
            f"{element!r} has {element.size} bytes; an object of each CPU has {LARGEST_PER_CPU} at most"
        )


def _keeper(kind: Any, base: StructType) -> StructType:
    """The class of the fields that keep objects of a class. TypeError where there is none."""
    word = base.__name__
    if not is_object(kind):
        raise TypeError(
            f"{word}[...] takes a class of objects, class Entry(skep.Object), not {kind!r}"
        )
    check_object(kind)
    if base is _PerCpu:
        check_per_cpu(kind)
    made = StructType(f"{word}[{kind!r}]", (base,), {"element": kind}, size=KEEPER_SIZE)
    made.align = KEEPER_SIZE
    return made


@cache
def _owned(element: Any) -> StructType:
    return _keeper(element, _Owned)


@cache
def _per_cpu(element: Any) -> StructType:
    return _keeper(element, _PerCpu)


if TYPE_CHECKING:

    class _Kept(Generic[T]):
        """What both offer."""

        def set(self, entry: T, /) -> None:
            """Keep an object, and drop the one before; in PerCpu one that ``new_per_cpu()`` made."""
            raise compiled("set()")

        def swap(self, entry: T, /) -> T | None:
            """Keep an object, and give the one before, or None: it is the program's from now on."""
            raise compiled("swap()")

        def take(self) -> T | None:
            """Give the object, or None: it is the program's from now on, and nothing is kept."""
            raise compiled("take()")

        def clear(self) -> int:
            """Drop the object; 1 where there was one."""
            raise compiled("clear()")

    class Owned(_Kept[T]):
        """A field of a value, or of an object (6.12), that keeps one object: ``entry: Owned[Entry]``. Linux 6.6."""

        def get(self) -> T | None:
            """The object, or None: it stays, and is read and written where it is."""
            raise compiled("get()")

    class PerCpu(_Kept[T]):
        """A field of a value that keeps an object of each CPU: ``counts: PerCpu[Counts]``. Linux 6.7."""

        def here(self) -> T | None:
            """That of the CPU that runs the program, or None where nothing is kept: read and written."""
            raise compiled("here()")

        def on(self, cpu: int, /) -> T | None:
            """That of another CPU, or None where nothing is kept, or there is no such CPU."""
            raise compiled("on()")

else:

    class Owned:
        """A field of a value, or of an object (6.12), that keeps one object: ``entry: Owned[Entry]``. Linux 6.6."""

        def __class_getitem__(cls, element: Any) -> StructType:
            return _owned(element)

    class PerCpu:
        """A field of a value that keeps an object of each CPU: ``counts: PerCpu[Counts]``. Linux 6.7."""

        def __class_getitem__(cls, element: Any) -> StructType:
            return _per_cpu(element)
