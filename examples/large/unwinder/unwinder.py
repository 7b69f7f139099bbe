"""The user half: fills the tables of ``on_sample`` for the processes that are watched, and reads their stacks.

It owns what it puts into the maps: a file is forgotten with the last process that maps it. What a process maps later is
seen by ``refresh``.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from examples.large.unwinder import files, layout, state
from examples.large.unwinder.files import File
from examples.large.unwinder.mappings import Mapped, mapped, prefixes
from examples.large.unwinder.state import FILE_SHIFT, LOW, End, Mapping, Place
from skep.base.errors import BadInput
from skep.program.live import Live

FIRST = struct.pack("<I", 0)
FILES = 1 << 64 - FILE_SHIFT


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in a file; of no file, an address of the process."""

    file: File | None
    address: int

    def __str__(self) -> str:
        return self.file.name(self.address) if self.file else f"[{self.address:#x}]"


@dataclass(frozen=True, slots=True)
class Sampled:
    """A stack of a process, from the innermost frame on, how often it was met, and why it ends."""

    pid: int
    count: int
    end: End
    frames: tuple[Frame, ...]


class Unwinder:
    """``Unwinder(live).watch(pid)``: stacks of a process from now on. ``live`` has ``on_sample``, and outlives this."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._numbers, self._slabs = layout.Numbers(), layout.Slabs()
        self._files: dict[tuple[str, int], File] = {}
        self._placed: dict[int, dict[Place, Mapping]] = {}
        self._last = 0

    # --- processes ------------------------------------------------------------------------------------------------

    def watch(self, pid: int) -> None:
        """Sample a process, or look again at what it maps. BadInput where there is no such process."""
        try:
            with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
                found = list(mapped(maps.read()))
        except OSError as error:
            raise BadInput(
                f"process {pid}", f"it cannot be looked at ({error.strerror})"
            ) from error
        placed: dict[Place, Mapping] = {}
        for one in found:
            with suppress(BadInput, OSError):  # gone meanwhile, or no ELF file
                placed |= self._place(pid, one)
        self._exchange(pid, placed)
        self._live[state.watched][pid] = 1
        self._release(pid, {one.file for one in found})

    def refresh(self) -> None:
        """Look again at all that are watched, and forget those that have ended."""
        for pid in list(self._placed):
            try:
                self.watch(pid)
            except BadInput:
                self.forget(pid)

    def forget(self, pid: int) -> None:
        """Watch a process no longer."""
        with suppress(KeyError):
            del self._live[state.watched][pid]
        self._exchange(pid, {})
        del self._placed[pid]
        self._release(pid, set())

    def _release(self, pid: int, kept: set[tuple[str, int]]) -> None:
        """Forget files that a process maps no longer, unless another one does."""
        for key, file in list(self._files.items()):
            if key not in kept:
                file.pids.discard(pid)
            if not file.pids:
                self._drop(file)
                del self._files[key]

    def _place(self, pid: int, one: Mapped) -> dict[Place, Mapping]:
        file = self._file(pid, one)
        there = Mapping(one.start, one.end, files.bias(file, one), file.number)
        return dict.fromkeys(prefixes(pid, one.start, one.end), there)

    def _exchange(self, pid: int, placed: dict[Place, Mapping]) -> None:
        before, held = self._placed.get(pid, {}), self._live[state.mappings]
        for place in before.keys() - placed.keys():
            del held[place]
        held.update({key: value for key, value in placed.items() if before.get(key) != value})
        self._placed[pid] = placed

    # --- files ----------------------------------------------------------------------------------------------------

    def _file(self, pid: int, one: Mapped) -> File:
        if one.file not in self._files:
            self._files[one.file] = files.opened(self._number(), pid, one)
            self._fill(self._files[one.file])
        found = self._files[one.file]
        found.pids.add(pid)
        return found

    def _number(self) -> int:
        """The next number that no file has; those of files that are gone come back late, for stacks may have them."""
        used = {file.number for file in self._files.values()}
        self._last = next(
            n for n in chain(range(self._last + 1, FILES), range(1, FILES)) if n not in used
        )
        return self._last

    def _fill(self, file: File) -> None:
        """Put a file's table into the maps: rules, slabs, then the pages that lead there."""
        placed = [
            (number, self._slabs.place(file.number, rows))
            for number, rows in layout.pages(file.table, self._numbers)
        ]
        held = self._live[state.rules].each
        for number, rule in self._numbers.taken():
            held[number] = rule
        for number in self._slabs.taken():
            self._write(number)
        self._live[state.pages].update(layout.keyed(file.number, placed))

    def _write(self, number: int) -> None:
        slabs, data = self._live[state.slabs], self._slabs.rows[number].tobytes()
        if number in slabs:
            slabs[number].put(FIRST, data)
            return
        with slabs.new() as made:
            made.put(FIRST, data)
            slabs[number] = made

    def _drop(self, file: File) -> None:
        held = self._live[state.pages]
        for number, _ in layout.pages(file.table, self._numbers):
            del held[state.PageKey(file.number, number)]
        for slab in self._slabs.drop(file.number):
            del self._live[state.slabs][slab]

    def problems(self) -> Iterator[str]:
        """Why files have no table."""
        return (file.problem for file in self._files.values() if file.problem)

    # --- stacks ---------------------------------------------------------------------------------------------------

    def take(self) -> list[Sampled]:
        """The stacks that were met since the last call, which are gone from the map."""
        keys, values = self._live[state.stacks].arrays(take=True)
        known = {file.number: file for file in self._files.values()}
        return [self._sampled(key, value, known) for key, value in zip(keys, values, strict=True)]

    def _sampled(self, key: Any, value: Any, known: dict[int, File]) -> Sampled:  # noqa: ANN401 - rows of numpy
        frames = value["frames"][: value["depth"]]
        numbers, addresses = (
            (frames >> np.uint64(FILE_SHIFT)).tolist(),
            (frames & np.uint64(LOW)).tolist(),
        )
        return Sampled(
            int(key["pid"]),
            int(value["count"]),
            End(int(value["end"])),
            tuple(Frame(known.get(n), a) for n, a in zip(numbers, addresses, strict=True)),
        )

    def ends(self) -> dict[End, int]:
        """How many walks ended for each reason."""
        return {end: sum(self._live[state.ends][end]) for end in End}
