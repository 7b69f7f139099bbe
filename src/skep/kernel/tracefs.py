"""Tracepoints as the kernel describes them in tracefs: their ids and the layout of their records.

``Tracefs.open()`` finds the mounted file system; where it is mounted nowhere, it opens one of its
own that nobody else sees and that vanishes when closed. Nothing is written to it.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple, Self

from skep.base.errors import Forbidden, SkepError, Unsupported
from skep.base.similar import similar
from skep.kernel.bpf import DOOR, Door
from skep.lang.located import located
from skep.lang.struct import Struct, StructType
from skep.lang.types import ArrayType, IntType, char, s8, s16, s32, s64, u8, u16, u32, u64

MOUNTS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
TRACEPOINTS = "/sys/kernel/tracing/available_events"
FUNCTIONS = "/sys/kernel/tracing/available_filter_functions"

_FIELD = r"\tfield:(.+?);\toffset:(\d+);\tsize:(\d+);\tsigned:([01]);"
_ARRAY = r"(\w+)\s*\[(.*)\]$"
_DYNAMIC = ("__data_loc", "__rel_loc")
_TYPES: dict[int, tuple[IntType, IntType]] = {
    1: (u8, s8),
    2: (u16, s16),
    4: (u32, s32),
    8: (u64, s64),
}


class TraceField(NamedTuple):
    """A field of a tracepoint's record: ``offset`` and ``size`` in bytes, ``type`` as C writes it.

    ``length`` is the number of elements of an array, 0 where it is none. A dynamic field
    (``__data_loc``) is a u32: the length of the text in its upper half, the offset in its lower.
    """

    name: str
    type: str
    offset: int
    size: int
    signed: bool
    length: int = 0
    dynamic: bool = False


def parse(text: str) -> tuple[TraceField, ...]:
    """The fields in a ``format`` file."""
    return tuple(
        _field(declaration, int(offset), int(size), signed == "1")
        for declaration, offset, size, signed in re.findall(_FIELD, text)
    )


def _field(declaration: str, offset: int, size: int, signed: bool) -> TraceField:  # noqa: FBT001
    kind, _, name = declaration.rpartition(" ")
    if kind.startswith(_DYNAMIC):
        return TraceField(name, kind, offset, size, signed, dynamic=True)
    array = re.search(_ARRAY, declaration)
    if array is None:
        return TraceField(name, kind, offset, size, signed)
    kind = declaration[: array.start(1)].strip()
    length = int(array[2]) if array[2].isdigit() else 0
    return TraceField(array[1], kind, offset, size, signed, length or size)


def layout(name: str, fields: tuple[TraceField, ...]) -> StructType:
    """The Struct of a record; what is not an integer or an array of them becomes bytes."""
    members: dict[str, object] = {}
    end = 0
    for field in fields:
        if field.offset < end or not field.size:
            continue  # a flexible array at the end
        if field.offset > end:
            members[f"_pad{end}"] = u8[field.offset - end]
        kind = _type(field)
        aligned = field.offset % kind.align == 0
        members[field.name] = kind if aligned else u8[field.size]
        end = field.offset + field.size
    return StructType(name, (Struct,), {"__annotations__": members, "__doc__": name})


def _type(field: TraceField) -> IntType | ArrayType:
    if field.length:
        each, rest = divmod(field.size, field.length)
        if rest or each not in _TYPES:
            return u8[field.size]
        element = char if field.type == "char" else _TYPES[each][field.signed]
        return ArrayType(element, field.length)
    if field.size not in _TYPES:
        return u8[field.size]
    return located(field.type) if field.dynamic else _TYPES[field.size][field.signed]


class Tracefs:
    """An open tracefs: ``root`` is a path to it, valid until it is closed. A context manager."""

    def __init__(self, root: str, *, fd: int = -1, door: Door = DOOR) -> None:
        self.root, self._fd, self._door = root, fd, door

    @classmethod
    def open(cls, mounts: tuple[str, ...] = MOUNTS, *, door: Door = DOOR) -> Self:
        """The machine's tracefs; Unsupported where the kernel has none, Forbidden where it is not shown."""
        for root in mounts:
            if os.access(f"{root}/events", os.R_OK | os.X_OK):
                return cls(root, door=door)
        try:
            fd = door.mount_detached("tracefs")
        except PermissionError as error:
            raise Forbidden("opening tracefs", "CAP_SYS_ADMIN") from error
        except OSError as error:
            reason = f"it is not mounted at {mounts[0]} and cannot be opened ({error.strerror})"
            hint = f"mount one with: mount -t tracefs tracefs {mounts[0]}"
            raise Unsupported("tracefs", f"{reason}; {hint}") from error
        return cls(f"/proc/self/fd/{fd}", fd=fd, door=door)

    def event_id(self, event: str) -> int:
        """The number of ``category/name`` for perf_event_open(2); Unsupported where it is none."""
        return int(self._read(event, "id"))

    def fields(self, event: str) -> tuple[TraceField, ...]:
        """The fields of ``category/name``; Unsupported where there is no such tracepoint."""
        return parse(self._read(event, "format"))

    def formats(self, category: str, name: str) -> StructType | None:
        """The record of a tracepoint as the compiler takes it, None where there is none."""
        try:
            return layout(name, self.fields(f"{category}/{name}"))
        except Unsupported:
            return None

    def events(self, category: str = "") -> list[str]:
        """The names ``category/name`` of all tracepoints, or of one category's, sorted."""
        base = f"{self.root}/events"
        found = []
        for group in (category,) if category else _folders(base):
            found += [f"{group}/{name}" for name in _folders(f"{base}/{group}")]
        return sorted(found)

    def functions(self) -> list[str]:
        """The functions of the kernel that probes on many at once take. Unsupported where tracefs hides them."""
        try:
            with open(f"{self.root}/available_filter_functions", encoding="ascii") as stream:
                return [line.split()[0] for line in stream if "[" not in line]
        except OSError as error:
            reason = f"tracefs does not list the functions ({error.strerror})"
            raise Unsupported("probes by pattern", reason, instead="functions by name") from error

    def _read(self, event: str, file: str) -> str:
        category, _, name = event.partition("/")
        feature = f"tracepoint {event}"
        if not _is_name(category) or not _is_name(name):
            raise Unsupported(feature, "a tracepoint is named category/name, as sched/sched_switch")
        try:
            with open(f"{self.root}/events/{event}/{file}", encoding="utf-8") as stream:
                return stream.read()
        except FileNotFoundError as error:
            raise Unsupported(feature, absent(event, self.events(), TRACEPOINTS)) from error
        except OSError as error:
            raise Unsupported(feature, f"tracefs does not show it ({error.strerror})") from error

    def close(self) -> None:
        """Gives a tracefs of our own back."""
        if self._fd >= 0:
            self._door.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def absent(name: str, known: Iterable[str], where: str) -> str:
    """What is said of a name that is none of those: the nearest one, else where they are listed."""
    near = similar(name, known)
    hint = f"did you mean {near!r}?" if near else f"the names are those in {where}"
    return f"there is none of that name; {hint}"


def absent_tracepoint(name: str, door: Door) -> str:
    """The same of a tracepoint without its category."""
    with suppress(SkepError), Tracefs.open(door=door) as tracefs:
        return absent(name, [one.partition("/")[2] for one in tracefs.events()], TRACEPOINTS)
    return absent(name, (), TRACEPOINTS)


def _is_name(text: str) -> bool:
    return text.replace("-", "_").isidentifier()


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []
