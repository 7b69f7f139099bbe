"""Tables of text: columns as wide as their widest cell, the last of them cut to the width of the terminal.

A table is values in, lines out. Cells are made safe here, styles are laid over them after they were measured.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from skep.base.frozen import frozen
from skep.cli.terminal import Terminal, columns, cut, fit, safe, wrap

GAP = "  "
NARROWEST = 6


@frozen
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
    lines, widths = _measured(head, rows, terminal)
    aligned = [name in right.split(",") for name in head]
    return "".join(_line(row, widths, aligned, terminal) for row in lines)


def folded(head: Sequence[str], rows: Sequence[Row], terminal: Terminal, right: str = "") -> str:
    """The same, but what does not fit is not cut: it goes on in the next line, between words."""
    lines, widths = _measured(head, rows, terminal)
    aligned = [name in right.split(",") for name in head]
    return "".join(
        _line(line, widths, aligned, terminal) for row in lines for line in _folds(row, widths)
    )


def pairs(rows: Sequence[Row], terminal: Terminal) -> str:
    """Names and values without a head; what does not fit goes on in the next line, between words."""
    lines, widths = _measured(("", ""), rows, terminal)
    left = [False, False]
    return "".join(
        _line(line, widths, left, terminal) for row in lines[1:] for line in _folds(row, widths)
    )


def _folds(row: Sequence[Cell], widths: Sequence[int]) -> Iterator[list[Cell]]:
    texts = [
        wrap(cell.text, width, "").split("\n") for cell, width in zip(row, widths, strict=True)
    ]
    for line in zip_longest(*texts, fillvalue=""):
        yield [Cell(text, cell.style) for text, cell in zip(line, row, strict=True)]


def _measured(
    head: Sequence[str], rows: Sequence[Row], terminal: Terminal
) -> tuple[list[list[Cell]], list[int]]:
    """The lines, of the head first, and the widths of the columns."""
    lines = [[Cell(name.upper(), "dim") for name in head]]
    lines += [[_cell(cell) for cell in row] for row in rows]
    widths = [max(columns(line[i].text) for line in lines) for i in range(len(head))]
    return lines, _shrunk(widths, terminal.width)


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
