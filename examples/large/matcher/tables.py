"""An automaton laid out for the kernel half: rows of cells, and the masks that they name by number. Plain values."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from examples.large.matcher.automaton import Automaton
from examples.large.matcher.program import CELLS, MASKS, SEEN
from skep.base.errors import BadInput

HEAD = 2
BITS = 256
_WORD = (1 << 64) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What ``program.Tables`` is to hold: ``columns`` (256, u8), ``masks`` (n x 4, u64) and ``cells`` (n, u32)."""

    columns: np.ndarray[Any, np.dtype[np.uint8]]
    masks: np.ndarray[Any, np.dtype[np.uint64]]
    cells: np.ndarray[Any, np.dtype[np.uint32]]


def laid_out(made: Automaton) -> Layout:
    """The tables of an automaton, whose first row is its first state. BadInput where they are too large."""
    width = HEAD + len(made.moves[0])
    masks = {mask: number for number, mask in enumerate(dict.fromkeys((*made.seen, *made.final)))}
    for what, count, most in (
        ("cells", width * len(made.moves), CELLS),
        ("masks", len(masks), MASKS),
        ("bits a mask", max(masks).bit_length(), BITS),
    ):
        if count > most:
            raise BadInput("patterns", f"they need {count:,} {what}", f"there are {most:,}")
    cells = np.empty((len(made.moves), width), np.uint32)
    cells[:, 0] = [masks[mask] for mask in made.final]
    cells[:, 1] = [masks[mask] for mask in made.seen]
    moves = np.array(made.moves, np.uint32)
    flags = np.array([SEEN if mask else 0 for mask in made.seen], np.uint32)
    cells[:, HEAD:] = moves * width | flags[moves]
    return Layout(
        np.frombuffer(made.classes, np.uint8) + HEAD,
        np.array([_words(mask) for mask in masks], np.uint64),
        cells.ravel(),
    )


def _words(mask: int) -> list[int]:
    return [mask >> shift & _WORD for shift in range(0, BITS, 64)]
