"""The rules of a file as a table: from which address on which rule holds. Plain values of the bytes of a file."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from examples.large.unwinder.call_frames import Frame, Instructions
from examples.large.unwinder.cursor import Cursor
from examples.large.unwinder.eh_frame import Cie, Fde, entries
from examples.large.unwinder.rules import UNKNOWN, rule
from examples.large.unwinder.state import Rule
from skep.base.errors import BadInput
from skep.kernel.binaries import Binary

SECTION = ".eh_frame"
PADDING = 64
"""Bytes between two functions that nothing runs in: a gap of less needs no row."""


@dataclass(frozen=True, slots=True)
class Table:
    """``rules[i]`` holds from ``addresses[i]`` on, up to the next; the addresses ascend. The last one is unknown."""

    addresses: list[int]
    rules: list[Rule]

    def rule(self, address: int) -> Rule:
        """The rule for the instruction at an address."""
        at = bisect_right(self.addresses, address) - 1
        return self.rules[at] if at >= 0 else UNKNOWN


def table(binary: Binary) -> Table:
    """The table of a program or library; an empty one where it has none. BadInput where it is malformed."""
    section = binary.section(SECTION)
    if section is None:
        return Table([], [])
    found = entries(binary.content(section), section.address, f"{binary.path}: {SECTION}")
    code = list(binary.mapped())
    try:
        return made(fde for fde in found if any(fde.start in part for part in code))
    except (IndexError, KeyError) as error:
        problem = f"its {SECTION} has an instruction that is malformed ({error})"
        raise BadInput(binary.path, problem) from error


def made(fdes: Iterable[Fde]) -> Table:
    """The table of entries. Where two overlap, the one that begins later holds from there on."""
    known = _Known()
    addresses: list[int] = []
    rules: list[Rule] = []
    end = 0
    for fde in sorted(fdes, key=lambda one: one.start):
        while addresses and addresses[-1] >= fde.start:
            addresses.pop()
            rules.pop()
        if fde.start >= end + PADDING:
            _add(addresses, rules, end, UNKNOWN)
        for address, one in known.rows(fde):
            _add(addresses, rules, address, one)
        end = fde.stop
    if addresses:
        _add(addresses, rules, end, UNKNOWN)
    return Table(addresses, rules)


def _add(addresses: list[int], rules: list[Rule], address: int, one: Rule) -> None:
    """A row more, unless it says what the one before it says, or nothing was said yet."""
    if one is not (rules[-1] if rules else UNKNOWN):
        addresses.append(address)
        rules.append(one)


class _Known:
    """What was worked out: the frames that entries of a CIE begin with, and the rule of each frame."""

    def __init__(self) -> None:
        self._firsts: dict[int, Frame] = {}
        self._rules: dict[tuple[Frame, bool], Rule] = {}
        self._same: dict[Rule, Rule] = {UNKNOWN: UNKNOWN}

    def rows(self, fde: Fde) -> Iterator[tuple[int, Rule]]:
        """Addresses and rules of an entry, as far as they lie within it. Equal rules are one object."""
        first, signal = self._first(fde.cie), fde.cie.signal
        for address, frame in Instructions(fde.cie, fde.start, first).run(fde.instructions):
            if address >= fde.stop:
                break
            found = self._rules.get((frame, signal))
            yield address, found or self._rule(frame, signal)

    def _first(self, cie: Cie) -> Frame:
        if id(cie) not in self._firsts:
            given = Cursor(cie.first.data, cie.first.at, cie.first.end)
            run = Instructions(cie)
            for _ in run.run(given):
                pass
            self._firsts[id(cie)] = run.frame
        return self._firsts[id(cie)]

    def _rule(self, frame: Frame, signal: bool) -> Rule:  # noqa: FBT001 - a property of the CIE
        made = rule(frame, signal=signal)
        found = self._rules[frame, signal] = self._same.setdefault(made, made)
        return found
