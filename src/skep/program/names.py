"""Names that only live things have, for what is shown of their records and maps: of stacks' frames, of kernel numbers.

A process is looked at whenever a stack of it is shown; what its files name is read anew where its mappings changed.
Of one that ended meanwhile, what was known is used; of one that was not seen before, addresses are all there is.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from skep.kernel.maps import Map
from skep.kernel.process_symbols import PROC, ProcessSymbols
from skep.kernel.symbols import Symbols
from skep.lang.forms import Frames, Symbol
from skep.lang.maps import BuildId, Declaration

PROCESSES = 16
"""How many processes' names are remembered."""


class LiveNames:
    """``live`` gives the map of a declaration, ``enum`` the names of an enumeration's numbers."""

    def __init__(
        self,
        live: Callable[[Declaration], Map],
        enum: Callable[[str], Mapping[int, str]],
        *,
        proc: str = PROC,
    ) -> None:
        self._live, self._enum, self._proc = live, enum, proc
        self._enums: dict[str, Mapping[int, str]] = {}
        self._kernel = Symbols()
        self._processes: dict[int, ProcessSymbols] = {}

    def number(self, enum: str, number: int) -> str | int:
        """The name of a number in an enumeration of the kernel's, or itself."""
        if enum not in self._enums:
            self._enums[enum] = self._enum(enum)
        return self._enums[enum].get(number, number)

    def frames(self, form: Frames, number: int, pid: int) -> list[str]:
        """The functions of a stack, innermost first; none where ``number`` is an error, or the stack is not there."""
        stack = self._stack(form, number)
        if stack and isinstance(stack[0], BuildId):
            return [f"{bytes(one.build_id).hex()}+{one.offset:#x}" for one in stack if one.status]
        (names,) = (self._process(pid) if form.pid else self._kernel).stacks([stack])
        return names

    def symbol(self, form: Symbol, address: int, pid: int) -> str:
        """The function that an address lies in, and how far."""
        return (self._process(pid) if form.pid else self._kernel).name(address)

    def learn(self, form: Frames | Symbol, numbers: Iterable[int]) -> None:
        """Look up the kernel's names for many stacks or addresses at once, which is as dear as for one."""
        match form:
            case Frames(pid=""):
                self._kernel.stacks(self._stack(form, number) for number in numbers)
            case Symbol(pid=""):
                self._kernel.learn(numbers)

    def _stack(self, form: Frames, number: int) -> list[Any]:
        found: list[Any] | None = self._live(form.stacks).get(number) if number >= 0 else None
        return found or []

    def _process(self, pid: int) -> ProcessSymbols:
        known, now = self._processes.pop(pid, None), ProcessSymbols(pid, self._proc)
        if known and now.mappings in ([], known.mappings):
            now = known
        self._processes[pid] = now
        while len(self._processes) > PROCESSES:
            del self._processes[next(iter(self._processes))]
        return now
