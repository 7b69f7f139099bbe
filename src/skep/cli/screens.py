"""Screens: what the agent says of itself, as text. JSON in, lines out; a key that is missing is left out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from skep.base.clock import SECOND
from skep.base.units import bytes_text, count_text, nanos_text
from skep.cli.table import Cell, folded, table
from skep.cli.terminal import Terminal

Object = Mapping[str, Any]
STATE_STYLES = {"on": "green", "instead": "yellow", "refused": "red", "absent": "dim"}
MOST_PLACES = 5
BACKLOG = 64 << 10
"""Bytes in a ring: what comes between two turns of the drain is less."""


def powers(status: Object, terminal: Terminal) -> str:
    """The table of what is on, then what this kernel refuses and what is used instead."""
    rows = [
        (
            Cell(row.get("power", "?"), STATE_STYLES.get(row.get("state", ""), "")),
            ", ".join(row.get("programs", ())) or "-",
            row.get("hook") or "-",
            row.get("cost") or "-",
        )
        for row in status.get("powers", ())
        if row.get("state") != "refused"
    ]
    text = folded(("power", "program", "hook", "cost"), rows, terminal)
    notes = [line for row in status.get("powers", ()) for line in _notes(row, terminal)]
    return text + ("\n" + "".join(notes) if notes else "")


def _notes(row: Object, terminal: Terminal) -> list[str]:
    """What is not seen, what was refused and what is used instead."""
    power, refused = row.get("power", "?"), row.get("refused", ())
    lines = []
    for one in refused:
        text = f"{power}: this kernel refuses {one.get('hook', '?')}: {one.get('reason', '?')}"
        used = f"; instead: {row['hook']}" if row.get("hook") else "; nothing is used instead"
        lines.append(terminal.paragraph(text + used, "yellow"))
    if row.get("narrows"):
        lines.append(terminal.paragraph(f"{power}: {row['narrows']}", "dim"))
    return lines


def status(found: Object, terminal: Terminal) -> str:
    """Everything that `skep status` shows."""
    head = (
        f"skep {found.get('version', '?')}, instance {found.get('instance', '?')}, "
        f"pid {found.get('pid', '?')}, since {found.get('started', '?')[:19]}Z "
        f"({nanos_text(int(found.get('seconds', 0) * SECOND))})"
    )
    store = found.get("store", {})
    tail = (
        f"{count_text(store.get('events', 0))} events stored ({bytes_text(store.get('bytes', 0))}), "
        f"{found.get('followers', 0)} following, metrics: {found.get('metrics', '?')}"
    )
    sections = (
        terminal.paragraph(head, "bold"),
        powers(found, terminal),
        _programs(found.get("programs", ()), terminal),
        _maps(found.get("maps", ()), terminal),
        _processes(found, terminal),
        _losses(found.get("losses", ()), terminal),
        terminal.paragraph(tail),
        warnings(found, terminal),
    )
    return "\n".join(section for section in sections if section)


def warnings(found: Object, terminal: Terminal) -> str:
    """What the agent warns of, a paragraph each."""
    return "".join(
        terminal.paragraph(f"warning: {one}", "yellow") for one in found.get("warnings", ())
    )


def summary(found: Object, terminal: Terminal) -> str:
    """What `skep up` ends with."""
    events = found.get("events", {})
    sorted_events = sorted(events.items(), key=_by_count)
    counts = [(kind, count_text(count)) for kind, count in sorted_events if count]
    seconds = float(found.get("seconds", 0))
    cpu = float(found.get("cpu_seconds", 0))
    total = sum(events.values())
    cost = (
        f"{count_text(total)} events in {nanos_text(int(seconds * SECOND))}; the agent took "
        f"{nanos_text(int(cpu * SECOND))} of CPU ({100 * cpu / seconds if seconds else 0:.1f} % of a core), "
        f"{bytes_text(found.get('memory_bytes', 0))} of memory and "
        f"{bytes_text(found.get('kernel_bytes', 0))} in the kernel"
    )
    sections = (
        terminal.paragraph(cost, "bold"),
        table(("event", "count"), counts, terminal, right="count") if counts else "",
        _drops(found.get("drops", ()), terminal),
        _programs(found.get("programs", ()), terminal),
        _losses(found.get("losses", ()), terminal),
    )
    return "\n".join(section for section in sections if section)


def _drops(rows: Sequence[Object], terminal: Terminal) -> str:
    """Where most packets were dropped; ``told`` have an event each."""
    shown = [
        (
            row.get("reason", "?"),
            row.get("location", "?"),
            count_text(row.get("total", 0)),
            count_text(row.get("told", 0)),
        )
        for row in rows[:MOST_PLACES]
    ]
    head = ("dropped because", "at", "packets", "told")
    return table(head, shown, terminal, right="packets,told") if rows else ""


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _programs(rows: Sequence[Object], terminal: Terminal) -> str:
    shown = [
        (
            row.get("name", "?"),
            f"{row['ns'] / row['runs']:.0f} ns" if row.get("runs") else "-",
            count_text(row.get("runs", 0)),
            count_text(row.get("misses", 0)),
        )
        for row in rows
    ]
    head = ("program", "per run", "runs sampled", "misses")
    return table(head, shown, terminal, right="per run,runs sampled,misses") if rows else ""


def _maps(rows: Sequence[Object], terminal: Terminal) -> str:
    shown = [
        (row.get("name", "?"), row.get("type", "?"), bytes_text(row.get("bytes", 0)))
        for row in sorted(rows, key=lambda row: -row.get("bytes", 0))
    ]
    return (
        table(("map", "type", "kernel memory"), shown, terminal, right="kernel memory")
        if rows
        else ""
    )


def _processes(found: Object, terminal: Terminal) -> str:
    shown = [
        (
            row.get("name", "?"),
            str(row.get("pid", "?")),
            nanos_text(int(row.get("cpu_seconds", 0) * SECOND)),
            bytes_text(row.get("pss_bytes", 0)),
            _capabilities(row),
        )
        for row in found.get("processes", ())
    ]
    head = ("process", "pid", "cpu", "memory", "capabilities")
    text = folded(head, shown, terminal, right="pid,cpu,memory")
    restarts = found.get("drain_restarts", 0)
    times = "once" if restarts == 1 else f"{restarts} times"
    return text + (f"the drain was restarted {times}\n" if restarts else "")


def _capabilities(row: Object) -> str:
    """Those in force, and those that the process may bring into force."""
    if "effective" not in row:
        return "?"
    now = _short(row["effective"]) or "none"
    more = _short(set(row.get("permitted", ())) - set(row["effective"]))
    gains = "" if row.get("no_new_privileges") else ", and more by exec"
    return now + (f", at times {more}" if more else "") + gains


def _short(names: Iterable[str]) -> str:
    return " ".join(sorted(name.removeprefix("CAP_").lower() for name in names))


def _losses(rows: Sequence[Object], terminal: Terminal) -> str:
    """A line for each queue that lost; one line where none did; and where much, or all that came, waits to be read."""
    return _lost(rows, terminal) + "".join(
        terminal.paragraph(f"{bytes_text(size)} in the {row.get('queue', '?')} wait to be read")
        for row in rows
        if (size := row.get("waiting_bytes", 0)) >= (BACKLOG if row.get("read_bytes") else 1)
    )


def _lost(rows: Sequence[Object], terminal: Terminal) -> str:
    lost = [
        (
            Cell(row.get("queue", "?"), "yellow"),
            count_text(row["lost"]),
            count_text(row.get("passed", 0)),
            row.get("why", ""),
        )
        for row in rows
        if row.get("lost")
    ]
    if lost:
        return table(("lost in", "lost", "passed", "because"), lost, terminal, right="lost,passed")
    names = ", ".join(row.get("queue", "?") for row in rows)
    return terminal.paragraph(f"nothing was lost ({names})") if rows else ""
