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
from skep.events.forms import Form, Hidden, Marks
from skep.events.record import Record, RecordType
from skep.events.shows import Memo, Show, escaped, named, show

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
        template = b'{"time":"%b.%09dZ","kind":' + escaped(record.kind_name) + b',"seq":%d%b'
        for field in fields:
            form: Form | None = record.forms.get(field.name)
            if isinstance(form, Hidden):
                continue
            key = b"" if isinstance(form, Marks) else b',"' + field.name.encode() + b'":'
            shown = (
                named(named_fields[field.name]) if field.name in named_fields else show(field, form)
            )
            self._shows[field.name] = shown
            template += key + shown.place
        self._template = template + b"}"
        self._seconds = Memo(lambda second: rfc3339(second * SECOND)[:19].encode())

    def lines(
        self, batch: Batch, wall_offset_ns: int, who: Sequence[bytes] | None = None
    ) -> list[bytes]:
        """A JSON object for each row, without a newline.

        ``wall_offset_ns`` is wall time minus boot time. ``who`` has for each row what is known of
        its process: the inside of a JSON object, ``b'"pid":1,"comm":"x"'``, or nothing.
        """
        wall = batch["time"].astype("i8") + np.int64(wall_offset_ns)
        second = wall // SECOND
        columns: list[list[Any]] = [
            [self._seconds[s] for s in second.tolist()],
            (wall - second * SECOND).tolist(),
            batch["seq"].tolist(),
            [b""] * len(batch) if who is None else [b"," + one if one else b"" for one in who],
        ]
        columns += [shown.column(batch, name) for name, shown in self._shows.items()]
        template = self._template
        return [template % row for row in zip(*columns, strict=True)]


def line(event: Record, wall_offset_ns: int) -> bytes:
    """One event as a line of JSON, without a newline; ``Formatter`` is for many."""
    return Formatter(type(event)).lines(Batch.of(type(event), [event]), wall_offset_ns)[0]


def as_dict(event: Record, wall_offset_ns: int) -> dict[str, Any]:
    """One event as what its line of JSON means."""
    value: dict[str, Any] = json.loads(line(event, wall_offset_ns))
    return value
