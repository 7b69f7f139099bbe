"""What the maps of a file's programs hold at the end of ``skep run``: for people the largest numbers, as JSON all.

Rings are no maps here, nor what only serves the machinery, such as their counts. Of arrays, what is not 0 is shown.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from skep.base.lazy import lazy
from skep.cli import terminal
from skep.cli.terminal import safe
from skep.lang.declared.nested import INNER
from skep.lang.maps import Declaration, Ring
from skep.lang.spec import MapType
from skep.lang.struct import Struct
from skep.program.live import Live

shown = lazy("skep.events.shown")  # what it imports would delay the attaching

SHOWN = 20
FILLED = frozenset({MapType.HASH, MapType.PERCPU_HASH, MapType.LPM_TRIE})
ARRAYS = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})
KIND = "map"

Entry = tuple[Any, Any]


def lines(live: Live, declared: Mapping[Declaration, str], *, as_json: bool) -> Iterator[str]:
    """The maps that are declared under these names, as text, or a line of JSON each."""
    states = [one.state for one in declared if isinstance(one, Ring)]
    show = _json if as_json else _text
    for one, name in declared.items():
        if one.type in INNER and not isinstance(one, Ring) and one not in states:
            entries = _entries(live, one)
            full = one.type in FILLED and len(entries) == one.entries
            yield from show(name, entries, full=full)


def _entries(live: Live, declared: Declaration) -> list[Entry]:
    """The entries of a map, the largest numbers first."""
    every = live[declared].items()
    kept = (entry for entry in every if declared.type not in ARRAYS or _any(entry[1]))
    return sorted(kept, key=_size, reverse=True)


def _text(name: str, entries: list[Entry], *, full: bool) -> Iterator[str]:
    yield terminal.of(sys.stdout).style(f"{name}:", "bold")
    for key, value in entries[:SHOWN]:
        yield safe(f"  {key}: {value}")
    if len(entries) > SHOWN:
        yield f"  and {len(entries) - SHOWN} more"
    if full:
        yield "  it is full: what came later found no room"


def _json(name: str, entries: list[Entry], *, full: bool) -> Iterator[str]:
    pairs = [{"key": _plain(key), "value": _plain(value)} for key, value in entries]
    yield json.dumps(
        {"kind": KIND, "map": name, "entries": pairs} | ({"full": True} if full else {})
    )


def _plain(value: Any) -> Any:  # noqa: ANN401 - a value of the language, one of JSON
    match value:
        case Struct():
            return shown.shown(value)
        case list():
            return [_plain(part) for part in value]
        case int() | str():
            return value
    return str(value)


def _any(value: Any) -> bool:  # noqa: ANN401 - a value of the language
    """Whether a value, or one of its parts, is not 0."""
    if isinstance(value, Struct):
        return any(value.to_bytes())
    return any(map(_any, value)) if isinstance(value, list) else bool(value)


def _size(entry: Entry) -> int:
    value = entry[1]
    if isinstance(value, list):
        return sum(part for part in value if isinstance(part, int))
    return value if isinstance(value, int) else 0
