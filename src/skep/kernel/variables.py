"""Variables of programs as attributes: ``live[state].hits += 1`` reads and writes the memory that the program uses.

A view stands on the mapped memory of its map and is void when that is closed. A number is read and written at once;
what is wider than 8 bytes, or changed by ``+=`` while a program runs, is not. ``copy.copy`` of a view gives the Struct
or list that it shows.
"""

from copy import copy
from typing import TYPE_CHECKING, Any, Literal, Protocol

from skep.base.lazy import lazy
from skep.kernel.batches import dtype_of
from skep.kernel.layouts import Kind
from skep.lang.exact import exact, member
from skep.lang.struct import Field, StructType, pack, unpack
from skep.lang.types import ArrayType, char

if TYPE_CHECKING:
    from skep.kernel.maps import Map

np = lazy("numpy")

Value = Any
"""A number, text, or a view of what has parts."""


class Memory(Protocol):
    """Where variables stand."""

    def read(self, offset: int, size: int) -> bytes:
        """Bytes at an offset."""
        ...

    def write(self, offset: int, data: bytes) -> None:
        """Bytes to an offset."""
        ...

    def view(self, offset: int, size: int) -> "memoryview | bytes":
        """Bytes in place."""
        ...


class Mapped:
    """Memory that is mapped: numbers of up to 8 bytes go as a whole."""

    def __init__(self, view: memoryview) -> None:
        self._view = view

    def read(self, offset: int, size: int) -> bytes:
        """See Memory."""
        word = self._word(offset, size)
        return bytes(self._view[offset : offset + size]) if word is None else word.tobytes()

    def write(self, offset: int, data: bytes) -> None:
        """See Memory."""
        word = self._word(offset, len(data))
        if word is None:
            self._view[offset : offset + len(data)] = data
        else:
            word[0] = int.from_bytes(data, "little")

    def view(self, offset: int, size: int) -> memoryview:
        """See Memory."""
        return self._view[offset : offset + size]

    def _word(self, offset: int, size: int) -> "memoryview[int] | None":
        if size not in _WORDS or offset % size:
            return None
        return self._view[offset : offset + size].cast(_WORDS[size])


_WORDS: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Frozen:
    """What nobody changes any more."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self._name = data, name

    def read(self, offset: int, size: int) -> bytes:
        """See Memory."""
        return self._data[offset : offset + size]

    def write(self, offset: int, data: bytes) -> None:
        """Refuses."""
        hint = "give its values to skep.load(..., initial={...})"
        raise TypeError(f"{self._name} is constant, also at {offset} ({len(data)} bytes); {hint}")

    def view(self, offset: int, size: int) -> bytes:
        """See Memory."""
        return self.read(offset, size)


class Variables:
    """The fields of a Struct in memory as attributes. TypeError and ValueError for what does not fit a field."""

    __slots__ = ("_kind", "_memory", "_name", "_offset")

    def __init__(self, kind: StructType, memory: Memory, offset: int, name: str) -> None:
        for attribute, value in zip(
            ("_kind", "_memory", "_offset", "_name"), (kind, memory, offset, name), strict=True
        ):
            object.__setattr__(self, attribute, value)

    def __getattr__(self, name: str) -> Value:
        field = self._field(name)
        place = self._offset + field.offset
        value = _value(field.type, self._memory, place, f"{self._name}.{name}")
        return value if field.bits is None else field.bits.get(field.type, value)

    def __setattr__(self, name: str, value: Value) -> None:
        field = self._field(name)
        place, given = self._offset + field.offset, plain(value)
        member(field, given, f"{self._name}.{name}")
        if field.bits is not None:
            unit = int.from_bytes(self._memory.read(place, field.type.size), "little")
            given = field.type.wrap(field.bits.put(unit, given))
        self._memory.write(place, pack(field.type, given))

    def _field(self, name: str) -> Field:
        found: Field | None = self._kind.field(name)
        if found is None:
            names = ", ".join(field.name for field in self._kind.fields)
            raise AttributeError(f"{self._name} has no variable {name!r}; it has {names}")
        return found

    def __copy__(self) -> Value:
        """A Struct with the values as they are now."""
        return self._kind.from_bytes(self._memory.read(self._offset, self._kind.size))

    def __dir__(self) -> list[str]:
        return [field.name for field in self._kind.fields]

    def __repr__(self) -> str:
        return f"<{self._name} {self.__copy__()!r}>"


class ArrayVariable:
    """An array in memory: indexed, iterated, compared with a list."""

    __slots__ = ("_kind", "_memory", "_name", "_offset")

    def __init__(self, kind: ArrayType, memory: Memory, offset: int, name: str) -> None:
        self._kind, self._memory, self._offset, self._name = kind, memory, offset, name

    def __len__(self) -> int:
        return self._kind.count

    def _at(self, index: int) -> int:
        if not 0 <= index < self._kind.count:
            raise IndexError(f"{self._name} has elements 0 to {self._kind.count - 1}, not {index}")
        return self._offset + index * int(self._kind.element.size)

    def __getitem__(self, index: int) -> Value:
        return _value(self._kind.element, self._memory, self._at(index), f"{self._name}[{index}]")

    def __setitem__(self, index: int, value: Value) -> None:
        at = self._at(index)
        self._memory.write(at, exact(self._kind.element, plain(value), f"{self._name}[{index}]"))

    def __copy__(self) -> Value:
        """A list of the values as they are now."""
        return unpack(self._kind, self._memory.read(self._offset, self._kind.size))

    def __array__(self, dtype: Value = None, copy: Value = None) -> Value:
        """The elements as a numpy array in place: ``numpy.asarray(live[state].counts)``."""
        found = np.frombuffer(
            self._memory.view(self._offset, self._kind.size), dtype_of(self._kind.element)
        )
        return np.array(found, dtype) if copy or dtype not in (None, found.dtype) else found

    def __eq__(self, other: object) -> bool:
        return bool(self.__copy__() == plain(other))

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"<{self._name} {self.__copy__()!r}>"


def _value(kind: Kind, memory: Memory, offset: int, name: str) -> Value:
    if isinstance(kind, StructType):
        return Variables(kind, memory, offset, name)
    if isinstance(kind, ArrayType) and kind.element is not char:
        return ArrayVariable(kind, memory, offset, name)
    return unpack(kind, memory.read(offset, kind.size))


def plain(value: Value) -> Value:
    """The Struct or list that a view shows."""
    return copy(value) if isinstance(value, Variables | ArrayVariable) else value


class LiveGlobal(Variables):
    """A Global's value: its fields are attributes. What is no field is an attribute of the map (``info()``, ``fd``)."""

    __slots__ = ("_map",)

    def __init__(self, live: "Map", *, constant: bool) -> None:
        name, kind = live.spec.name, live.spec.value
        object.__setattr__(self, "_map", live)
        memory = Frozen(live.lookup(bytes(4)) or b"", name) if constant else Mapped(live.memory())
        super().__init__(kind, memory, 0, name)

    def __getattr__(self, name: str) -> Value:
        if self._kind.field(name) is None and hasattr(self._map, name):
            return getattr(self._map, name)
        return super().__getattr__(name)

    def __getitem__(self, index: int) -> Value:
        return self._map[index]

    def __setitem__(self, index: int, value: Value) -> None:
        self._map[index] = value
