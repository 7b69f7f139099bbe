"""The debug information of an object: BTF that the kernel takes, and where functions and lines lie.

Pure functions of bytes. The ``.BTF`` of LLVM and clang may hold what BPF_BTF_LOAD refuses (data
sections without a size, external variables and functions); ``loadable`` puts ``const void`` in
the place of each, so that every type keeps its id. Bytes may be anybody's: what is wrong is one
BadInput. It knows nothing of instructions.
"""

import struct

from skep.base.errors import BadInput
from skep.base.frozen import frozen

FUNC_INFO, LINE_INFO = 8, 16
_HEADER = struct.Struct("<HBBIIIII")

_SHORT_EXT = 24
_TYPE = struct.Struct("<III")
_MAGIC = 0xEB9F
_FUNC, _VAR, _DATASEC, _DECL_TAG = 12, 14, 15, 17
_FIXED = {1: 4, 3: 12, 14: 4, 17: 4}
_PER_MEMBER = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
_LAST_KIND = 19
_EXTERN = 2
_CONST_VOID = _TYPE.pack(0, 10 << 24, 0)

Rows = dict[str, list[tuple[int, bytes]]]


@frozen
class Records:
    """By section name, in rising order: (offset in bytes, the other bytes of the record)."""

    functions: Rows
    lines: Rows


def loadable(btf: bytes, place: str) -> bytes:
    """``btf`` with ``const void`` for each type that BPF_BTF_LOAD refuses; the ids stay."""
    types, strings = _parts(btf, place)
    records = _records(types, place)
    refused = {i for i, record in enumerate(records, 1) if _refused(record)}
    if not refused:
        return btf
    kept = b"".join(
        _CONST_VOID if i in refused or _tagged(record) in refused else record
        for i, record in enumerate(records, 1)
    )
    size = _HEADER.size
    header = _HEADER.pack(_MAGIC, 1, 0, size, 0, len(kept), len(kept), len(strings))
    return header + kept + strings


def records(ext: bytes, btf: bytes, place: str) -> Records:
    """What ``.BTF.ext`` says, with the section names of ``btf``'s strings. CO-RE is refused."""
    if len(ext) < _SHORT_EXT:
        raise BadInput(place, f".BTF.ext has {len(ext)} bytes, shorter than its header")
    fields = _HEADER.unpack_from(ext.ljust(_HEADER.size, b"\0"))
    magic, version, _, size, functions_at, functions, lines_at, lines = fields
    if magic != _MAGIC or version != 1 or not _SHORT_EXT <= size <= len(ext):
        raise BadInput(place, f".BTF.ext has magic {magic:#x}, version {version}, header {size}")
    if size >= _SHORT_EXT + 8 and any(ext[_SHORT_EXT + 4 : _SHORT_EXT + 8]):
        raise BadInput(place, "it has CO-RE records, which are resolved elsewhere")
    _, strings = _parts(btf, place)
    body = ext[size:]
    return Records(
        _rows(_cut(body, functions_at, functions, place), strings, FUNC_INFO, place),
        _rows(_cut(body, lines_at, lines, place), strings, LINE_INFO, place),
    )


def _parts(btf: bytes, place: str) -> tuple[bytes, bytes]:
    """The types and the strings."""
    if len(btf) < _HEADER.size:
        raise BadInput(place, f".BTF has {len(btf)} bytes, shorter than its header")
    magic, version, _, size, types_at, types, strings_at, strings = _HEADER.unpack_from(btf)
    if magic != _MAGIC or version != 1 or not _HEADER.size <= size <= len(btf):
        raise BadInput(place, f".BTF has magic {magic:#x}, version {version}, header {size}")
    body = btf[size:]
    return _cut(body, types_at, types, place), _cut(body, strings_at, strings, place)


def split(btf: bytes, place: str) -> tuple[list[bytes], bytes]:
    """The types of a blob, one by one, and its strings."""
    types, strings = _parts(btf, place)
    return _records(types, place), strings


def _cut(body: bytes, offset: int, size: int, place: str) -> bytes:
    if offset + size > len(body):
        raise BadInput(place, f"a part of the debug information ({size} bytes) leaves its section")
    return body[offset : offset + size]


def _records(types: bytes, place: str) -> list[bytes]:
    found, offset = [], 0
    while offset < len(types):
        _, info, _ = _TYPE.unpack(_cut(types, offset, _TYPE.size, place))
        kind, count = info >> 24 & 0x1F, info & 0xFFFF
        if not 0 < kind <= _LAST_KIND:
            raise BadInput(place, f".BTF has a type of kind {kind}, which is not known")
        size = _TYPE.size + _FIXED.get(kind, 0) + _PER_MEMBER.get(kind, 0) * count
        found.append(_cut(types, offset, size, place))
        offset += size
    return found


def _refused(record: bytes) -> bool:
    _, info, _ = _TYPE.unpack_from(record)
    kind, linkage = info >> 24 & 0x1F, info & 0xFFFF
    if kind == _VAR:
        linkage = int.from_bytes(record[_TYPE.size :], "little")
    return kind == _DATASEC or (kind in (_FUNC, _VAR) and linkage == _EXTERN)


def _tagged(record: bytes) -> int:
    """The id of the type that a declaration tag describes; 0 for other records."""
    _, info, target = _TYPE.unpack_from(record)
    return int(target) if info >> 24 & 0x1F == _DECL_TAG else 0


def _rows(data: bytes, strings: bytes, size: int, place: str) -> Rows:
    """``size`` of a record, then for each section: name, count, that many records."""
    found: Rows = {}
    if data and int.from_bytes(data[:4], "little") != size:
        raise BadInput(place, f".BTF.ext has records that are not of {size} bytes")
    offset = 4
    while offset < len(data):
        name, count = struct.unpack("<II", _cut(data, offset, 8, place))
        records = _cut(data, offset + 8, count * size, place)
        rows = found.setdefault(_name(strings, name, place), [])
        for at in range(0, len(records), size):
            where = int.from_bytes(records[at : at + 4], "little")
            rows.append((where, records[at + 4 : at + size]))
        offset += 8 + count * size
    for rows in found.values():
        rows.sort(key=lambda row: row[0])
    return found


def _name(strings: bytes, offset: int, place: str) -> str:
    end = strings.find(b"\0", offset)
    if end < 0:
        raise BadInput(place, f".BTF.ext names a section at {offset}, outside of the strings")
    return strings[offset:end].decode("utf-8", "backslashreplace")
