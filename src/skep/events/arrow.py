"""Arrow forms of C layouts: the schema of a Struct, and arrays of its columns.

pyarrow is an optional dependency; it is imported at the first use.
"""

from typing import TYPE_CHECKING, Any

from skep.base.lazy import lazy
from skep.events.columns import Kind
from skep.lang.struct import StructType
from skep.lang.types import ArrayType, IntType, char

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
else:
    np, pa = lazy("numpy"), lazy("pyarrow")


def schema(struct: StructType) -> "pa.Schema":
    """The schema of ``struct``: see ``type_of``; a record's ``time`` is a UTC timestamp in ns."""
    return pa.schema(
        [pa.field(f.name, _field_type(f.name, f.type), nullable=False) for f in struct.fields]
    )


def _field_type(name: str, kind: Kind) -> "pa.DataType":
    return pa.timestamp("ns", tz="UTC") if name == "time" else type_of(kind)


def type_of(kind: Kind) -> "pa.DataType":
    """The Arrow type of a field.

    Integers by width and sign (big-endian ones as numbers), ``char[N]`` as utf8, ``u8[N]`` as
    binary of N bytes, other arrays as lists of N, a Struct as a struct.
    """
    if isinstance(kind, IntType):
        return pa.type_for_alias(f"{'int' if kind.signed else 'uint'}{kind.bits}")
    if isinstance(kind, StructType):
        return pa.struct([pa.field(f.name, type_of(f.type), nullable=False) for f in kind.fields])
    if kind.element is char:
        return pa.utf8()
    if kind.size == kind.count:
        return pa.binary(kind.count)
    return pa.list_(pa.field("item", type_of(kind.element), nullable=False), kind.count)


def array(name: str, kind: Kind, column: "np.ndarray[Any, Any]", wall_offset_ns: int) -> "pa.Array":
    """``column`` (rows, or rows x N) as an Arrow array.

    Integers share the column's memory, which must not change after. Text that is not UTF-8 keeps
    its bytes as backslash escapes, since Arrow text is valid by definition.
    """
    if name == "time":
        wall = column.astype("i8") + np.int64(wall_offset_ns)
        return pa.array(wall, pa.int64()).cast(pa.timestamp("ns", tz="UTC"))
    return _array(kind, column)


def _array(kind: Kind, column: "np.ndarray[Any, Any]") -> "pa.Array":
    if isinstance(kind, IntType):
        native = column.astype(column.dtype.newbyteorder("="), copy=False)
        return pa.array(native, type_of(kind))
    if isinstance(kind, StructType):
        parts = [_array(f.type, np.ascontiguousarray(column[f.name])) for f in kind.fields]
        return pa.StructArray.from_arrays(parts, fields=list(type_of(kind)))
    if kind.element is char:
        return pa.array([_text(raw) for raw in column.tolist()], pa.utf8())
    return _fixed(kind, np.ascontiguousarray(column))


def _fixed(kind: ArrayType, column: "np.ndarray[Any, Any]") -> "pa.Array":
    if kind.size == kind.count:
        return pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(kind.count), len(column), [None, pa.py_buffer(column)]
        )
    return pa.FixedSizeListArray.from_arrays(
        _array(kind.element, column.reshape(-1)), type=type_of(kind)
    )


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "backslashreplace")
