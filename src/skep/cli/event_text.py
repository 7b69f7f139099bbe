"""Events as lines for a person: what happened, in words, and who did it. One line an event, in columns.

On a narrow terminal what happened gets the room: fractions of seconds and addresses of this host are left out.

What is read is the agent's JSON, of this release or a neighbour: a key that is missing is left out of the line.
"""

import shlex
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from skep.base.frozen import frozen
from skep.base.units import bytes_text, nanos_text
from skep.cli.terminal import UNBOUNDED, Terminal, columns, cut, fit, safe

Event = Mapping[str, Any]

KIND_WIDTH = 7
LEAST = 16


@frozen
class Layout:
    """Widths of the columns before WHAT; a user's name may be wider, up to MOST_USER."""

    time: int
    who: int
    user: int

    @property
    def fixed(self) -> int:
        """All before the user."""
        return self.time + 1 + KIND_WIDTH + 1 + self.who + 1


NARROW, WIDE = Layout(8, 18, 4), Layout(12, 22, 8)
WIDE_FROM, MOST_USER = 100, 8
AT_HOME = frozenset({"connect", "accept", "close"})
"""Kinds whose source is this host."""
KNOWN = frozenset(
    {
        "time",
        "kind",
        "seq",
        "pid",
        "ppid",
        "uid",
        "gid",
        "comm",
        "user",
        "cgroup",
        "start",
        "container",
        "pod",
        "ancestors",
    }
)
"""Keys that stand in columns of their own, or are for programs alone."""
STYLES = {
    "exec": "green",
    "fork": "dim",
    "exit": "dim",
    "connect": "cyan",
    "accept": "cyan",
    "close": "blue",
    "drop": "yellow",
    "oom": "red",
}


class EventText:
    """Makes lines for a terminal; a terminal without a width gets lines of any length."""

    def __init__(
        self, terminal: Terminal, zone: Callable[[datetime], datetime] | None = None
    ) -> None:
        self._terminal = terminal
        narrow = UNBOUNDED < terminal.width < WIDE_FROM
        self._layout = NARROW if narrow else WIDE
        self._clock = lru_cache(maxsize=64)(_clock(zone or datetime.astimezone))
        self._day = lru_cache(maxsize=64)(_day(zone or datetime.astimezone))

    def line(self, event: Event) -> str:
        """The line of ``event``, without a newline."""
        style, kind = self._terminal.style, str(event.get("kind", "?"))
        layout, time = self._layout, safe(str(event.get("time", "")))
        user = cut(safe(str(event.get("user", ""))), MOST_USER)
        user += " " * (layout.user - columns(user))
        room = self._terminal.width - layout.fixed - columns(user) - 1
        room = self._terminal.width and max(LEAST, room)
        shown = event if layout is WIDE else shortened(event)
        parts = (
            style((self._clock(time[:19]) + time[19:23].ljust(4))[: layout.time], "dim"),
            style(fit(safe(kind), KIND_WIDTH), STYLES.get(kind, "")),
            _who(event, layout.who),
            style(user, "dim"),
            self._rest(safe(where(event)), safe(what(shown)), safe(lineage(event)), room),
        )
        return " ".join(parts).rstrip()

    def day(self, event: Event) -> str:
        """Of which day ``event`` is here, "2026-01-31"; "" where it does not say."""
        return self._day(str(event.get("time", ""))[:16])

    def head(self) -> str:
        """The names of the columns."""
        layout = self._layout
        words = (
            "TIME".ljust(layout.time),
            "EVENT".ljust(KIND_WIDTH),
            "PROCESS".ljust(layout.who),
            "USER".ljust(layout.user),
            "WHAT",
        )
        return self._terminal.style(" ".join(words), "dim")

    def _rest(self, place: str, what_: str, lineage_: str, room: int) -> str:
        """The place, what happened and the ancestors in ``room`` columns: the ancestors give way first."""
        style = self._terminal.style
        parts = []
        if place:
            place = cut(place, room and max(8, room // 3))
            parts.append(style(place, "magenta"))
            room = room and max(8, room - columns(place) - 1)
        what_ = cut(what_, room)
        parts.append(what_)
        left = room - columns(what_) - 2
        if lineage_ and (room == UNBOUNDED or left >= 4):
            parts.append(" " + style(cut(lineage_, room and left), "dim"))
        return " ".join(part for part in parts if part)


def shortened(event: Event) -> Event:
    """``event`` without what a narrow line has no room for: which of its addresses this host used."""
    if event.get("kind") not in AT_HOME or not event.get("sport"):
        return event
    return {key: value for key, value in event.items() if key != "saddr"}


def who(event: Event) -> str:
    """``comm[pid]``; a dash for what no process did, or nobody knows which."""
    return f"{event.get('comm', '?')}[{event['pid']}]" if event.get("pid") else "-"


def _who(event: Event, width: int) -> str:
    """The same in ``width`` columns; a name that is long gives way, never the number."""
    name, number = safe(who(event)), f"[{event.get('pid')}]"
    if columns(name) <= width or not name.endswith(number):
        return fit(name, width)
    return fit(cut(name.removesuffix(number), width - len(number)) + number, width)


def where(event: Event) -> str:
    """Pod, else container, by name or the beginning of its id; nothing outside of one."""
    pod, container = event.get("pod") or {}, event.get("container") or {}
    name = str(container.get("name") or str(container.get("id", ""))[:12])
    if not pod.get("name"):
        return name
    space = f"{pod['namespace']}/" if pod.get("namespace") else ""
    return f"{space}{pod['name']}" + (f":{name}" if name else "")


def lineage(event: Event) -> str:
    """The ancestors, nearest first."""
    found = event.get("ancestors") or ()
    return " ".join(f"← {one.get('comm', '?') if isinstance(one, dict) else one}" for one in found)


def what(event: Event) -> str:
    """What happened, in words."""
    describe = _WORDS.get(str(event.get("kind")), _other)
    return describe(event)


def _clock(zone: Callable[[datetime], datetime]) -> Callable[[str], str]:
    def clock(second: str) -> str:
        try:
            return zone(datetime.fromisoformat(second + "+00:00")).strftime("%H:%M:%S")
        except ValueError:
            return second[-8:].ljust(8)

    return clock


def _day(zone: Callable[[datetime], datetime]) -> Callable[[str], str]:
    def day(minute: str) -> str:
        try:
            return zone(datetime.fromisoformat(minute + "+00:00")).date().isoformat()
        except ValueError:
            return ""

    return day


def _exec(event: Event) -> str:
    words = event.get("args") or [event.get("filename", "?")]
    return shlex.join(map(str, words)) + (" (cut)" if event.get("cut") else "")


def _fork(event: Event) -> str:
    return f"from {event.get('ppid', '?')}"


def _exit(event: Event) -> str:
    by = event.get("signal")
    how = f"killed by {_signal(by)}" if by else f"exit {event.get('code', '?')}"
    spent = event.get("user_ns", 0) + event.get("system_ns", 0)
    return f"{how}, cpu {nanos_text(spent)}" if spent else how


def _signal(by: object) -> str:
    """Real-time signals have numbers only."""
    return f"signal {by}" if isinstance(by, int) else str(by)


def _end(event: Event, side: str) -> str:
    address, port = event.get(f"{side}addr", ""), event.get(f"{side}port")
    text = f"[{address}]" if ":" in str(address) else str(address)
    return f"{text}:{port}" if port else text or "?"


def _connect(event: Event) -> str:
    known = event.get("saddr") or event.get("sport")
    ends = f"{_end(event, 's')} → {_end(event, 'd')}" if known else f"→ {_end(event, 'd')}"
    return f"{ends}, failed{_error(event)}" if event.get("failed") else ends


def _error(event: Event) -> str:
    return f": {event['error']}" if event.get("error") else ""


def _accept(event: Event) -> str:
    return f"{_end(event, 's')} ← {_end(event, 'd')}"


def _close(event: Event) -> str:
    parts = [
        f"{_end(event, 's')} ↔ {_end(event, 'd')}",
        f"sent {bytes_text(event.get('sent_bytes', 0))}",
        f"received {bytes_text(event.get('received_bytes', 0))}",
    ]
    if event.get("duration_ns"):
        parts.append(nanos_text(event["duration_ns"]))
    elif event.get("start_unknown"):
        parts.append("since before the agent")
    if event.get("srtt_us"):
        parts.append(f"rtt {nanos_text(event['srtt_us'] * 1000)}")
    if event.get("retransmits"):
        parts.append(f"{event['retransmits']} retransmits")
    if event.get("error"):
        parts.append(f"ended by {event['error']}")
    return ", ".join(parts)


def _drop(event: Event) -> str:
    reason, place = event.get("reason", "?"), event.get("location")
    text = f"{reason} at {place}" if place else str(reason)
    if event.get("saddr") and event.get("daddr"):
        text += f", {_end(event, 's')} → {_end(event, 'd')}"
    return f"{text}, {bytes_text(event['length'])}" if event.get("length") else text


def _oom(event: Event) -> str:
    return f"out of memory, killed with {bytes_text(event.get('resident_bytes', 0))} resident"


def _other(event: Event) -> str:
    return " ".join(f"{key}={value}" for key, value in event.items() if key not in KNOWN)


_WORDS: dict[str, Callable[[Event], str]] = {
    "exec": _exec,
    "fork": _fork,
    "exit": _exit,
    "connect": _connect,
    "accept": _accept,
    "close": _close,
    "drop": _drop,
    "oom": _oom,
}
