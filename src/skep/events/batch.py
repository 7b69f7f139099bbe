"""``Batch``: events of one record class as columns, the form in which they pass every stage.

A batch owns its memory: rows are copied out of a ring before the ring takes the space back. Stages
take batches and return batches; an object for one event is made only where a person or a client
reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, cast

from skep.base.frozen import frozen
from skep.base.lazy import lazy
from skep.events import arrow
from skep.events.columns import Kind, Plan
from skep.lang.raw_text import text_of
from skep.lang.struct import Struct, StructType
from skep.lang.types import ArrayType, IntType, char

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Column = np.ndarray[Any, Any]
    Longer = Mapping[str, Mapping[int, bytes]]
else:
    np, pa = lazy("numpy"), lazy("pyarrow")


@frozen
class Batch:
    """Rows of ``record``: one contiguous array for each field and each column that a stage added.

    A column has one element for each row: integers in the machine's byte order, ``char[N]`` as
    numpy bytes of N, other arrays as rows x N. ``longer`` holds, by field and row number, the whole
    bytes of values that did not fit.
    """

    record: StructType
    columns: Mapping[str, Column]
    longer: Longer = field(default_factory=dict)

    @classmethod
    def from_rows(cls, record: StructType, rows: Column) -> Batch:
        """A copy of ``rows``, an array of items of ``record``'s dtype, or of its size."""
        return cls(record, Plan(record).cut(rows))

    @classmethod
    def of(cls, record: StructType, events: Sequence[Struct]) -> Batch:
        """The batch of some instances, in their order."""
        data = b"".join(event.to_bytes() for event in events)
        return cls.from_rows(record, np.frombuffer(data, f"V{record.size}"))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def extended(self, **columns: Column) -> Batch:
        """The same rows with more columns, or other ones of the same name."""
        for name, column in columns.items():
            if len(column) != len(self):
                raise ValueError(f"column {name} has {len(column)} rows, the batch {len(self)}")
        return Batch(self.record, {**self.columns, **columns}, self.longer)

    def select(self, which: Column) -> Batch:
        """The rows that ``which`` names: a mask of booleans, or row numbers in the wanted order."""
        picked = np.flatnonzero(which) if which.dtype.kind == "b" else which
        columns = {name: column[picked] for name, column in self.columns.items()}
        return Batch(self.record, columns, _renumbered(self.longer, picked) if self.longer else {})

    def part(self, start: int, stop: int) -> Batch:
        """The rows from ``start`` to before ``stop``, as views of the same memory."""
        columns = {name: column[start:stop] for name, column in self.columns.items()}
        picked = np.arange(len(self))[start:stop] if self.longer else None
        return Batch(
            self.record, columns, {} if picked is None else _renumbered(self.longer, picked)
        )

    def sorted(self, by: str = "seq") -> Batch:
        """The rows in the order of a column; equal ones keep theirs."""
        return self.select(np.argsort(self.columns[by], kind="stable"))

    def rows(self) -> Iterator[Struct]:
        """An object of the record's class for each row, in order: for edges, microseconds each."""
        fields = self.record.fields
        lists = [_values(f.type, self.columns[f.name]) for f in fields]
        for values, f in zip(lists, fields, strict=True):
            for row, whole in self.longer.get(f.name, {}).items():
                values[row] = _whole(f.type, whole)
        names, kind = [f.name for f in fields], cast("type[Struct]", self.record)
        for row_values in zip(*lists, strict=True):
            event = object.__new__(kind)
            event.__dict__.update(zip(names, row_values, strict=True))
            yield event

    def to_arrow(self, wall_offset_ns: int) -> pa.RecordBatch:
        """An Arrow batch with the record's schema, without the columns that stages added.

        ``wall_offset_ns`` is wall time minus boot time.
        """
        schema = arrow.schema(self.record)
        arrays = [
            arrow.array(f.name, f.type, self.columns[f.name], wall_offset_ns)
            for f in self.record.fields
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


def concat(batches: Sequence[Batch]) -> Batch:
    """One batch of the rows of all, in order; all have one record class and the same columns."""
    first = batches[0]
    if any(
        b.record is not first.record or b.columns.keys() != first.columns.keys() for b in batches
    ):
        raise ValueError("only batches of one record class with the same columns can be joined")
    if len(batches) == 1:
        return first
    columns = {name: np.concatenate([b.columns[name] for b in batches]) for name in first.columns}
    return Batch(first.record, columns, _shifted(batches))


def _shifted(batches: Sequence[Batch]) -> Longer:
    longer: dict[str, dict[int, bytes]] = {}
    start = 0
    for batch in batches:
        for name, values in batch.longer.items():
            longer.setdefault(name, {}).update(
                {row + start: whole for row, whole in values.items()}
            )
        start += len(batch)
    return longer


def _renumbered(longer: Longer, picked: Column) -> Longer:
    """``longer`` after row ``picked[i]`` became row ``i``."""
    chosen = picked.tolist()
    renumbered = {
        name: {new: values[old] for new, old in enumerate(chosen) if old in values}
        for name, values in longer.items()
    }
    return {name: values for name, values in renumbered.items() if values}


def _values(kind: Kind, column: Column) -> list[Any]:
    if isinstance(kind, StructType):
        return list(Batch.from_rows(kind, column).rows())
    if isinstance(kind, IntType) or kind.element is not char:
        if isinstance(kind, ArrayType) and isinstance(kind.element, StructType):
            flat = _values(kind.element, column.reshape(-1))
            return [flat[i : i + kind.count] for i in range(0, len(flat), kind.count)]
        values: list[Any] = column.tolist()
        return values
    return list(map(text_of, column.tolist()))


def _whole(kind: Kind, whole: bytes) -> str | list[int]:
    text = isinstance(kind, ArrayType) and kind.element is char
    return text_of(whole) if text else list(whole)
