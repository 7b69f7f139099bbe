"""``keys()``, ``values()`` and ``items()`` of a live map: views, as of a dict, which read many entries at a time.

A view holds nothing; each pass over it asks the kernel anew. It has no length, which ``list()`` would ask for at the
price of another pass.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from skep.kernel.chunks import Chunk

Value = Any
"""A key or value of the language."""

Pair = tuple[Value, Value]


class Source(Protocol):
    """The map behind a view."""

    spec: Any
    value_bytes: int

    def chunks(self, *, take: bool = False) -> Iterable[Chunk]:
        """Its entries, many at a time; ``take``: out of the map."""
        ...

    def unpack_key(self, data: bytes) -> Value:
        """A key."""
        ...

    def unpack_value(self, data: bytes) -> Value:
        """A value."""
        ...

    def get(self, key: Value, default: Value = None) -> Value:
        """The value of a key."""
        ...

    def __contains__(self, key: Value) -> bool: ...
    def __iter__(self) -> Iterator[Any]: ...


class View:
    """What the three have in common."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def _pairs(self, *, take: bool = False) -> Iterator[Pair]:
        source = self._source
        key, value = source.spec.key_size, source.value_bytes
        for keys, values, count in source.chunks(take=take):
            for at in range(count):
                yield (
                    source.unpack_key(bytes(keys[at * key : (at + 1) * key])),
                    source.unpack_value(bytes(values[at * value : (at + 1) * value])),
                )


class Keys(View):
    """The keys."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self._source)

    def __contains__(self, key: object) -> bool:
        return key in self._source


class Values(View):
    """The values."""

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in self._pairs())

    def __contains__(self, value: object) -> bool:
        return any(one == value for one in self)


class Items(View):
    """Pairs of key and value."""

    def __iter__(self) -> Iterator[Pair]:
        return self._pairs()

    def taken(self) -> Iterator[Pair]:
        """The same; each is gone from the map then."""
        return self._pairs(take=True)

    def __contains__(self, pair: object) -> bool:
        key, value = pair if isinstance(pair, tuple) and len(pair) == 2 else (None, self)
        return value is not self and key in self._source and bool(self._source.get(key) == value)
