"""One entry of a map of this machine: found, set or deleted, by a key and a value as `skep map` shows them.

Where the kernel knows no types of a map, its keys and values are bytes in hexadecimal.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from skep.base.errors import BadInput
from skep.base.frozen import frozen
from skep.base.similar import similar
from skep.cli.objects import opened
from skep.kernel import contents
from skep.kernel.bpf import DOOR
from skep.kernel.contents import Entry
from skep.kernel.layouts import Kind
from skep.kernel.maps import Map
from skep.kernel.objects import MapInfo
from skep.kernel.pinned import look
from skep.kernel.stats import footprint
from skep.lang.declared.nested import INNER
from skep.lang.spec import MapSpec, MapType
from skep.lang.struct import StructType
from skep.lang.types import ArrayType, IntType, char, u8, u32

ARRAYS = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})
_FIELDS = re.compile(r"(?:\w+=(?:\[[^\]]*\]|\S*)\s*)+")
_FIELD = re.compile(r"(\w+)=(\[[^\]]*\]|\S*)")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{2}(?:\s+[0-9a-fA-F]{2})*")


@frozen
class Change:
    """What is done to an entry: it gets a value, given as a word, or is deleted; neither: it is only looked at."""

    value: str | None = None
    delete: bool = False

    @property
    def any(self) -> bool:
        """Whether there is something to do."""
        return self.delete or self.value is not None


def entry(word: str, info: MapInfo, key: str, change: Change) -> Entry | None:
    """The entry of ``key`` in the map that was named ``word``, after the change; None: it was deleted.

    BadInput where there is none, and where key or value are not of the map's types.
    """
    name = f"map {word}"
    with _opened(word, info) as live, _told(name, info.name):
        packed = live.pack_key(parsed(live.spec.key, key))
        if change.any and footprint(live.fd).frozen:
            raise BadInput(name, "it is frozen: only programs change its entries")
        if change.delete:
            _delete(name, live, key, packed)
            return None
        if change.value is not None:
            _set(name, live, packed, change.value)
        found = contents.entry(DOOR, live.fd, info, packed)
    if found is None:
        raise BadInput(name, f"it has no entry {key!r}")
    return found


@contextmanager
def _opened(word: str, info: MapInfo) -> Iterator[Map]:
    """The map as a mapping, by the types that the kernel knows of it."""
    with opened("map", word, info.id) as fd:
        found = look(fd, DOOR)
        plain: Any = u32 if info.type in contents.NUMBERED else _bytes(info.key_size)
        key, value = found.key or plain, found.value or _bytes(info.value_size)
        spec = MapSpec(info.name, MapType(info.type), key, value, info.entries, info.flags)
        yield Map(spec, fd)


def _bytes(size: int) -> ArrayType:
    return ArrayType(u8, size)


@contextmanager
def _told(name: str, own: str) -> Iterator[None]:
    """What does not fit a type is said of the map ``name``, which calls itself by its ``own`` name."""
    try:
        yield
    except (TypeError, ValueError, IndexError) as error:
        raise BadInput(name, str(error).removeprefix(f"{own}: ")) from error


def _delete(name: str, live: Map, key: str, packed: bytes) -> None:
    if live.spec.type in ARRAYS:
        raise BadInput(name, "entries of an array cannot be deleted", "set them to zero")
    if not live.delete(packed):
        raise BadInput(name, f"it has no entry {key!r}")


def _set(name: str, live: Map, packed: bytes, word: str) -> None:
    """Of a per-CPU map one value is that of every CPU."""
    if live.spec.type not in INNER:
        kind = live.spec.type.name.lower()
        raise BadInput(name, f"values of a {kind} are objects of the process that sets them")
    value = _json(word)
    if live.cpus and isinstance(value, list) and len(value) == live.cpus:
        live.put(packed, live.pack_value([made(live.spec.value, one) for one in value]))
        return
    one = parsed(live.spec.value, word)
    live.put(packed, live.pack_value([one] * live.cpus if live.cpus else one))


def parsed(kind: Kind, word: str) -> Any:  # noqa: ANN401 - a value of the language
    """A word as a value: JSON, or as it is shown (``a=1 port=443``, text, hexadecimal bytes). TypeError, ValueError."""
    if isinstance(kind, ArrayType) and kind.element is char:
        return word
    if isinstance(kind, ArrayType) and kind.element is u8:
        return _octets(kind.count, word)
    if isinstance(kind, IntType):
        return _number(word)
    if isinstance(kind, StructType) and _FIELDS.fullmatch(word.strip()):
        types = {field.name: field.type for field in kind.fields}
        given = dict(_FIELD.findall(word))
        return _struct(
            kind, {n: parsed(types[n], w) if n in types else w for n, w in given.items()}
        )
    value = _json(word)
    if isinstance(kind, StructType) and not isinstance(value, dict):
        shape = " ".join(f"{field.name}=..." for field in kind.fields)
        raise TypeError(f"{word!r} is no {kind.__name__}; write it as {shape!r}")
    return made(kind, value)


def _octets(count: int, word: str) -> Any:  # noqa: ANN401 - a list of numbers; what is none is refused later
    """Bytes in hexadecimal, or a number that fills them."""
    if _HEXADECIMAL.fullmatch(word.strip()) and len(bytes.fromhex(word)) == count:
        return list(bytes.fromhex(word))
    try:
        return list(int(word, 0).to_bytes(count, "little"))
    except (ValueError, OverflowError):
        return _json(word)


def made(kind: Kind, value: Any) -> Any:  # noqa: ANN401 - a value of JSON, one of the language
    """A value of JSON as one of the language. ValueError where a Struct has no such field."""
    if isinstance(kind, StructType) and isinstance(value, dict):
        types = {field.name: field.type for field in kind.fields}
        return _struct(kind, {n: made(types[n], v) if n in types else v for n, v in value.items()})
    if isinstance(kind, ArrayType) and isinstance(value, list):
        return [made(kind.element, one) for one in value]
    return value


def _struct(kind: StructType, values: dict[str, Any]) -> Any:  # noqa: ANN401 - an instance of it
    names = [field.name for field in kind.fields]
    wrong = next((name for name in values if name not in names), None)
    if wrong is not None:
        near = similar(wrong, names)
        hint = f"did you mean {near!r}?" if near else f"they are {', '.join(names)}"
        raise ValueError(f"{kind.__name__} has no field {wrong!r}; {hint}")
    return kind(**values)


def _number(word: str) -> int:
    try:
        return int(word, 0)
    except ValueError as error:
        raise ValueError(f"{word!r} is no number") from error


def _json(word: str) -> Any:  # noqa: ANN401 - any value of JSON; what is none is text
    try:
        return json.loads(word)
    except ValueError:
        return word
