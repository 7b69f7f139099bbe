"""Small ELF files for tests: functions, segments and the notes of static probes, put together by hand."""

import struct
from dataclasses import dataclass

BASE, SHIFT = 0x400000, 0x200000
TEXT, NOTES = 0x1000, ".note.stapsdt"


@dataclass(frozen=True)
class Function:
    """A function at an address; ``indirect`` ones choose the real one."""

    name: str
    address: int
    indirect: bool = False


def note(title: str, arguments: str, where: int, *, semaphore: int = 0, base: int = 0) -> bytes:
    """A note of a static probe, ``provider:name``."""
    provider, _, name = title.partition(":")
    body = struct.pack("<QQQ", where, base, semaphore)
    body += b"".join(text.encode() + b"\0" for text in (provider, name, arguments))
    return struct.pack("<III", 8, len(body), 3) + b"stapsdt\0" + body + bytes(-len(body) % 4)


def elf(functions: tuple[Function, ...] = (), notes: bytes = b"", *, moved: int = 0) -> bytes:
    """A file whose text is mapped at BASE from TEXT on, and its data SHIFT higher; ``moved`` is where the base lies."""
    names, symbols = b"\0", bytes(24)
    for function in functions:
        kind = 10 if function.indirect else 2
        symbols += struct.pack("<IBBHQQ", len(names), 1 << 4 | kind, 0, 1, function.address, 4)
        names += function.name.encode() + b"\0"
    parts = [("", 0, b""), (".dynsym", 11, symbols), (".dynstr", 3, names)]
    parts += [(NOTES, 7, notes)] if notes else []
    parts += [(".stapsdt.base", 1, b"\0")] if moved else []
    titles = b"".join(name.encode() + b"\0" for name, _, _ in parts) + b".shstrtab\0"
    parts.append((".shstrtab", 3, titles))
    return _file(parts, titles, moved)


def _file(parts: list[tuple[str, int, bytes]], titles: bytes, moved: int) -> bytes:
    segments = [(1, 5, TEXT, BASE, BASE, 0x1000, 0x1000, 0x1000)]
    segments += [(1, 6, TEXT * 2, BASE + SHIFT, BASE + SHIFT, 0x1000, 0x1000, 0x1000)]
    at = 64 + 56 * len(segments)
    rows, body = [], b""
    for name, kind, data in parts:
        title = titles.index(name.encode() + b"\0") if name else 0
        address = moved if name == ".stapsdt.base" else 0
        rows.append(
            struct.pack(
                "<IIQQQQIIQQ", title, kind, 0, address, at + len(body), len(data), 2, 0, 1, 0
            )
        )
        body += data
    table = at + len(body)
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\x02\x01\x01", 3, 62, 1, BASE, 64, table, 0, 64, 56, len(segments), 64),
        *(len(rows), len(rows) - 1),
    )
    packed = b"".join(struct.pack("<IIQQQQQQ", *segment) for segment in segments)
    return head + packed + body + b"".join(rows)
