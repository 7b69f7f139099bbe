"""What the maps of a file's programs hold at the end of ``skep run``, as text or JSON: for people the first of many.

Rings are no maps here, nor what only serves the machinery, such as their counts, nor what the file calls its own, by a
name that begins with ``_``.
"""

import copy
import json
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from skep.base.lazy import lazy
from skep.cli import terminal
from skep.cli.run_contents import FULL, Content, Entry, content
from skep.cli.run_text import Shown, said
from skep.cli.terminal import safe
from skep.lang.maps import Bars, Declaration, Ring
from skep.lang.struct import Struct
from skep.program.live import Live

histogram = lazy("skep.program.histogram")  # few programs need it

SHOWN = 20
KIND = "map"


def lines(
    live: Live,
    declared: Mapping[Declaration, str],
    *,
    as_json: bool,
    take: bool = False,
    when: str = "",
) -> Iterator[str]:
    """The maps that are declared under these names, as text, or a line of JSON each, with ``when`` it was.

    ``take``: what is in tables is taken out of them.
    """
    states = [one.state for one in declared if isinstance(one, Ring)]
    show = partial(line, when=when) if as_json else text
    for one, name in declared.items():
        own = isinstance(one, Ring) or one in states or name.startswith("_")
        found = None if own else content(live, one, take=take)
        if found is not None:
            yield from show(name, found, live.shown)


def text(name: str, found: Content, shown: Shown) -> Iterator[str]:
    """A map as people read it: its name, and what is in it."""
    nothing = "" if found.entries or found.note else " nothing"
    yield terminal.of(sys.stdout).style(f"{name}:", "bold") + nothing
    if found.bars and found.entries:
        yield from _bars(found.entries, found.bars, shown)
        return
    for key, value in found.entries[:SHOWN]:
        label, below = _label(found.names.get(key, key), shown)
        if isinstance(value, list) and value and isinstance(value[0], str):
            head, below = "", [f"    {part}" for part in value]
        else:
            head, more = _value(found, value, shown)
            below += more
        yield safe("  " + (f"{label}: {head}".rstrip() if label else head))
        yield from map(safe, below)
    if len(found.entries) > SHOWN:
        yield f"  and {len(found.entries) - SHOWN} more"
    if found.note:
        yield f"  {found.note}"


def _label(key: Any, shown: Shown) -> tuple[str, list[str]]:  # noqa: ANN401 - a key; of a map in a map with that of the outer one
    """A key on a line, and the lines of its stacks; nothing for what has none."""
    match key:
        case None:
            return "", []
        case Struct():
            return said(shown, key)
        case tuple():
            labels = [_label(part, shown) for part in key]
            return ", ".join(one for one, _ in labels), [
                line for _, more in labels for line in more
            ]
    return key.hex(" ") if isinstance(key, bytes) else str(key), []


def _value(found: Content, value: Any, shown: Shown) -> tuple[str, list[str]]:  # noqa: ANN401 - a value of the language
    """A value on a line, and the lines of its stacks; numbers of CPUs together."""
    if found.by_cpu and all(isinstance(one, int) for one in value):
        return f"{sum(value)}", []
    return said(shown, value) if isinstance(value, Struct) else (f"{value}", [])


def _bars(entries: list[Entry], bars: Bars, shown: Shown) -> Iterator[str]:
    """A histogram; where keys are Structs, one for each of them without its slot."""
    for key, counts in _slots(entries).items():
        one = histogram.Histogram.of(counts, bars.unit, bars.step)
        if key is None:
            yield from _indented(one, 2)
            continue
        head, below = said(shown, key, without=type(key).fields[-1].name)
        if head:
            yield safe(f"  {head}:")
        yield from map(safe, below)
        yield from _indented(one, 4)


def _slots(entries: list[Entry]) -> dict[Any, dict[int, Any]]:
    """Counts by slot, for each key with a slot of 0; for None where the key is the slot."""
    found: dict[Any, dict[int, Any]] = {}
    for key, count in entries:
        rest, slot = None, key
        if isinstance(key, Struct):
            last = type(key).fields[-1].name
            rest, slot = copy.copy(key), getattr(key, last)
            setattr(rest, last, 0)
        found.setdefault(rest, {})[slot] = count
    return found


def _indented(told: Any, by: int) -> Iterator[str]:  # noqa: ANN401 - what has a text
    yield from (f"{' ' * by}{one}" for one in str(told).splitlines())


def line(name: str, found: Content, shown: Shown, when: str = "") -> Iterator[str]:
    """A map as JSON, all of it, and ``when`` it was so."""
    pairs = [
        ({} if key is None else {"key": _plain(key, shown)}) | {"value": _plain(value, shown)}
        for key, value in found.entries
    ]
    told = {"full": True} if found.note == FULL else {"note": found.note} if found.note else {}
    head = {"time": when} if when else {}
    yield json.dumps(head | {"kind": KIND, "map": name, "entries": pairs} | told)


def _plain(value: Any, shown: Shown) -> Any:  # noqa: ANN401 - a value of the language, one of JSON
    match value:
        case Struct():
            return shown(value)
        case list() | tuple() | bytes():
            return [_plain(part, shown) for part in value]
        case int() | str():
            return value
    return str(value)
