"""Tables of text: columns as wide as their widest cell, the last of them cut to the width of the terminal.

A table is values in, lines out. Cells are made safe here, styles are laid over them after they were measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from skep.cli.terminal import Terminal, columns, cut, fit, safe

GAP = "  "
NARROWEST = 6


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and its style."""

    text: str
    style: str = ""


Row = Sequence[str | Cell]


def table(head: Sequence[str], rows: Sequence[Row], terminal: Terminal, right: str = "") -> str:
    """Lines of a head and rows, each ended by a newline.

    A column whose head stands in ``right`` (separated by commas) is aligned to the right. Where the lines would
    be wider than the terminal, the widest columns give way.
    """
    cells = [[_cell(cell) for cell in row] for row in rows]
    measured = [
        [columns(name), *(columns(row[i].text) for row in cells)] for i, name in enumerate(head)
    ]
    widths = _shrunk([max(column) for column in measured], terminal.width)
    aligned = [name in right.split(",") for name in head]
    lines = [[Cell(name.upper(), "dim") for name in head], *cells]
    return "".join(_line(row, widths, aligned, terminal) for row in lines)


def _cell(value: str | Cell) -> Cell:
    cell = Cell(value) if isinstance(value, str) else value
    return Cell(safe(cell.text), cell.style)


def _shrunk(widths: list[int], limit: int) -> list[int]:
    room = limit - len(GAP) * (len(widths) - 1)
    while limit and sum(widths) > room and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _line(row: Sequence[Cell], widths: list[int], right: list[bool], terminal: Terminal) -> str:
    last = len(row) - 1
    parts = []
    for i, cell in enumerate(row):
        text = (
            cut(cell.text, widths[i]) if i == last and not right[i] else fit(cell.text, widths[i])
        )
        if right[i]:
            text = " " * (widths[i] - columns(text.rstrip())) + text.rstrip()
        parts.append(terminal.style(text, cell.style))
    return GAP.join(parts).rstrip() + "\n"
