"""How rows become columns: a record class's dtype of a row, and the copy that makes each column.

A plan is made once for each class that a ring carries. It knows layouts only, neither rings nor
what fields mean.
"""

from typing import TYPE_CHECKING, Any

from skep.base.frozen import frozen
from skep.base.lazy import lazy
from skep.lang.struct import StructType
from skep.lang.types import ArrayType, IntType, char

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazy("numpy")


Kind = IntType | ArrayType | StructType
"""The type of a field."""


@frozen
class Column:
    """One field: its format inside a row, and the dtype and shape of an element of its column."""

    name: str
    raw: str
    dtype: "np.dtype[Any]"
    shape: tuple[int, ...]
    swap: bool

    def shaped(self, raw: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """The column of a contiguous array of its raw format."""
        if self.swap:
            return raw.astype(self.dtype)
        return raw.view(self.dtype).reshape(len(raw), *self.shape)


class Plan:
    """The columns of ``record``, for rows of ``stride`` bytes with the record at ``start``."""

    __slots__ = ("_names", "_shaped", "columns", "record", "row")

    def __init__(self, record: StructType, start: int = 0, stride: int = 0) -> None:
        self.record = record
        self.columns = tuple(_column(f.name, f.type) for f in record.fields)
        self._names = tuple(c.name for c in self.columns)
        self._shaped = tuple(c for c in self.columns if c.swap or c.raw[0] == "V")
        self.row = np.dtype(
            {
                "names": self._names,
                "formats": [c.raw for c in self.columns],
                "offsets": [start + f.offset for f in record.fields],
                "itemsize": stride or record.size,
            }
        )

    def cut(
        self, rows: "np.ndarray[Any, Any]", which: "np.ndarray[Any, Any] | None" = None
    ) -> "dict[str, np.ndarray[Any, Any]]":
        """Contiguous copies of the columns of ``rows``, an array of items of ``stride`` bytes.

        ``which`` picks rows by number. Few steps for each column: after a sleep, when the CPU has
        forgotten the interpreter, they cost as much as the copies.
        """
        rows = rows.view(self.row)
        if which is None:
            columns = {name: rows[name].copy() for name in self._names}
        else:
            columns = {name: rows[name][which] for name in self._names}
        for column in self._shaped:
            columns[column.name] = column.shaped(columns[column.name])
        return columns


def _column(name: str, kind: Kind) -> Column:
    shape = (kind.count,) if isinstance(kind, ArrayType) and kind.element is not char else ()
    swap = isinstance(kind, IntType) and kind.big_endian and kind.size > 1
    raw = kind.code if isinstance(kind, IntType) else f"V{kind.size}"
    return Column(name, raw, element(kind), shape, swap=swap)


def element(kind: Kind) -> "np.dtype[Any]":
    """The dtype of an element of a column: integers in the machine's byte order, text as bytes.

    Arrays by their element, which stays in the order in which it lies in memory.
    """
    if isinstance(kind, IntType):
        return np.dtype(kind.code).newbyteorder("=")
    if isinstance(kind, StructType):
        return _plain(kind)
    if kind.element is char:
        return np.dtype(f"S{kind.count}")
    return _plain(kind.element)


def _plain(kind: IntType | StructType) -> "np.dtype[Any]":
    dtype: np.dtype[Any] = np.dtype(kind.code if isinstance(kind, IntType) else kind.dtype)
    return dtype
