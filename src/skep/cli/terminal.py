"""What the output is: a terminal or not, how wide, with colours or not; and text that is safe and fits.

Text from events is hostile: control characters are shown as escapes, never sent. Widths count columns of a terminal.
"""

import os
import sys
from typing import TextIO
from unicodedata import combining, east_asian_width

from skep.base import config
from skep.base.frozen import frozen

UNBOUNDED = 0
STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


@frozen
class Terminal:
    """``width`` in columns, UNBOUNDED where lines may have any length; ``colours``, whether to style."""

    width: int = UNBOUNDED
    colours: bool = False

    def style(self, text: str, style: str) -> str:
        """``text`` in one of STYLES ("" is none), or as it is without colours."""
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self.colours and style and text else text

    def paragraph(self, text: str, style: str = "") -> str:
        """``text`` made safe, in lines that fit, each ended by a newline."""
        lines = wrap(safe(text), self.width).split("\n")
        return "".join(self.style(line, style) + "\n" for line in lines)


def of(stream: TextIO) -> Terminal:
    """What ``stream`` writes to."""
    if not stream.isatty():
        return Terminal()
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        width = 80
    return Terminal(width, not config.environment().no_color)


def safe(text: str) -> str:
    """``text`` with what a terminal would obey, or not show, as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def columns(text: str) -> int:
    """The columns that ``text`` takes; what is set over the letter before takes none."""
    if text.isascii():
        return len(text)
    return sum((2 if east_asian_width(c) in "WF" else 1) for c in text if not combining(c))


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns; what is cut ends in "…". UNBOUNDED cuts nothing."""
    if width == UNBOUNDED or columns(text) <= width:
        return text
    taken, kept = 0, []
    for letter in text:
        taken += columns(letter)
        if taken > width - 1:
            break
        kept.append(letter)
    return "".join(kept) + "…"


def wrap(text: str, width: int, indent: str = "  ") -> str:
    """``text`` in lines of at most ``width`` columns, broken between words; lines after the first are indented."""
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if width != UNBOUNDED and line.strip() and columns(longer) > width:
            lines.append(line)
            longer = indent + word
        line = longer
    return "\n".join([*lines, line])


def fit(text: str, width: int) -> str:
    """``text`` cut or padded to ``width`` columns."""
    short = cut(text, width)
    return short + " " * (width - columns(short))


class Progress:
    """One line on a terminal that is written over; on anything else, nothing. ``text`` is what it says."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream, self._shown = stream, 0
        self._terminal, self.text = of(stream), ""

    def show(self, text: str) -> None:
        """Replace the line."""
        self.text = text
        if self._terminal.width:
            self.clear()
            shown = cut(text, self._terminal.width - 1)
            self._write(shown)
            self._shown = columns(shown)

    def clear(self) -> None:
        """Take the line away: with blanks, for a terminal that knows no escapes."""
        if self._shown:
            self._write("\r" + " " * self._shown + "\r")
            self._shown = 0

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
