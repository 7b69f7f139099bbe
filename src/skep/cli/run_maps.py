"""What the maps of a file's programs hold at the end of ``skep run``, as text or JSON: for people the first of many.

Rings are no maps here, nor what only serves the machinery, such as their counts.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from skep.base.lazy import lazy
from skep.cli import terminal
from skep.cli.run_contents import FULL, Content, content
from skep.cli.terminal import safe
from skep.lang.maps import Bars, Declaration, Ring
from skep.lang.struct import Struct
from skep.program.live import Live

shown = lazy("skep.events.shown")  # what it imports would delay the attaching
histogram = lazy("skep.program.histogram")  # few programs need it

SHOWN = 20
KIND = "map"


def lines(live: Live, declared: Mapping[Declaration, str], *, as_json: bool) -> Iterator[str]:
    """The maps that are declared under these names, as text, or a line of JSON each."""
    states = [one.state for one in declared if isinstance(one, Ring)]
    show = line if as_json else text
    for one, name in declared.items():
        found = None if isinstance(one, Ring) or one in states else content(live, one)
        if found is not None:
            yield from show(name, found)


def text(name: str, found: Content) -> Iterator[str]:
    """A map as people read it: its name, and what is in it."""
    nothing = "" if found.entries or found.note else " nothing"
    yield terminal.of(sys.stdout).style(f"{name}:", "bold") + nothing
    if found.bars and found.entries:
        yield from _bars(found, found.bars)
        return
    for key, value in found.entries[:SHOWN]:
        label = "" if key is None else f"{found.names.get(key) or _label(key)}: "
        if isinstance(value, list) and value and isinstance(value[0], str):
            yield safe(f"  {label}".rstrip())
            yield from (safe(f"    {part}") for part in value)
        else:
            yield safe(f"  {label}{value}")
    if len(found.entries) > SHOWN:
        yield f"  and {len(found.entries) - SHOWN} more"
    if found.note:
        yield f"  {found.note}"


def _label(key: Any) -> str:  # noqa: ANN401 - a key; of a map in a map with that of the outer one
    return ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _bars(found: Content, bars: Bars) -> Iterator[str]:
    """A histogram; where keys are Structs, one for each of them without its slot."""
    counts, how = dict(found.entries), (bars.unit, bars.step)
    if not any(isinstance(key, Struct) for key in counts):
        yield from _indented(histogram.Histogram.of(counts, *how), 2)
        return
    for key, one in histogram.Histogram.by_key(counts, *how).items():
        yield safe(f"  {_label(key)}:")
        yield from _indented(one, 4)


def _indented(told: Any, by: int) -> Iterator[str]:  # noqa: ANN401 - what has a text
    yield from (f"{' ' * by}{one}" for one in str(told).splitlines())


def line(name: str, found: Content) -> Iterator[str]:
    """A map as JSON, all of it."""
    pairs = [
        ({} if key is None else {"key": _plain(key)}) | {"value": _plain(value)}
        for key, value in found.entries
    ]
    said = {"full": True} if found.note == FULL else {"note": found.note} if found.note else {}
    yield json.dumps({"kind": KIND, "map": name, "entries": pairs} | said)


def _plain(value: Any) -> Any:  # noqa: ANN401 - a value of the language, one of JSON
    match value:
        case Struct():
            return shown.shown(value)
        case list() | tuple():
            return [_plain(part) for part in value]
        case int() | str():
            return value
    return str(value)
