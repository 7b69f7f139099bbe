"""Reading numbers from bytes as DWARF writes them. Behind the end it raises IndexError."""

import struct
from collections.abc import Callable

_FORMATS = {name: struct.Struct(f"<{name}") for name in "HIQhiq"}
LONGEST = 10
"""Bytes of a LEB128 number of 64 bits."""


class Cursor:
    """A place in bytes, which reading moves on; ``end`` is where reading stops."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data, self.at = data, at
        self.end = len(data) if end is None else end

    def byte(self) -> int:
        """An unsigned byte."""
        if self.at >= self.end:
            raise IndexError("read behind the end")
        value = self.data[self.at]
        self.at += 1
        return value

    def fixed(self, form: str) -> int:
        """A number in a form of ``struct``, little-endian."""
        layout = _FORMATS[form]
        if self.at + layout.size > self.end:
            raise IndexError("read behind the end")
        value: int = layout.unpack_from(self.data, self.at)[0]
        self.at += layout.size
        return value

    def uleb(self) -> int:
        """An unsigned LEB128 number."""
        value = self.byte()
        if value < 0x80:
            return value
        return self._leb(value)[0]

    def sleb(self) -> int:
        """A signed LEB128 number."""
        value, bits = self._leb(self.byte())
        return value - (1 << bits) if value >> (bits - 1) else value

    def _leb(self, byte: int) -> tuple[int, int]:
        value, bits = byte & 0x7F, 7
        while byte >= 0x80:
            if bits > 7 * LONGEST:
                raise IndexError("a number without an end")
            byte = self.byte()
            value |= (byte & 0x7F) << bits
            bits += 7
        return value, bits

    def text(self) -> bytes:
        """Bytes up to a NUL, which is read too."""
        end = self.data.find(b"\0", self.at, self.end)
        if end < 0:
            raise IndexError("text without an end")
        found = self.data[self.at : end]
        self.at = end + 1
        return found

    def skip(self, size: int) -> None:
        """Go on behind ``size`` bytes."""
        if not 0 <= size <= self.end - self.at:
            raise IndexError("read behind the end")
        self.at += size


ENCODED: dict[int, Callable[[Cursor], int]] = {
    0x0: lambda one: one.fixed("Q"),
    0x1: Cursor.uleb,
    0x2: lambda one: one.fixed("H"),
    0x3: lambda one: one.fixed("I"),
    0x4: lambda one: one.fixed("Q"),
    0x9: Cursor.sleb,
    0xA: lambda one: one.fixed("h"),
    0xB: lambda one: one.fixed("i"),
    0xC: lambda one: one.fixed("q"),
}
"""Readers of pointers, by the low half of their encoding (DW_EH_PE)."""
