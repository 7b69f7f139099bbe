"""``Record``: one description of an event, for the kernel half and the user half of a feature.

From a class come the C struct (``lang``), the numpy dtype, the Arrow schema, the JSON form and a
page of documentation. A class is made once, at import; nothing here asks a kernel or imports numpy.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from skep.base.frozen import frozen
from skep.events import arrow, kinds
from skep.events.kinds import Kind
from skep.lang.forms import Form, Hidden
from skep.lang.struct import Struct, StructType
from skep.lang.types import u16, u32, u64

if TYPE_CHECKING:
    import pyarrow as pa

STEP = 8


@frozen
class FieldDoc:
    """A row of a record's documentation; ``offset`` in bytes, the rest as far as it is written."""

    name: str
    type: str
    offset: int
    unit: str
    comment: str


class RecordType(StructType):
    """The class of Record classes.

    ``stamps`` tells the compiler what to store in the header when a record is reserved:
    ``"boot_ns"``, ``"sequence"`` and ``"cpu"`` are sources of its own, an integer is itself.
    """

    kind_name: str
    kind_number: int
    stamps: Mapping[str, str | int]
    docs: Mapping[str, str]

    def __init__(
        cls,  # noqa: N805 - the instances of a metaclass are classes
        name: str,
        bases: tuple[type, ...],
        space: dict[str, Any],
        *,
        size: int = 0,
        kind: str | Kind = "",
        forms: Mapping[str, Form] | None = None,
        docs: Mapping[str, str] | None = None,
    ) -> None:
        if size % STEP:
            raise TypeError(f"{name} is to have {size} bytes; a ring takes multiples of {STEP}")
        super().__init__(name, bases, space, size=size, forms=forms)
        _refuse_twins(cls)
        own = kind if isinstance(kind, Kind) else kinds.of_user(kind or kinds.kind_name(name))
        cls.kind_name, cls.kind_number = own.name, own.number
        cls.stamps = MappingProxyType(
            {
                "time": "boot_ns",
                "seq": "sequence",
                "cpu": "cpu",
                "kind": cls.kind_number,
                "flags": 0,
            }
        )
        cls.docs = MappingProxyType(
            {**getattr(cls, "docs", {}), **_comments(space.get("__doc__")), **(docs or {})}
        )
        cls.refuse_strangers(cls.docs, "documented")

    def arrow_schema(cls) -> "pa.Schema":  # noqa: N805 - as above
        """The Arrow schema, a column for each field; ``time`` is a UTC timestamp in ns."""
        return arrow.schema(cls)

    def describe(cls) -> tuple[FieldDoc, ...]:  # noqa: N805 - as above
        """A row for each field, of ``docs=`` or the docstring's lines ``name: comment [unit]``."""
        return tuple(
            FieldDoc(f.name, repr(f.type), f.offset, *_unit(cls.docs.get(f.name, "")))
            for f in cls.fields
        )


def _refuse_twins(cls: RecordType) -> None:
    names = [f.name for f in cls.fields]
    twin = next((n for n in names if names.count(n) > 1), None)
    if twin is not None:
        header = " (the header has it)" if twin in _HEADER else ""
        raise TypeError(f"{cls.__name__}.{twin} is declared twice{header}")


def _comments(doc: str | None) -> dict[str, str]:
    """The lines ``name: comment`` of a docstring; a line without a name goes on the one above."""
    found: dict[str, str] = {}
    name = ""
    for line in (doc or "").splitlines()[1:]:
        head, colon, rest = line.strip().partition(": ")
        if colon and head.isidentifier():
            name = head
            found[name] = rest.strip()
        elif name and line.strip():
            found[name] += " " + line.strip()
        else:
            name = ""
    return found


def _unit(comment: str) -> tuple[str, str]:
    """Unit and comment of ``comment [unit]``."""
    text, bracket, unit = comment.rpartition("[")
    return (unit[:-1], text.strip()) if bracket and unit.endswith("]") else ("", comment)


_HEADER = ("time", "seq", "cpu", "kind", "flags")


class Record(
    Struct,
    metaclass=RecordType,
    forms={name: Hidden() for name in _HEADER},
):
    """An event: 24 bytes of header, then the fields of the subclass, in C layout, 8-aligned.

    ``class Exec(Record, kind="exec", size=256): pid: u32``. The header is stamped when a program
    reserves the record.

    time: since the machine booted, suspended time included [ns]
    seq: of the ring; every attempt takes one, so a gap is a loss
    cpu: where it happened
    kind: number of the record's class
    flags: bits with a meaning of the class's own
    """

    time: u64
    seq: u64
    cpu: u16
    kind: u16
    flags: u32

    def __init__(self, *values: object, **named: object) -> None:
        if len(values) <= _HEADER.index("kind"):
            named.setdefault("kind", type(self).kind_number)
        super().__init__(*values, **named)
