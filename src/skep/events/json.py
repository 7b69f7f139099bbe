"""Events as JSON, for the edge: a batch becomes lines, by one template and without objects.

A ``Formatter`` is made once for a record class and remembers the texts that it has escaped
(bounded). A line is ``{"time":"2025-01-01T00:00:00.000000000Z","kind":"exec","seq":1, who did it,
the record's own fields}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skep.base.clock import SECOND, rfc3339
from skep.base.lazy import lazy
from skep.events.batch import Batch
from skep.events.record import Record, RecordType
from skep.events.shows import Memo, Show, escaped, key, named, show
from skep.lang.forms import Form, Given, Hidden, Marks, Unless

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazy("numpy")

WHO = frozenset({"pid", "ppid", "uid", "gid", "comm", "cgroup", "start"})
"""Fields of a record that a fragment about its process replaces."""


class Formatter:
    """Lines of ``record``'s batches.

    ``omit`` are fields that are not shown (``WHO``, where each line gets a fragment). ``names``
    shows integers as the text that a function gives for them: reasons, symbols.
    """

    def __init__(
        self,
        record: RecordType,
        *,
        omit: Collection[str] = (),
        names: Mapping[str, Callable[[int], str]] | None = None,
    ) -> None:
        named_fields = names or {}
        fields = [f for f in record.fields if f.name not in omit]
        self._shows: dict[str, Show] = {}
        head = b'{"time":"%b.%09dZ","kind":' + escaped(record.kind_name) + b',"seq":%d'
        own = b""
        for field in fields:
            form: Form | None = record.forms.get(field.name)
            if isinstance(form, Hidden):
                continue
            shown = (
                named(named_fields[field.name]) if field.name in named_fields else show(field, form)
            )
            self._shows[field.name] = shown
            own_key = isinstance(form, Marks | Given | Unless)
            own += (b"" if own_key else key(field.name)) + shown.place
        self._apart = head + b"%b" + own + b"}\n"
        self._behind_pid = head + b',"pid":%d%b' + own + b"}\n"
        self._seconds = Memo(lambda second: rfc3339(second * SECOND)[:19].encode())

    def lines(
        self, batch: Batch, wall_offset_ns: int, who: Sequence[bytes] | None = None
    ) -> list[bytes]:
        """A JSON object for each row, with a newline.

        ``wall_offset_ns`` is wall time minus boot time. ``who`` has for each row what is known of
        its process: the inside of a JSON object, ``b'"user":"x"'``, or nothing, or what stands behind
        the row's own pid, ``b',"ppid":1,"comm":"x"'``, which processes share.
        """
        wall = batch["time"].astype("i8") + np.int64(wall_offset_ns)
        second = wall // SECOND
        template, process = self._process(batch, who)
        columns: list[Sequence[Any]] = [
            [self._seconds[one] for one in second.tolist()],
            (wall - second * SECOND).tolist(),
            batch["seq"].tolist(),
            *process,
        ]
        columns += [shown.column(batch, name) for name, shown in self._shows.items()]
        return [template % row for row in zip(*columns, strict=True)]

    def _process(
        self, batch: Batch, who: Sequence[bytes] | None
    ) -> tuple[bytes, list[Sequence[Any]]]:
        """The template, and the columns for what it says of processes."""
        if who is None:
            return self._apart, [[b""] * len(batch)]
        pids = batch["pid"].tolist() if "pid" in batch.columns else [0] * len(batch)
        if all(one[:1] == b"," for one in set(who)):
            return self._behind_pid, [pids, who]
        return self._apart, [list(map(_piece, pids, who))]


def _piece(pid: int, who: bytes) -> bytes:
    if who[:1] == b",":
        return b',"pid":%d%b' % (pid, who)
    return b"," + who if who else b""


def line(event: Record, wall_offset_ns: int) -> bytes:
    """One event as a line of JSON, without a newline; ``Formatter`` is for many."""
    batch = Batch.of(type(event), [event])
    return Formatter(type(event)).lines(batch, wall_offset_ns)[0].removesuffix(b"\n")


def as_dict(event: Record, wall_offset_ns: int) -> dict[str, Any]:
    """One event as what its line of JSON means."""
    value: dict[str, Any] = json.loads(line(event, wall_offset_ns))
    return value
