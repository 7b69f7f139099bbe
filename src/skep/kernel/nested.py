"""Live maps that hold other objects of the kernel: programs for tail calls, and maps.

The kernel takes descriptors and gives back ids; here that is programs and maps on both sides.
"""

import errno
import struct
from collections.abc import Iterator, Mapping
from typing import ClassVar, Protocol

from skep.kernel import commands
from skep.kernel.bpf import DOOR, Door
from skep.kernel.commands import Command
from skep.kernel.handle import Handle
from skep.kernel.maps import Map, Value
from skep.kernel.references import References
from skep.kernel.refusal import refused
from skep.lang.exact import exact
from skep.lang.spec import MapSpec
from skep.lang.types import u32

_U32 = struct.Struct("<I")


class Descriptor(Protocol):
    """A program, as far as it matters here."""

    @property
    def fd(self) -> int:
        """Its descriptor."""
        ...


class Programs(Handle):
    """An array of programs by index; ``[index]`` is a program's id."""

    REFUSED: ClassVar[dict[int, str]] = {
        errno.EINVAL: "all programs in it are of the kind of those that use it"
    }

    def _key(self, index: int) -> bytes:
        raw = exact(u32, index, f"{self.spec.name}: index")
        if index >= self.spec.entries:
            raise IndexError(
                f"{self.spec.name} has places 0 to {self.spec.entries - 1}, not {index}"
            )
        return raw

    def __setitem__(self, index: int, program: Descriptor) -> None:
        """Puts a program in; KernelError [EINVAL] where it is not of the kind of those that use the array."""
        fd = getattr(program, "fd", None)
        if not isinstance(fd, int):
            raise TypeError(f"{self.spec.name} takes loaded programs, not {program!r}")
        self.element(Command.MAP_UPDATE, self._key(index), _U32.pack(fd))

    def __getitem__(self, index: int) -> int:
        value = bytearray(4)
        if self.element(Command.MAP_LOOKUP, self._key(index), value) is not None:
            raise KeyError(index)
        return int(_U32.unpack(value)[0])

    def __delitem__(self, index: int) -> None:
        if self.element(Command.MAP_DELETE, self._key(index)) is not None:
            raise KeyError(index)

    def __contains__(self, index: int) -> bool:
        return index in range(self.spec.entries) and any(index == one for one in self)

    def __iter__(self) -> Iterator[int]:
        """The places that hold a program."""
        value = bytearray(4)
        for index in range(self.spec.entries):
            if self.element(Command.MAP_LOOKUP, _U32.pack(index), value) is None:
                yield index

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return True


class MapOfMaps(References):
    """Maps by key: ``outer[5] = {1: 10}`` puts a new map in, ``outer[5][1]`` reads from it.

    An inner map that was read out is one object for as long as it stands there, and closed when it is replaced or
    deleted through this one, or with it.
    """

    REFUSED: ClassVar[dict[int, str]] = {errno.EINVAL: "the map is not as its pattern"}

    def __init__(self, spec: MapSpec, fd: int, *, door: Door = DOOR) -> None:
        super().__init__(spec, fd, door=door)
        self._opened: dict[int, Map] = {}

    @property
    def inner(self) -> MapSpec:
        """The pattern of the maps in it."""
        if self.spec.inner is None:
            raise TypeError(f"{self.spec.name} has no pattern of the maps in it")
        return self.spec.inner

    def new(self, entries: Value = ()) -> Map:
        """A map by the pattern, with entries, not yet in here; the caller closes it."""
        made = Map.create(self.inner, door=self.door)
        try:
            made.update(entries)
        except BaseException:
            made.close()
            raise
        return made

    def __setitem__(self, key: Value, value: Value) -> None:
        """Puts a map in: one that is live, or the entries of a new one."""
        raw = self.pack_key(key)
        if isinstance(value, Handle):
            self._replace(raw, value)
            return
        if not isinstance(value, Mapping | list | tuple):
            problem = f"takes maps, or dicts of their entries, not {value!r}"
            raise TypeError(f"{self.spec.name} {problem}")
        with self.new(value) as made:
            self._replace(raw, made)

    def _replace(self, key: bytes, value: Handle) -> None:
        before = self.lookup(key)
        self.put(key, _U32.pack(value.fd))
        self._forget(before)

    def delete(self, key: bytes) -> bool:
        """Whether the entry was there."""
        before = self.lookup(key)
        gone = super().delete(key)
        self._forget(before)
        return gone

    def unpack_value(self, data: bytes | memoryview) -> Map:
        """The map of an id, opened once."""
        (number,) = _U32.unpack(data)
        if number not in self._opened:
            with refused("BPF_MAP_GET_FD_BY_ID", self.spec.name, door=self.door):
                fd = commands.by_id(self.door, Command.MAP_BY_ID, number)
            self._opened[number] = Map(self.inner, fd, door=self.door)
        return self._opened[number]

    def _forget(self, before: bytes | None) -> None:
        if before is not None:
            opened = self._opened.pop(_U32.unpack(before)[0], None)
            if opened is not None:
                opened.close()

    def close(self) -> None:
        """Closes the maps that were read out, and this one."""
        for opened in self._opened.values():
            opened.close()
        self._opened.clear()
        super().close()
