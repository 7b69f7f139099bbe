"""The kernel half: a path through the automaton, a step a byte, and a mask of the patterns that match it."""

import skep
from skep import Global, Struct, u8, u32, u64

PATH = 4096
CHUNK = 16
CELLS = 1 << 19
MASKS = 1 << 11
SEEN = 1 << 31


class Mask(Struct):
    """A bit for each pattern."""

    words: u64[4]


class Tables(Struct):
    """An automaton. The row of a state is where ``cells`` has it: two numbers of masks, then a cell for each column.

    Cell 0 of a row is the mask of what matches where the path ends there, cell 1 that of what matches whatever follows.
    The others are rows, with ``SEEN`` where such a mask is not empty. ``columns`` has the cell of each byte.
    """

    start: u32
    columns: u8[256]
    masks: Mask[MASKS]  # type: ignore[type-arg, valid-type]
    cells: u32[CELLS]


class Path(Struct):
    """A path of ``length`` bytes, without a NUL."""

    length: u32
    bytes: u8[PATH]


tables = Global(Tables)
asked = Global(Path)
answer = Global(Mask)


@skep.inline
def add(found, cell):
    """Add to ``found`` the mask that a cell names."""
    mask = tables.masks[tables.cells[cell & (CELLS - 1)] & (MASKS - 1)]
    found.words[0] |= mask.words[0]
    found.words[1] |= mask.words[1]
    found.words[2] |= mask.words[2]
    found.words[3] |= mask.words[3]


@skep.inline
def step(found, row, at):
    """The row behind the byte at ``at``; what is seen there goes into ``found``."""
    column = tables.columns[asked.bytes[at & (PATH - 1)]]
    row = tables.cells[(row + column) & (CELLS - 1)]
    if row & SEEN:
        add(found, row + 1)
    return row


@skep.tc("ingress")
def match_path(ctx):
    """Match the path in ``asked``; what matches is in ``answer``."""
    length = min(asked.length, PATH)
    row = tables.start
    found = Mask()
    add(found, row + 1)
    for chunk in range(length // CHUNK):
        for place in range(CHUNK):
            row = step(found, row, chunk * CHUNK + place)
    for place in range(length & (CHUNK - 1)):
        row = step(found, row, length - length % CHUNK + place)
    add(found, row)
    answer.words = found.words
    return 0
