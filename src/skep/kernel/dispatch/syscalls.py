"""The hook that all system calls share: a gate with a bitmap of wanted numbers, and a chain of subscribers behind it.

The bitmap follows the chain, and subscribers look at the number themselves: one that passes a moment too long is seen
by nobody.
"""

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from skep.kernel import links
from skep.kernel.dispatch.chain import follow
from skep.kernel.links import AnyLink
from skep.kernel.maps import Map
from skep.kernel.programs import Program
from skep.lang.syscall_numbers import LIMIT, NUMBERS

_WORDS = struct.Struct(f"<{LIMIT // 64}Q")
_WORD = (1 << 64) - 1


class Gate(NamedTuple):
    """A loaded program of ``gates`` with its maps: ``wanted`` is the bitmap."""

    program: Program
    wanted: Map
    maps: tuple[Map, ...]

    def close(self) -> None:
        """Gives program and maps back."""
        self.program.close()
        for one in self.maps:
            one.close()


class SharedHead:
    """One side, ``sys_enter`` or ``sys_exit``: the gate is there while a program is behind it. See ``chain.Head``."""

    jumps = 1

    def __init__(self, side: str, load: Callable[[], Gate]) -> None:
        self._side, self._load = side, load
        self._gate: Gate | None = None
        self._link: AnyLink | None = None

    @property
    def what(self) -> str:
        """See Head."""
        return f"the chain of all system calls at {self._side}"

    def point(self, first: Program | None) -> None:
        """See Head."""
        if first is None:
            self._close()
        elif self._gate is not None:
            follow(self._gate.program, first)
        else:
            self._open(first)

    def settle(self, programs: Sequence[Program]) -> None:
        """See Head: the bitmap has the numbers that the programs want."""
        if self._gate is not None:
            bits = wanted_bits([program.spec.calls for program in programs])
            words = (bits >> 64 * at & _WORD for at in range(LIMIT // 64))
            self._gate.wanted.memory()[:] = _WORDS.pack(*words)

    def _open(self, first: Program) -> None:
        self._gate = self._load()
        try:
            follow(self._gate.program, first)
            self._link = links.attach(self._gate.program)
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        for one in (self._link, self._gate):
            if one is not None:
                one.close()
        self._link = self._gate = None


def wanted_bits(calls: Sequence[tuple[str, ...]]) -> int:
    """A bit for each number that is wanted; all of them where somebody names no call."""
    if not all(calls):
        return (1 << LIMIT) - 1
    return sum(1 << number for number in {NUMBERS[name] for names in calls for name in names})
