"""The index of a BTF blob: where each type begins, and the types in the order of their names.

Building it walks the blob once (about 35 ms for a kernel); a saved index is used in place, from a mapping of its file.
It holds numbers only, no name and no type, and knows nothing of files: bytes in, bytes out.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from skep.base.errors import BadInput

_HEADER = struct.Struct("<8sIIII32s")
_MAGIC = b"skepbtf1"

# Words after the three words that each type begins with: fixed by kind, and for each of ``vlen`` elements.
_FIXED = {1: 1, 3: 3, 14: 1, 17: 1}
_LAST_KIND = 19
_EACH = {4: 3, 5: 3, 6: 2, 13: 2, 15: 3, 19: 3}

Words = Sequence[int]


class _Steps(dict[int, int]):
    """The words that a type with this ``info`` word takes."""

    def __missing__(self, info: int) -> int:
        kind = info >> 24 & 31
        if not 1 <= kind <= _LAST_KIND:
            raise BadInput("BTF", f"kind {kind} is unknown", f"kinds 1 to {_LAST_KIND} are known")
        step = 3 + _FIXED.get(kind, 0) + _EACH.get(kind, 0) * (info & 0xFFFF)
        self[info] = step
        return step


class Index(NamedTuple):
    """Where types begin, and their order by name: numbers n count from 0, ids of a kernel from 1.

    ``offsets[n]`` is the word at which type n begins; ``by_name`` are the numbers in the order of their name offsets.
    Both are arrays of u32, or views of a mapped file that live as long as this value.
    """

    offsets: Words
    by_name: Words

    def named(self, name_offset: int, words: Words) -> list[int]:
        """The numbers of the types whose name stands at ``name_offset``, ascending."""
        offsets, by_name = self.offsets, self.by_name
        at = bisect_left(by_name, name_offset, key=lambda n: words[offsets[n]])
        found: list[int] = []
        while at < len(by_name) and words[offsets[by_name[at]]] == name_offset:
            found.append(by_name[at])
            at += 1
        return found


def build(words: Words) -> Index:
    """The index of a type section; BadInput where a type runs over its end."""
    steps, at, end = _Steps(), 0, len(words)
    offsets: list[int] = []
    append = offsets.append
    try:
        while at < end:
            append(at)
            at += steps[words[at + 1]]
    except IndexError:
        at = end + 1
    if at != end:
        raise BadInput("BTF", f"type {len(offsets)} runs over the end of the section")
    names = [words[offset] for offset in offsets]
    order = sorted(range(len(offsets)), key=names.__getitem__)
    return Index(array("I", offsets), array("I", order))


def dump(index: Index, key: bytes) -> bytes:
    """The bytes of an index; ``key`` (at most 32 bytes) names the blob that it belongs to."""
    body = array("I", index.offsets).tobytes() + array("I", index.by_name).tobytes()
    return _HEADER.pack(_MAGIC, len(index.offsets), crc32(body), len(key), 0, key) + body


def load(data: bytes | memoryview, key: bytes) -> Index | None:
    """The index in ``data``, used in place; None where it belongs to another blob, is cut or is damaged."""
    view = memoryview(data)
    if len(view) < _HEADER.size:
        return None
    magic, count, checksum, length, _, stored = _HEADER.unpack_from(view)
    body = view[_HEADER.size :]
    if (
        magic != _MAGIC
        or stored[:length] != key
        or len(body) != 8 * count
        or crc32(body) != checksum
    ):
        return None
    words = body.cast("I")
    return Index(words[:count], words[count:])
