"""What ``skep run`` writes of a record, or of a key or value of a map, as text: fields on a line, stacks below it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from skep.lang.forms import Frames
from skep.lang.struct import Struct

FRAME = "      "
"""What stands before the name of a frame."""
Shown = Callable[[Struct], Mapping[str, Any]]


def said(shown: Shown, given: Struct, *, without: str = "") -> tuple[str, list[str]]:
    """Its fields as ``name=value``, and the lines of its stacks; ``without`` a field of that name."""
    every = dict(shown(given))
    every.pop(without, None)
    stacks = [
        every.pop(name) for name in list(every) if isinstance(type(given).forms.get(name), Frames)
    ]
    below: list[str] = []
    for stack in stacks:
        below += [f"{FRAME}--"] * bool(below) + [f"{FRAME}{frame}" for frame in stack]
    return " ".join(pairs(every)), below


def pairs(fields: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """Fields as ``name=value``, those of a Struct within as ``outer.name=value``; of a mark its name."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from pairs(value, f"{within}{name}.")
        else:
            yield f"{within}{name}" if value is True else f"{within}{name}={value}"
