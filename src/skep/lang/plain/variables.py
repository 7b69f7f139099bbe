"""A fake Global or arena: its fields are attributes, as of ``live[state]``.

Unlike in an arena, an index outside of an array is an IndexError.
"""

from typing import Any

from skep.lang.exact import exact
from skep.lang.maps import Global
from skep.lang.plain.memory import ArrayView, StructView, View, pointer
from skep.lang.struct import unpack

READING = ("items", "keys", "values", "get")


class FakeVariables:
    """``kernel[state].hits += 1``; ``copy.copy`` gives the Struct as it is now, and so does ``kernel[state][0]``."""

    __slots__ = ("_declared", "_memory")

    def __init__(self, declared: Global) -> None:
        object.__setattr__(self, "_declared", declared)
        object.__setattr__(self, "_memory", memoryview(bytearray(declared.value.size)))
        if declared.initial is not None:
            self[0] = declared.initial

    def __getattr__(self, name: str) -> Any:
        """A field; what is none is an attribute of the map, which has one entry."""
        if self._declared.value.field(name) is None and name in READING:
            return getattr({0: self[0]}, name)
        found = getattr(inside(self), name)
        return found if isinstance(found, StructView | ArrayView) else int(found)

    def __setattr__(self, name: str, value: Any) -> None:
        """TypeError and ValueError for what does not fit; AttributeError where there is no such field."""
        kind = self._declared.value
        field = kind.field(name)
        if field is not None and not isinstance(value, StructView | ArrayView):
            exact(field.type, value, f"{kind.__name__}.{name}")
        setattr(inside(self), name, value)

    def __getitem__(self, _key: int) -> Any:
        return unpack(self._declared.value, self._memory)

    def __setitem__(self, _key: int, value: Any) -> None:
        self._memory[:] = exact(self._declared.value, value, self._declared.value.__name__)

    def __copy__(self) -> Any:
        """The Struct as it is now."""
        return self[0]

    def __dir__(self) -> list[str]:
        return [field.name for field in self._declared.value.fields]

    def __repr__(self) -> str:
        return f"<{type(self._declared).__name__} {self[0]!r}>"


def inside(variables: FakeVariables) -> View:
    """The value in place, as a program has it."""
    return pointer(variables._declared.value, variables._memory)  # noqa: SLF001 - its fields have all other names
