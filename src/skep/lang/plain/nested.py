"""Fake maps of programs and of maps."""

import errno
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from skep.lang.declared.nested import ArrayOfMaps
from skep.lang.maps import Declaration
from skep.lang.plain.maps import FakeMap, Inside
from skep.lang.plain.memory import encoded
from skep.lang.plain.numbers import gives
from skep.lang.types import s32, u32


class TailCall(Exception):
    """Ends a program in favour of another one."""

    def __init__(self, program: Any, context: Any) -> None:
        self.program, self.context = program, context
        super().__init__("a tail call")


class FakePrograms(dict[int, Any]):
    """Programs by index: ``kernel[progs][1] = parse_tcp``; ``call`` ends the program in favour of that one."""

    def __init__(self, goes_on: Callable[[], bool]) -> None:
        super().__init__()
        self._goes_on = goes_on

    def call(self, context: Any, index: int) -> None:
        """Go on in a program; nothing happens where there is none, or after 33 of them."""
        program = self.get(int(index))
        if program is not None and self._goes_on():
            raise TailCall(program, context)


class FakeMapOfMaps:
    """Maps by key: ``kernel[outer][5] = {1: 10}`` makes one; a program finds it by ``lookup``."""

    def __init__(self, declared: ArrayOfMaps, make: Callable[[Declaration], FakeMap]) -> None:
        self.declared, self._make = declared, make
        self._maps: dict[bytes, FakeMap] = {}

    def _key(self, key: Any) -> bytes:
        raw = encoded(self.declared.key, key)
        if self.declared.key is u32 and type(self.declared) is ArrayOfMaps:
            index = int.from_bytes(raw, "little")
            return raw if index < self.declared.entries else b""
        return raw

    def lookup(self, key: Any) -> Inside | None:
        """The map of a key as a program sees it, or None."""
        found = self._maps.get(self._key(key))
        return None if found is None else found.inside

    def __contains__(self, key: Any) -> bool:
        return self._key(key) in self._maps

    def __getitem__(self, key: Any) -> FakeMap:
        found = self._maps.get(self._key(key))
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: Any, entries: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> None:
        if self.declared.inner is None:
            raise TypeError("a map of maps has a pattern")
        made = self._make(self.declared.inner)
        for one, value in dict(entries).items():
            made[one] = value
        self._maps[self._key(key)] = made

    def __delitem__(self, key: Any) -> None:
        del self._maps[self._key(key)]

    def __len__(self) -> int:
        return len(self._maps)


class FakeCgroups(dict[int, int]):
    """Cgroup ids by number; a task is in a cgroup where its id is that one."""

    def __init__(self, task: Callable[[], Any]) -> None:
        super().__init__()
        self._task = task

    @gives(s32)
    def holds_current(self, index: int) -> int:
        """1 where the current task is in the cgroup, else 0; a negative error number where there is none."""
        if int(index) not in self:
            return -errno.EAGAIN
        return int(self[int(index)] == self._task().cgroup)
