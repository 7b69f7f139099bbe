"""Events from the agent to the output, as lines for people or as they are, until they end.

JSON is passed on as it came. Notices about the stream are no events: they go to the error output. A
reader that was too slow is told so and goes on with what comes next.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import replace

from skep.api.client import Client
from skep.api.query import Query
from skep.base.clock import boot_ns, rfc3339, wall_offset_ns
from skep.base.memory import keep_freed
from skep.cli import terminal
from skep.cli.ending import Ending
from skep.cli.event_text import EventText
from skep.cli.terminal import Terminal, safe

NOTICE = b'{"notice":'
KEPT = 1 << 20
"""Bytes of memory that pieces use again: about three of them."""


def show(client: Client, choice: Query, ending: Ending, screen: Terminal | None = None) -> bool:
    """Print what ``choice`` asks for, until the stream or ``ending`` ends: for people on ``screen``, without one JSON.

    Whether there was anything comes back.

    Where the agent ends before, that is told. A head is printed where the terminal becomes another than ``screen``, for
    which the caller may have printed one.
    """
    keep_freed(KEPT)
    write: Callable[[bytes], None] = _AsText(screen) if screen else _pass_on
    some = False
    while True:
        dropped = False
        for piece in client.pieces(choice, ending.fd):
            some = True
            lines, notices = _split(piece)
            write(lines)
            for notice in notices:
                dropped |= notice.get("notice") == "dropped"
                _tell(notice)
        if not dropped or not choice.follow or ending.come:
            break
        choice = replace(choice, last=None, since=None)
    if choice.follow and not ending.come:
        print("skep: the agent was ended from elsewhere", file=sys.stderr, flush=True)
    return some


def _pass_on(lines: bytes) -> None:
    sys.stdout.buffer.write(lines)
    sys.stdout.flush()


class _AsText:
    """Writes events for a person, as wide as the terminal is at that moment; where another day begins, its date."""

    def __init__(self, screen: Terminal) -> None:
        self._terminal, self._text = screen, EventText(screen)
        self._day = self._text.day({"time": rfc3339(boot_ns() + wall_offset_ns())})

    def __call__(self, lines: bytes) -> None:
        shown = [] if not self._resized() else [self._text.head()]
        for event in map(json.loads, lines.splitlines()):
            if (day := self._text.day(event)) not in ("", self._day):
                shown.append(self._terminal.style(day, "dim"))
                self._day = day
            shown.append(self._text.line(event))
        sys.stdout.write("".join(f"{line}\n" for line in shown))
        sys.stdout.flush()

    def _resized(self) -> bool:
        """Whether the terminal has another width than before, or has become another."""
        now, before = terminal.of(sys.stdout), self._terminal
        if now != before:
            self._terminal, self._text = now, EventText(now)
        return now != before


def _split(piece: bytes) -> tuple[bytes, list[dict[str, object]]]:
    """Events, and notices apart; a piece has whole lines."""
    if piece.rfind(NOTICE) < 0:  # half the time of "in", which was a third of this process's
        return piece, []
    lines = piece.splitlines(keepends=True)
    events = [line for line in lines if not line.startswith(NOTICE)]
    return b"".join(events), [json.loads(line) for line in lines if line.startswith(NOTICE)]


def _tell(notice: dict[str, object]) -> None:
    details = ", ".join(f"{key} {value}" for key, value in notice.items() if key != "notice")
    text = f"skep: {notice['notice']}" + (f": {details}" if details else "")
    print(terminal.of(sys.stderr).style(safe(text), "yellow"), file=sys.stderr, flush=True)
