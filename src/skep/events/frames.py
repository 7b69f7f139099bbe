"""Batches and definitions as bytes, and back: what a message between two processes holds.

A batch's columns lie one behind the other, so that the reader's columns are views of the one copy
it made. A message names its columns itself; the reader knows the record class by its kind number.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from skep.base.frozen import frozen
from skep.base.lazy import lazy
from skep.events.arena import padded
from skep.events.batch import Batch
from skep.events.columns import element
from skep.events.record import RecordType

if TYPE_CHECKING:
    import numpy as np

    Column = np.ndarray[Any, Any]
else:
    np = lazy("numpy")

BATCH, DEFINITIONS, NOTE = 1, 2, 3
_HEAD = struct.Struct("<IIII")
_LONGER = struct.Struct("<III")
_PAD = [bytes(n) for n in range(8)]


@frozen
class Definitions:
    """What rows of later batches refer to: the inside of a JSON object each; empty: forget it."""

    refs: tuple[int, ...]
    fragments: tuple[bytes, ...]


@frozen
class Note:
    """Anything else that one side tells the other, in order with the batches."""

    data: bytes


Message = Batch | Definitions | Note


def batch_bytes(batch: Batch) -> bytes:
    """The body of a message for ``batch``; TypeError where its class is not a Record."""
    if not isinstance(batch.record, RecordType):
        raise TypeError(f"{batch.record!r} is not a Record: the other side could not know it")
    columns = batch.columns.values()
    shapes = tuple([column.shape[1:] for column in columns])
    names = _names(tuple(batch.columns), tuple([column.dtype for column in columns]), shapes)
    longer = _longer_bytes(batch)
    parts = [_HEAD.pack(batch.record.kind_number, len(batch), len(names), len(longer)), names]
    for column in columns:
        raw = column.tobytes()
        parts += (raw, _PAD[-len(raw) % 8])
    return b"".join((*parts, longer))


def batch_of(body: bytes, records: Mapping[int, RecordType]) -> Batch:
    """The batch in a message's body; its columns are views of ``body``, and read-only."""
    kind, count, names_size, longer_size = _HEAD.unpack_from(body)
    record = records[kind]
    at = _HEAD.size + names_size
    columns: dict[str, Column] = {}
    for name, dtype, shape, size in _layout(record, body[_HEAD.size : at]):
        columns[name] = np.ndarray((count, *shape), dtype, body, at)
        at += padded(count * size)
    return Batch(record, columns, _longer(body, at, longer_size, list(columns)))


@lru_cache(maxsize=64)
def _layout(
    record: RecordType, names: bytes
) -> list[tuple[str, np.dtype[Any], tuple[int, ...], int]]:
    """Name, dtype, shape of a row and bytes of a row, for each column."""
    layout = []
    for name, code, *shape in json.loads(names):
        field = record.field(name)
        dtype = np.dtype(code) if field is None else element(field.type)
        layout.append((name, dtype, tuple(shape), math.prod(shape) * dtype.itemsize))
    return layout


@lru_cache(maxsize=64)
def _names(
    names: tuple[str, ...], dtypes: tuple[np.dtype[Any], ...], shapes: tuple[tuple[int, ...], ...]
) -> bytes:
    """How a message says which columns it has. Remembered by dtypes: their words take longer than the rest of it."""
    columns = [
        (name, dtype.str, *shape) for name, dtype, shape in zip(names, dtypes, shapes, strict=True)
    ]
    text = json.dumps(columns, separators=(",", ":"))
    return text.ljust(padded(len(text))).encode()


def _longer_bytes(batch: Batch) -> bytes:
    names = list(batch.columns)
    return b"".join(
        _LONGER.pack(names.index(name), row, len(whole)) + whole
        for name, values in batch.longer.items()
        for row, whole in values.items()
    )


def _longer(body: bytes, at: int, size: int, names: list[str]) -> dict[str, dict[int, bytes]]:
    longer: dict[str, dict[int, bytes]] = {}
    end = at + size
    while at < end:
        index, row, length = _LONGER.unpack_from(body, at)
        at += _LONGER.size
        longer.setdefault(names[index], {})[row] = body[at : at + length]
        at += length
    return longer


def note_bytes(data: bytes) -> bytes:
    """The body of a message for a note."""
    return len(data).to_bytes(8, "little") + data


def note_of(body: bytes) -> Note:
    """The note in a message's body."""
    return Note(body[8 : 8 + int.from_bytes(body[:8], "little")])


def definition_bytes(items: Sequence[tuple[int, bytes]]) -> bytes:
    """The body of a message for pairs of reference and fragment."""
    count = len(items)
    sizes = [len(fragment) for _, fragment in items]
    head = struct.pack(f"<Q{count}Q{count}I", count, *[ref for ref, _ in items], *sizes)
    return b"".join((head, _PAD[-len(head) % 8], *[fragment for _, fragment in items]))


def definitions_of(body: bytes) -> Definitions:
    """The definitions in a message's body."""
    count = int.from_bytes(body[:8], "little")
    numbers = struct.unpack_from(f"<{count}Q{count}I", body, 8)
    ends = list(accumulate(numbers[count:], initial=padded(8 + 12 * count)))
    return Definitions(numbers[:count], tuple([body[a:b] for a, b in pairwise(ends)]))
