"""Fake variables of the kernel: what a test says that each CPU has of one."""

from collections.abc import Sequence
from typing import Any

from skep.lang.plain.memory import pointer
from skep.lang.struct import pack
from skep.lang.types import IntType


class CpuVariable:
    """A variable of each CPU. It has the fields that a CPU's has, for ``hasattr``."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values

    def of(self, cpu: int) -> Any:
        """What a CPU has; None where there is no such CPU. A number of a type is a pointer to it."""
        found = self._values[int(cpu)] if int(cpu) < len(self._values) else None
        kind: Any = type(found)
        if not isinstance(kind, IntType):
            return found
        return pointer(kind, memoryview(bytearray(pack(kind, found))))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._values[0], name)
