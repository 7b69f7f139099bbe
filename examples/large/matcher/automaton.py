"""Patterns as one deterministic automaton over bytes, minimised; plain values, no I/O.

All patterns lie side by side in one integer: pattern after pattern, a bit for each place between two steps. The places
that are reached after some bytes are one such integer, and a byte moves all of them at once. Each integer that can be
reached is a state. What has no star in its middle adds to the states about its length; a star in the middle of a glob
is remembered beside all the rest, so that states multiply: hence a bound, and an error that says so.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from examples.large.matcher.patterns import STAR, Pattern
from skep.base.errors import BadInput

MOST_STATES = 1 << 16


@dataclass(frozen=True, slots=True)
class Automaton:
    """A machine that tells in each state which patterns have matched, by bits: pattern 0 is bit 0.

    ``classes[byte]`` is the column of a byte in ``moves[state]``; state 0 is the first. What ``seen`` names has matched
    whatever follows; what ``final`` names matches where the path ends in that state.
    """

    classes: bytes
    moves: tuple[tuple[int, ...], ...]
    seen: tuple[int, ...]
    final: tuple[int, ...]

    def match(self, path: bytes) -> int:
        """The patterns that match ``path``, as a mask."""
        state, found = 0, self.seen[0]
        for byte in path:
            state = self.moves[state][self.classes[byte]]
            found |= self.seen[state]
        return found | self.final[state]


def automaton(patterns: Sequence[Pattern], most: int = MOST_STATES) -> Automaton:
    """The smallest automaton of ``patterns``. BadInput where it would have more than ``most`` states on the way."""
    places = _Places.of(patterns)
    classes, takes = places.columns()
    states, moves = [places.first], []
    known = {places.first: 0}
    for state in states:
        row = []
        for taken in takes:
            following = ((state & taken) << 1) | (state & places.stays)
            if following not in known:
                known[following] = len(states)
                states.append(following)
            row.append(known[following])
        if len(states) > most:
            raise _overgrown(patterns, most)
        moves.append(tuple(row))
    seen = [_mask(places.sticking, state) for state in states]
    final = [_mask(places.ending, state) for state in states]
    return _smallest(Automaton(classes, tuple(moves), tuple(seen), tuple(final)))


@dataclass(frozen=True, slots=True)
class _Places:
    """Places as bits: the first ones, those that stay with any byte, the last ones by pattern, and what moves on."""

    first: int
    stays: int
    sticking: dict[int, int]
    ending: dict[int, int]
    steps: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, patterns: Sequence[Pattern]) -> "_Places":
        first = stays = 0
        ends: tuple[dict[int, int], dict[int, int]] = ({}, {})
        steps: list[tuple[int, int]] = []
        place = 1
        for number, pattern in enumerate(patterns):
            first |= place
            for step in pattern.steps[: len(pattern.steps) - pattern.sticks]:
                if step == STAR:
                    stays |= place
                else:
                    steps.append((place, step))
                    place <<= 1
            ends[pattern.sticks][place] = 1 << number
            place <<= 1
        return cls(first, stays, ends[True], ends[False], tuple(steps))

    def columns(self) -> tuple[bytes, list[int]]:
        """The column of each byte, and for each column the places that move on with it."""
        taken = [0] * 256
        for place, step in self.steps:
            for byte in _bits(step):
                taken[byte] |= place
        columns = {places: column for column, places in enumerate(dict.fromkeys(taken))}
        return bytes(columns[places] for places in taken), list(columns)


def _bits(number: int) -> Iterator[int]:
    while number:
        yield (number & -number).bit_length() - 1
        number &= number - 1


def _mask(ends: dict[int, int], state: int) -> int:
    return sum(pattern for place, pattern in ends.items() if place & state)


def _smallest(made: Automaton) -> Automaton:
    """The same with states merged that nothing tells apart: those of one answer are split until no byte splits them."""
    moves = np.array(made.moves, np.int32)
    blocks = _numbered(zip(made.seen, made.final, strict=True))
    count = 0
    while count != (count := int(blocks.max()) + 1):
        after = np.column_stack((blocks, blocks[moves]))
        blocks = _numbered(row.tobytes() for row in after)
    chosen = np.unique(blocks, return_index=True)[1]
    return Automaton(
        made.classes,
        tuple(map(tuple, blocks[moves[chosen]].tolist())),
        tuple(made.seen[state] for state in chosen),
        tuple(made.final[state] for state in chosen),
    )


def _numbered(keys: Iterable[object]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Equal keys with equal numbers, in order of their first: the first state stays the first."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int32)


def _overgrown(patterns: Sequence[Pattern], most: int) -> BadInput:
    starred = [p.text for p in patterns if STAR in p.steps[1:-1]]
    problem = f"their automaton has more than {most:,} states"
    if not starred:
        return BadInput(f"{len(patterns)} patterns", problem, "give fewer or shorter ones")
    first = ", ".join(starred[:3]) + (", ..." if len(starred) > 3 else "")
    hint = f"match apart some of the {len(starred)} with a star in the middle ({first})"
    return BadInput(f"{len(patterns)} patterns", problem, hint)
