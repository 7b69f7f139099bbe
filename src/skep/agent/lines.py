"""Pulses as lines of JSON, for one choice of events: the filter works on columns, the text is made for what is left.

Nothing is done for a pulse that nobody reads. Rows of several classes are merged by time. A line is never kept.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from skep.agent import endpoints
from skep.agent.store import Part, Pulse
from skep.api.query import Query
from skep.base.lazy import lazy
from skep.events.batch import Batch

if TYPE_CHECKING:
    import numpy as np

    Mask = np.ndarray[Any, Any]
    Rows = np.ndarray[Any, Any]
else:
    np = lazy("numpy")

PIECE_LINES = 256
ROWS = 1024
"""Rows that are made into text at once: their lines, and their fields' texts, are what a flood takes in memory."""


class Lines(Protocol):
    """Makes the lines of one class's batches."""

    def lines(
        self, batch: Batch, wall_offset_ns: int, who: Sequence[bytes] | None = None
    ) -> list[bytes]:
        """A JSON object for each row, with a newline."""


class Writer:
    """Makes lines of pulses: ``formatters`` by the name of the kind."""

    def __init__(self, formatters: Mapping[str, Lines]) -> None:
        self._formatters = formatters

    def lines(self, pulse: Pulse, choice: Query) -> Iterator[list[bytes]]:
        """The lines of the rows that ``choice`` lets pass, by time, with newlines: made as they are taken."""
        for some in _portions(list(_chosen(pulse, choice))):
            lines = [line for part in some for line in self._format(part, pulse.offset)]
            yield lines if len(some) < 2 else [lines[row] for row in _order(some).tolist()]

    def _format(self, part: Part, offset: int) -> list[bytes]:
        who = None if part.who is None else [one.text for one in part.who]
        return self._formatters[part.kind].lines(part.batch, offset, who)


def count(pulse: Pulse, choice: Query) -> int:
    """How many rows ``choice`` lets pass."""
    return sum(len(part.batch) for part in _chosen(pulse, choice))


def _portions(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    """Views of the rows of ``parts``, about ``ROWS`` at a time: by time, where there are several parts."""
    if sum(len(part.batch) for part in parts) <= ROWS:
        yield parts
    elif len(parts) == 1:
        yield from ((some,) for some in parts[0].cut(ROWS))
    else:
        yield from _by_time([part.sorted() for part in parts])


def _by_time(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    starts = np.sort(np.concatenate([part.batch["time"] for part in parts]))[ROWS::ROWS]
    cuts = [
        (0, *np.searchsorted(part.batch["time"], starts).tolist(), len(part.batch))
        for part in parts
    ]
    for ranges in zip(*map(pairwise, cuts), strict=True):
        yield [
            part.part(start, stop)
            for part, (start, stop) in zip(parts, ranges, strict=True)
            if start < stop
        ]


def _order(parts: Sequence[Part]) -> "Rows":
    """The rows of ``parts``, one after the other, in the order of time."""
    return np.argsort(np.concatenate([part.batch["time"] for part in parts]), kind="stable")


def _chosen(pulse: Pulse, choice: Query) -> Iterator[Part]:
    for part in pulse.parts:
        if choice.kinds and part.kind not in choice.kinds:
            continue
        mask = _mask(part, choice, pulse.offset)
        if mask is None or mask.all():
            yield part
        elif mask.any():
            yield part.select(np.flatnonzero(mask))


def _mask(part: Part, choice: Query, offset: int) -> "Mask | None":
    masks: list[Mask] = []
    batch = part.batch
    if choice.since is not None:
        masks.append(batch["time"].astype("i8") >= choice.since - offset)
    if choice.until is not None:
        masks.append(batch["time"].astype("i8") <= choice.until - offset)
    if choice.pids:
        masks.append(_among(batch, "pid", choice.pids))
    if choice.ports:
        masks.append(endpoints.at_port(batch, choice.ports))
    if choice.addresses:
        masks.append(endpoints.at_address(batch, choice.addresses))
    if choice.of_process:
        masks.append(_of_processes(part, choice))
    return np.logical_and.reduce(masks) if masks else None


def _of_processes(part: Part, choice: Query) -> "Mask":
    if part.who is None:
        return np.zeros(len(part.batch), bool)
    fits = {text: matches(text, choice) for text in {one.text for one in part.who}}
    return np.array([fits[one.text] for one in part.who], bool)


class Piece(NamedTuple):
    """Whole lines, joined; and how many, for to count them there would cost a tenth of making them."""

    data: bytes
    lines: int


def pieces(made: Iterable[list[bytes]], skip: int = 0) -> Iterator[Piece]:
    """Some lines at a time, without the first ``skip``: no piece of a stream becomes large."""
    for lines in made:
        for at in range(min(skip, len(lines)), len(lines), PIECE_LINES):
            some = lines[at : at + PIECE_LINES]
            yield Piece(b"".join(some), len(some))
        skip = max(0, skip - len(lines))


def matches(fragment: bytes, choice: Query) -> bool:
    """Whether the process of ``fragment`` is among those that ``choice`` wants."""
    if not fragment:
        return False
    who = json.loads(b"{" + fragment.removeprefix(b",") + b"}")
    container, pod = who.get("container") or {}, who.get("pod") or {}
    return (
        _any(choice.comms, lambda comm: fnmatchcase(str(who.get("comm", "")), comm))
        and _any(choice.containers, lambda wanted: _is_container(container, wanted))
        and _any(choice.pods, lambda wanted: _is_pod(pod, wanted))
        and _any(choice.users, lambda wanted: wanted == who.get("user"))
    )


def _any(wanted: Sequence[str], test: Callable[[str], bool]) -> bool:
    return not wanted or any(map(test, wanted))


def _is_container(container: Mapping[str, Any], wanted: str) -> bool:
    if not container:
        return False
    named = fnmatchcase(str(container.get("name", "")), wanted)
    return named or str(container.get("id", "")).startswith(wanted)


def _is_pod(pod: Mapping[str, Any], wanted: str) -> bool:
    if "name" not in pod:
        return False
    whole = f"{pod.get('namespace', '')}/{pod['name']}"
    return fnmatchcase(whole if "/" in wanted else pod["name"], wanted)


def _among(batch: Batch, column: str, values: frozenset[int]) -> "Mask":
    if column not in batch.columns:
        return np.zeros(len(batch), bool)
    return np.isin(batch[column], np.fromiter(values, "u4", len(values)))
