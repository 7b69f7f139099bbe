"""``Struct``: one description of a C layout, from annotations.

A subclass's annotations are laid out as C does (natural alignment; with ``packed=True``, none). From the class come the
size, the offsets, the numpy dtype, conversion from and to bytes, and, in the compiler, typed access to memory of that
layout.
"""

import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self

from skep.base.lazy import lazy
from skep.lang.forms import Form
from skep.lang.layout import Bits, Layout, align, units
from skep.lang.layout import Field as Member
from skep.lang.raw_text import RawText, read, stored, text_of
from skep.lang.types import ArrayType, IntType, char

np = lazy("numpy")
Field = Member


def _annotation(cls: type, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return eval(value, vars(sys.modules[cls.__module__]))  # noqa: S307 - the class's own source


def sized(where: str, kind: Any) -> None:
    """Refuse what is no type of the language; TypeError names ``where`` it stands and the types that there are."""
    if isinstance(kind, IntType | ArrayType | StructType):
        return
    raise TypeError(
        f"{where}: {kind!r} is not a fixed-size type; "
        f"write u8 u16 u32 u64 s8 s16 s32 s64 be16 be32 be64, char[N], u8[N] or a Struct"
    )


def _check_bits(cls: type, name: str) -> None:
    if hasattr(cls, "stamps"):
        raise TypeError(f"{cls.__name__}.{name}: the fields of a record are whole numbers")


class StructType(type):
    """The class of Struct classes: computes the layout when the class is made; ``forms`` say how fields are shown."""

    fields: tuple[Field, ...]
    size: int
    align: int
    forms: Mapping[str, Form]
    from_bytes: Callable[[bytes | memoryview], Any]

    def __init__(
        cls,
        name: str,
        bases: tuple[type, ...],
        space: dict[str, Any],
        *,
        size: int = 0,
        packed: bool = False,
        forms: Mapping[str, Form] | None = None,
    ) -> None:
        super().__init__(name, bases, space)
        cls.__packed__ = packed or getattr(cls, "__packed__", False)
        union = getattr(cls, "__union__", False)
        layout = Layout(getattr(cls, "fields", ()), union=union, packed=cls.__packed__)
        for key, value in space.get("__annotations__", {}).items():
            kind = _annotation(cls, value)
            sized(f"{cls.__name__}.{key}", kind)
            part = space.get(key)
            if part is not None and not isinstance(part, Bits):
                raise TypeError(
                    f"{name}.{key}: a field has no default; it is 0 where nothing is given"
                )
            layout.add(key, kind, part if isinstance(part, Bits) else None)
            if isinstance(part, Bits):
                _check_bits(cls, key)
                delattr(cls, key)
        natural = align(layout.size, layout.align)
        if size and size < natural:
            raise TypeError(
                f"{name} has {natural} bytes, more than the {size} it is to be padded to"
            )
        cls.fields, cls.align, cls.size = tuple(layout.fields), layout.align, size or natural
        cls.forms = MappingProxyType({**getattr(cls, "forms", {}), **(forms or {})})
        cls.refuse_strangers(cls.forms, "shown")

    def __new__(mcs, name: str, bases: tuple[type, ...], space: dict[str, Any], **_: Any) -> Any:
        """Make the class; the keywords are for ``__init__``."""
        return super().__new__(mcs, name, bases, space)

    def __getitem__(cls, count: int) -> ArrayType:
        return ArrayType(cls, count)

    def field(cls, name: str) -> Field | None:
        """The member of that name."""
        return next((f for f in cls.fields if f.name == name), None)

    @property
    def dtype(cls) -> Any:
        """The numpy dtype of one record: same offsets, same size; bit fields by their units (``_bitsOFFSET``)."""
        members = tuple(units(cls.fields))
        return np.dtype(
            {
                "names": [f.name for f in members],
                "formats": [_dtype(f.type) for f in members],
                "offsets": [f.offset for f in members],
                "itemsize": cls.size,
            }
        )

    def refuse_strangers(cls, names: Iterable[str], what: str) -> None:
        """Refuse what is said of fields that are not there. TypeError."""
        for name in names:
            if cls.field(name) is None:
                raise TypeError(f"{cls.__name__} has no field {name!r} to be {what}")

    def __repr__(cls) -> str:
        return cls.__name__


def _dtype(kind: Any) -> Any:
    if isinstance(kind, ArrayType):
        if kind.element is char:
            return f"S{kind.count}"
        return (_dtype(kind.element), (kind.count,))
    return kind.code if isinstance(kind, IntType) else kind.dtype


def _unpack(kind: Any, data: memoryview, offset: int) -> Any:
    if isinstance(kind, IntType):
        order = ">" if kind.big_endian else "<"
        return struct.unpack_from(order + kind.format, data, offset)[0]
    if isinstance(kind, StructType):
        return kind.from_bytes(data[offset : offset + kind.size])
    if kind.element is char:
        return text_of(bytes(data[offset : offset + kind.count]))
    if isinstance(kind.element, IntType):
        return list(struct.unpack_from(_numbers(kind.element, kind.count), data, offset))
    step = kind.element.size
    return [_unpack(kind.element, data, offset + i * step) for i in range(kind.count)]


def _numbers(kind: IntType, count: int) -> str:
    return f"{'>' if kind.big_endian else '<'}{count}{kind.format}"


def _pack(kind: Any, value: Any, data: bytearray, offset: int) -> None:
    if isinstance(kind, IntType):
        order = ">" if kind.big_endian else "<"
        struct.pack_into(order + kind.format, data, offset, kind.wrap(int(value)))
    elif isinstance(kind, StructType):
        data[offset : offset + kind.size] = value.to_bytes()
    elif kind.element is char:
        raw = stored(value, kind.count) if isinstance(value, str) else bytes(value)
        data[offset : offset + kind.count] = raw[: kind.count].ljust(kind.count, b"\0")
    elif isinstance(kind.element, IntType):
        _pack_numbers(kind.element, list(value), data, offset)
    else:
        for i, item in enumerate(value):
            _pack(kind.element, item, data, offset + i * kind.element.size)


def _pack_numbers(kind: IntType, values: list[Any], data: bytearray, offset: int) -> None:
    """Many numbers at once; one by one only where some wrap around."""
    form = _numbers(kind, len(values))
    try:
        struct.pack_into(form, data, offset, *values)
    except struct.error:
        struct.pack_into(form, data, offset, *(kind.wrap(int(value)) for value in values))


def _zero(kind: Any) -> Any:
    if isinstance(kind, IntType):
        return 0
    if isinstance(kind, StructType):
        return kind()
    return "" if kind.element is char else [_zero(kind.element) for _ in range(kind.count)]


class Struct(metaclass=StructType):
    """Base of C layouts: ``class Key(Struct): addr: u32; port: u16``; packed by ``class Long(Struct, packed=True)``.

    An instance is an ordinary mutable object, for plain Python and for the edges; hot paths use ``dtype``.
    """

    fields = ()
    size = 0
    align = 1

    def __init__(self, /, *values: Any, **named: Any) -> None:
        names = [f.name for f in type(self).fields]
        if len(values) > len(names):
            raise TypeError(f"{type(self).__name__} has {len(names)} fields, not {len(values)}")
        given = dict(zip(names, values, strict=False)) | named
        for field in type(self).fields:
            setattr(
                self,
                field.name,
                given.pop(field.name) if field.name in given else _zero(field.type),
            )
        if given:
            raise TypeError(f"{type(self).__name__} has no field {next(iter(given))!r}")

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Self:
        """An instance of ``size`` bytes of C layout."""
        view = memoryview(data)
        if len(view) < cls.size:
            raise ValueError(f"{cls.__name__} takes {cls.size} bytes, not {len(view)}")
        return cls(*(member(f, view) for f in cls.fields))

    def to_bytes(self) -> bytes:
        """The C layout, padding zero."""
        data = bytearray(type(self).size)
        for field in type(self).fields:
            set_member(field, data, getattr(self, field.name))
        return bytes(data)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return ((f.name, getattr(self, f.name)) for f in type(self).fields)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _as_read(self) == _as_read(other)

    def __hash__(self) -> int:
        return hash(_as_read(self))

    def __repr__(self) -> str:
        inner = ", ".join(f"{k}={v!r}" for k, v in self)
        return f"{type(self).__name__}({inner})"


def _as_read(value: Struct) -> bytes:
    """The bytes that it is compared by: without what stands behind the NUL of a text."""
    data = bytearray(value.to_bytes())
    for field in () if isinstance(value, Union) else type(value).fields:
        place = slice(field.offset, field.offset + field.type.size)
        match getattr(value, field.name):
            case RawText() as text:
                data[place] = pack(field.type, read(text))
            case Struct() as part:
                data[place] = _as_read(part)
            case [Struct(), *_] as parts:
                data[place] = b"".join(map(_as_read, parts)).ljust(field.type.size, b"\0")
    return bytes(data)


def member(field: Field, data: memoryview) -> Any:
    """The value of a member in the bytes of its struct."""
    value = _unpack(field.type, data, field.offset)
    return value if field.bits is None else field.bits.get(field.type, value)


def set_member(field: Field, data: bytearray, value: Any) -> None:
    """Set a member in the bytes of its struct."""
    if field.bits is not None:
        unit = _unpack(field.type, memoryview(data), field.offset)
        value = field.bits.put(unit, int(value))
    _pack(field.type, value, data, field.offset)


class Union(Struct):
    """Base of C unions: all fields begin at offset 0, and what is written to one is read from the others.

    An instance is made of one field at most, ``Address(v4=1)``. A field that is an array is read as a copy.
    """

    __union__ = True

    def __init__(self, /, **named: Any) -> None:
        if len(named) > 1:
            raise TypeError(f"{type(self).__name__} is a union: it is made of one field")
        object.__setattr__(self, "_data", bytearray(type(self).size))
        for name, value in named.items():
            setattr(self, name, value)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Self:
        """An instance of ``size`` bytes."""
        if len(data) < cls.size:
            raise ValueError(f"{cls.__name__} takes {cls.size} bytes, not {len(data)}")
        made = cls()
        made._data[:] = data[: cls.size]
        return made

    def to_bytes(self) -> bytes:
        """Its bytes."""
        return bytes(self._data)

    def __getattr__(self, name: str) -> Any:
        field = type(self).field(name)
        if field is None:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}")
        return member(field, memoryview(self._data))

    def __setattr__(self, name: str, value: Any) -> None:
        field = type(self).field(name)
        if field is None:
            raise TypeError(f"{type(self).__name__} has no field {name!r}")
        set_member(field, self._data, value)


def unpack(kind: Any, data: bytes | memoryview) -> Any:
    """The Python value of ``kind`` (integer, array or Struct) in ``data``."""
    return _unpack(kind, memoryview(data), 0)


def pack(kind: Any, value: Any) -> bytes:
    """The bytes of ``value`` as ``kind``; integers wrap around, text is cut to fit."""
    data = bytearray(kind.size)
    _pack(kind, value, data, 0)
    return bytes(data)
