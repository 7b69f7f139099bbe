"""The way of the process table through a flood: processes that live within one batch are taken up all at once.

It takes only those of whom one by one would say the same: nobody knows their pid, their parent is
known and does nothing else here, nothing about them changes. All others are left to the table.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from skep.base.frozen import frozen
from skep.base.lazy import lazy
from skep.node.cohorts import Cohort, Columns, Rows, find
from skep.node.fragments import Fragments
from skep.node.image_store import ImageStore
from skep.node.images import Lineage, Row

if TYPE_CHECKING:
    import numpy as np

    Column = np.ndarray[Any, Any]
else:
    np = lazy("numpy")

FEW = 24
"""Forks in a batch below which one by one is as cheap."""


@frozen
class Taken:
    """``left``: the rows that are not done, of each kind of which some are. ``newest``: time of what is done."""

    left: "Mapping[str, Column]" = field(default_factory=dict)
    newest: int = 0


class Flood:
    """Takes cohorts into ``store`` and names them by ``fragments``; ``few``: see FEW."""

    def __init__(self, store: ImageStore, fragments: Fragments, few: int = FEW) -> None:
        self._store, self._fragments, self._few = store, fragments, few

    def take(self, told: Mapping[str, Columns], refs: Mapping[str, list[int]]) -> Taken:
        """Take up what can be, of ``told`` by kind, and write its ``refs``."""
        fork, run, end = told.get("fork"), told.get("exec"), told.get("exit")
        if fork is None or end is None or self._store.placed is not None:
            return Taken()
        if len(fork["pid"]) < self._few or isinstance(fork["pid"], list):
            return Taken()
        rows = self._unknown(find(fork, run, end))
        lineages = self._lineages(fork, run, rows)
        ppids = fork["ppid"][rows.forks].tolist()
        rows = rows.chosen(np.fromiter(map(lineages.__contains__, ppids), bool, len(ppids)))
        if not len(rows):
            return Taken()
        self._store.remember(Cohort(rows, fork, run, end, lineages))
        named = self._named(fork, run, rows, lineages)
        left = {kind: _written(refs[kind], *done) for kind, done in named.items()}
        return Taken(left, int(end["time"][rows.exits].max()))

    def _unknown(self, rows: Rows) -> Rows:
        """Those of whom nothing is known."""
        known = np.fromiter(map(self._store.knows, rows.pids.tolist()), bool, len(rows))
        return rows.chosen(~known)

    def _lineages(self, fork: Columns, run: Columns | None, rows: Rows) -> dict[int, Lineage]:
        """What children get of those parents that are known and stay as they are in these records."""
        if not len(rows):
            return {}
        parents = set(fork["ppid"][rows.forks].tolist())
        parents.difference_update(fork["pid"].tolist(), [] if run is None else run["pid"].tolist())
        begun = int(fork["time"][rows.forks].min())
        found = {}
        for ppid in sorted(parents):
            parent = self._store.heads.get(ppid)
            if parent is not None and parent.since <= begun and parent.place == parent.cgroup:
                found[ppid] = self._fragments.heirs(parent)
        return found

    def _named(
        self, fork: Columns, run: Columns | None, rows: Rows, lineages: Mapping[int, Lineage]
    ) -> "dict[str, tuple[Column, Column]]":
        """By kind, numbers of rows and the ref of each."""
        begun = self._who(fork, rows.forks, lineages)
        named = {"fork": (rows.forks, begun)}
        ended = begun
        if run is not None:
            ran = rows.execs >= 0
            execs = rows.execs[ran]
            named["exec"] = (execs, self._who(run, execs, lineages))
            ended = begun.copy()
            ended[ran] = named["exec"][1]
        named["exit"] = (rows.exits, ended)
        return named

    def _who(self, columns: Columns, rows: "Column", lineages: Mapping[int, Lineage]) -> "Column":
        """The ref of each of ``rows``: one for all that differ in the pid alone."""
        names = ("ppid", "uid", "cgroup", "comm")
        keys = list(zip(*(columns[name][rows].tolist() for name in names), strict=True))
        refs = {}
        for pid, key in zip(columns["pid"][rows].tolist(), keys, strict=True):
            if key not in refs:
                ppid, uid, cgroup, comm = key
                row = Row(pid, ppid, uid, cgroup, 0, comm)
                refs[key] = self._fragments.shared(row, cgroup, lineages[ppid]).ref
        return np.fromiter(map(refs.__getitem__, keys), "u8", len(keys))


def _written(refs: list[int], rows: "Column", named: "Column") -> "Column":
    """Write what is named into ``refs``; the rows that are left."""
    column = np.zeros(len(refs), "u8")
    column[rows] = named
    refs[:] = column.tolist()
    left = np.ones(len(refs), bool)
    left[rows] = False
    return np.flatnonzero(left)
