"""Transcripts for the process table: records in words."""

import json
from typing import Any

import numpy as np

from skep.node.image_store import Bounds
from skep.node.images import Row, at
from skep.node.processes import ProcessTable

SECOND = 10**9
START = 100 * SECOND


class Names:
    """Users by number, one cgroup path for each id."""

    def user(self, uid: int, place: int) -> bytes:
        del place
        return b'"u%d"' % uid

    def cgroup(self, place: int, pid: int) -> bytes:
        del pid
        return b',"cgroup":"/c%d"' % place


class Script:
    """A table, and records that are told to it in words; times are ns after START.

    They are lists, or with ``arrays`` what a drain gives. A process ends below the parent that it had, and
    an event whose comm is "?" calls it as it is called by then.
    """

    def __init__(
        self,
        bounds: Bounds | None = None,
        *,
        arrays: bool = False,
        **options: Any,  # noqa: ANN401 - ProcessTable's
    ) -> None:
        self.table = ProcessTable(Names(), bounds, **options)
        self.arrays = arrays
        self.seq = 0
        self.rows: dict[str, list[tuple[Any, ...]]] = {}
        self.parents: dict[int, int] = {}

    def _tell(self, kind: str, time: int, row: Row) -> None:
        self.seq += 1
        self.parents[row.pid] = row.ppid
        self.rows.setdefault(kind, []).append((START + time, self.seq, *row))

    def fork(self, time: int, ppid: int, pid: int, comm: str = "sh", **more: int) -> None:
        uid, cgroup = more.get("uid", 0), more.get("cgroup", 1)
        self._tell("fork", time, Row(pid, ppid, uid, cgroup, START + time, comm.encode()))

    def exec(self, time: int, pid: int, comm: str, start: int, **more: int) -> None:
        ppid, uid, cgroup = more.get("ppid", 1), more.get("uid", 0), more.get("cgroup", 1)
        self._tell("exec", time, Row(pid, ppid, uid, cgroup, START + start, comm.encode()))

    def exit(self, time: int, pid: int, comm: str, start: int, **more: int) -> None:
        ppid, uid, cgroup = (
            more.get("ppid", self.parents.get(pid, 1)),
            more.get("uid", 0),
            more.get("cgroup", 1),
        )
        self._tell("exit", time, Row(pid, ppid, uid, cgroup, START + start, comm.encode()))

    def end(self) -> dict[str, list[int]]:
        """The end of a batch."""
        fields = ("time", "seq", *Row._fields)
        batch: dict[str, dict[str, Any]] = {
            kind: dict(zip(fields, map(list, zip(*rows, strict=True)), strict=True))
            for kind, rows in self.rows.items()
        }
        if self.arrays:
            batch = {kind: _arrays(columns) for kind, columns in batch.items()}
        self.rows = {}
        return self.table.apply(batch)

    def who(self, pid: int, time: int, comm: str = "?", uid: int = 0, cgroup: int = 1) -> str:
        """Comm of the process that did something, after the end of a batch."""
        return str(self.image(pid, time, comm, uid, cgroup)["comm"])

    def ref(self, pid: int, time: int, comm: str = "?", uid: int = 0, cgroup: int = 1) -> int:
        event = {"pid": pid, "time": START + time, "uid": uid, "cgroup": cgroup}
        called = self._called(pid, START + time) if comm == "?" else comm.encode()
        columns = {name: [value] for name, value in event.items()} | {"comm": [called]}
        return self.table.resolve(columns)[0]

    def _called(self, pid: int, time: int) -> bytes:
        image = at(self.table._store.recall(pid), time)
        return b"?" if image is None else image.comm

    def image(
        self, pid: int, time: int, comm: str = "?", uid: int = 0, cgroup: int = 1
    ) -> dict[str, Any]:
        return self.fragment(self.ref(pid, time, comm, uid, cgroup))

    def fragment(self, ref: int) -> dict[str, Any]:
        text = self.table.describe(ref).removeprefix(b",")
        value: dict[str, Any] = json.loads(b"{" + text + b"}")
        return value


def _arrays(columns: dict[str, list[Any]]) -> dict[str, Any]:
    return {
        name: np.array(values, "S16" if name == "comm" else "u8")
        for name, values in columns.items()
    }
