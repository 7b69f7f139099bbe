"""Protocol buffers, as much as CRI needs: reads a message into its fields, writes text and booleans.

Source: protobuf.dev/programming-guides/encoding. Unknown fields are kept and ignored by readers.
"""

from collections.abc import Iterator

VARINT, I64, LEN, I32 = 0, 1, 2, 5
_FIXED = {I64: 8, I32: 4}
_LONGEST_VARINT = 10

Fields = dict[int, list[int | bytes]]


def decode(data: bytes) -> Fields:
    """The values of each field number, in order; bytes for what has a length. ValueError if cut."""
    fields: Fields = {}
    for number, value in _walk(data):
        fields.setdefault(number, []).append(value)
    return fields


def _walk(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    offset = 0
    while offset < len(data):
        key, offset = _varint(data, offset)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, offset = _varint(data, offset)
            yield number, value
            continue
        if wire == LEN:
            size, offset = _varint(data, offset)
        elif wire in _FIXED:
            size = _FIXED[wire]
        else:
            raise ValueError(f"wire type {wire} is not known")
        if offset + size > len(data):
            raise ValueError("a field goes beyond the message")
        yield number, data[offset : offset + size]
        offset += size


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for shift in range(_LONGEST_VARINT):
        if offset + shift >= len(data):
            break
        byte = data[offset + shift]
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, offset + shift + 1
    raise ValueError("a number is cut short")


def text(fields: Fields, number: int) -> str:
    """The last text of a field, "" where there is none."""
    value = fields.get(number, [b""])[-1]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def integer(fields: Fields, number: int) -> int:
    """The last number of a field, 0 where there is none."""
    value = fields.get(number, [0])[-1]
    return value if isinstance(value, int) else 0


def message(fields: Fields, number: int) -> Fields:
    """The last message of a field, empty where there is none. ValueError if malformed."""
    value = fields.get(number, [b""])[-1]
    return decode(value) if isinstance(value, bytes) else {}


def messages(fields: Fields, number: int) -> list[Fields]:
    """All messages of a repeated field."""
    return [decode(value) for value in fields.get(number, ()) if isinstance(value, bytes)]


def pairs(fields: Fields, number: int) -> tuple[tuple[str, str], ...]:
    """A map of text to text, sorted."""
    return tuple(sorted((text(m, 1), text(m, 2)) for m in messages(fields, number)))


def encode(number: int, value: bytes | str | int) -> bytes:
    """One field: bytes, text or a number of at least 0."""
    if isinstance(value, int):
        return _number(number << 3 | VARINT) + _number(value)
    data = value.encode() if isinstance(value, str) else value
    return _number(number << 3 | LEN) + _number(len(data)) + data


def _number(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)
