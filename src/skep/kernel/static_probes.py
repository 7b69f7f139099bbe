"""Static probes (USDT) in a binary: their notes, and the places in the file that they mean.

Source: the ``.note.stapsdt`` format of SystemTap's sys/sdt.h: three addresses, then provider, name and arguments.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from skep.base.errors import BadInput
from skep.base.similar import similar
from skep.kernel.binaries import Binary

_NOTES, _BASE = ".note.stapsdt", ".stapsdt.base"
_NOTE = struct.Struct("<III")
_ADDRESSES = struct.Struct("<QQQ")
_OWNER, _KIND = b"stapsdt\0", 3
_SHOWN = 8  # names in an error


class Location(NamedTuple):
    """One place of a static probe: offsets in the file of the instruction and of its semaphore (0: none); arguments."""

    provider: str
    name: str
    offset: int
    semaphore: int
    arguments: str


def locations(binary: Binary, provider: str, name: str) -> list[Location]:
    """The places of a probe. BadInput where the binary has none of that name."""
    every = list(static_probes(binary))
    found = [one for one in every if (one.provider, one.name) == (provider, name)]
    if not found:
        wanted = f"{provider}:{name}"
        near = similar(wanted, {f"{one.provider}:{one.name}" for one in every})
        known = ", ".join(sorted({f"{one.provider}:{one.name}" for one in every})[:_SHOWN])
        expected = f"did you mean {near!r}?" if near else f"it has {known or 'none at all'}"
        raise BadInput(binary.path, f"it has no static probe {wanted!r}", expected)
    return found


def static_probes(binary: Binary) -> Iterator[Location]:
    """All static probes of a binary, each place of each."""
    notes, base = binary.section(_NOTES), binary.section(_BASE)
    if notes is None:
        return
    for body in _bodies(binary.content(notes)):
        if len(body) < _ADDRESSES.size:
            continue
        where, linked, semaphore = _ADDRESSES.unpack_from(body)
        moved = base.address - linked if base and linked else 0  # a prelinked binary was moved
        texts = body[_ADDRESSES.size :].split(b"\0")
        if len(texts) >= 3:
            provider, name, arguments = (text.decode("utf-8", "replace") for text in texts[:3])
            counter = binary.offset(semaphore + moved) if semaphore else 0
            yield Location(provider, name, binary.offset(where + moved), counter, arguments)


def _bodies(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + _NOTE.size <= len(data):
        owner, size, kind = _NOTE.unpack_from(data, at)
        start = at + _NOTE.size
        body = start + (owner + 3 & ~3)
        if kind == _KIND and data[start : start + owner] == _OWNER:
            yield data[body : body + size]
        at = body + (size + 3 & ~3)
