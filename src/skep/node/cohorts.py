"""Processes whose whole life lies in one batch, as columns: in a flood of short commands nearly all are.

One by one they would be images, made, told and dropped again for nothing. Here they are found by a few
steps over columns, and kept as columns until somebody asks for one of them. Pure.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from skep.base.frozen import frozen
from skep.base.lazy import lazy
from skep.node.images import Lineage, Row

if TYPE_CHECKING:
    import numpy as np

    Column = np.ndarray[Any, Any]
else:
    np = lazy("numpy")

NONE, SEVERAL = -1, -2
"""Instead of the number of a row: there is none, there is more than one."""
SAME = ("ppid", "uid", "cgroup", "start")
"""What fork, exec and exit of a process agree on, where it is a simple one; it ends by the name that it was given."""


class Columns(Protocol):
    """Columns by name: a Batch, or a mapping of lists or arrays. Text is bytes."""

    def __getitem__(self, name: str, /) -> Any:  # noqa: ANN401 - a numpy array or a list
        """The column ``name``."""


@frozen
class Rows:
    """Processes by ascending pid, and the numbers of their rows: of some the exec is NONE."""

    pids: "Column"
    forks: "Column"
    execs: "Column"
    exits: "Column"

    def __len__(self) -> int:
        return len(self.pids)

    def chosen(self, which: "Column") -> "Rows":
        """Those that a mask names."""
        return Rows(self.pids[which], self.forks[which], self.execs[which], self.exits[which])


@frozen
class Life:
    """One process: its images from when on, the first first; when it ended; its ancestors."""

    images: tuple[tuple[int, Row], ...]
    ended: int
    lineage: Lineage


class Cohort:
    """Processes that lived and ended, as columns of what may be asked of them. ``lineages`` by ppid."""

    def __init__(
        self,
        rows: Rows,
        fork: Columns,
        run: Columns | None,
        end: Columns,
        lineages: Mapping[int, Lineage],
    ) -> None:
        self.rows, self._lineages = rows, lineages
        self._fork = {name: fork[name] for name in (*Row._fields, "time")}
        self._run = {} if run is None else {name: run[name] for name in ("time", "comm")}
        self._ends = end["time"]

    def life(self, pid: int) -> Life:
        """What was told of ``pid``, which is one of them."""
        at = int(np.searchsorted(self.rows.pids, pid))
        fork, run = int(self.rows.forks[at]), int(self.rows.execs[at])
        first = Row(*(self._fork[name][fork].item() for name in Row._fields))
        images = [(first.start, first)]
        if run != NONE:
            row = first._replace(comm=self._run["comm"][run].item())
            images.append((int(self._run["time"][run]), row))
        return Life(tuple(images), int(self._ends[self.rows.exits[at]]), self._lineages[first.ppid])


def find(fork: Columns, run: Columns | None, end: Columns) -> Rows:
    """The processes with one fork and one exit, and at most one exec between.

    ``run`` are execs, ``end`` exits.
    """
    pids, forks = _single(fork["pid"])
    exits = _rows(end["pid"], pids)
    execs = np.full(len(pids), NONE) if run is None else _rows(run["pid"], pids)
    good = (exits >= 0) & (execs != SEVERAL)
    found = Rows(pids, forks, execs, exits).chosen(good)
    good = _agree(fork, found.forks, end, found.exits)
    names = fork["comm"][found.forks]
    if run is not None:
        ran = found.execs >= 0
        good[ran] &= _agree(fork, found.forks[ran], run, found.execs[ran])
        good[ran] &= _agree_in_time(run, found.execs[ran], end, found.exits[ran])
        names[ran] = run["comm"][found.execs[ran]]
    return found.chosen(good & (names == end["comm"][found.exits]))


def _single(column: "Column") -> "tuple[Column, Column]":
    """The values that a column has once, ascending, and their rows."""
    values, first, counts = np.unique(column, return_index=True, return_counts=True)
    once = counts == 1
    return values[once], first[once]


def _rows(column: "Column", values: "Column") -> "Column":
    """For each of ``values`` its row in ``column``: or NONE, or SEVERAL."""
    there, first, counts = np.unique(column, return_index=True, return_counts=True)
    if not len(there):
        return np.full(len(values), NONE)
    at = np.minimum(np.searchsorted(there, values), len(there) - 1)
    rows = np.where(counts[at] == 1, first[at], SEVERAL)
    return np.where(there[at] == values, rows, NONE)


def _agree(one: Columns, rows: "Column", other: Columns, theirs: "Column") -> "Column":
    """Whether rows tell of the same process as those of another kind, which come later."""
    same = _agree_in_time(one, rows, other, theirs)
    for name in SAME:
        same &= one[name][rows] == other[name][theirs]
    return same


def _agree_in_time(one: Columns, rows: "Column", other: Columns, theirs: "Column") -> "Column":
    agree: Column = one["time"][rows] <= other["time"][theirs]
    return agree
