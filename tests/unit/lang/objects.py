"""ELF objects made by hand, right and wrong ones."""

import struct
from dataclasses import dataclass, field

PROGBITS, SYMTAB, STRTAB, NOBITS, REL = 1, 2, 3, 8, 9
TEXT = bytes(16)


@dataclass
class Part:
    """A section to be; ``broken`` are header fields with other values than those that are true."""

    name: str
    kind: int
    data: bytes = b""
    flags: int = 0
    link: int = 0
    info: int = 0
    broken: dict[str, int] = field(default_factory=dict)


def symbol(name: int, info: int, section: int, value: int = 0, size: int = 16) -> bytes:
    return struct.pack("<IBBHQQ", name, info, 0, section, value, size)


SYMBOLS = symbol(0, 0, 0, 0, 0) + symbol(1, 0x12, 1) + symbol(3, 0x10, 0, 0, 0)
RELOCATION = struct.pack("<QQ", 8, 2 << 32 | 1)


def parts(
    code: bytes = TEXT, symbols: bytes = SYMBOLS, relocations: bytes = RELOCATION
) -> list[Part]:
    """The sections of an object with function f, which refers to map.0 in its second instruction."""
    return [
        Part(".text", PROGBITS, code, 6),
        Part(".symtab", SYMTAB, symbols, link=3),
        Part(".strtab", STRTAB, b"\0f\0map.0\0"),
        Part(".rel.text", REL, relocations, link=2, info=1),
        Part(".bss", NOBITS, flags=3, broken={"size": 1 << 40}),
    ]


def build(given: list[Part], **broken: int) -> bytes:
    """An object of sections: the null section, ``given``, then the names."""
    names = b"\0"
    body = bytes(64)
    headers = [bytes(64)]
    everything = [*given, Part(".names", STRTAB)]
    for part in everything:
        name, names = len(names), names + part.name.encode() + b"\0"
        data = names if part.name == ".names" else part.data
        wanted = {"name": name, "offset": len(body), "size": len(data)} | part.broken
        headers.append(
            struct.pack(
                "<IIQQQQIIQQ", wanted["name"], part.kind, part.flags, 0, wanted["offset"],
                wanted["size"], part.link, part.info, 8, 0,
            )
        )  # fmt: skip
        body += data
    head = {"type": 1, "machine": 247, "offset": len(body), "size": 64, "count": len(headers)}
    head |= {"names": len(headers) - 1} | broken
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", head["type"], head["machine"], 1, 0, 0,
        head["offset"], 0, 64, 0, 0, head["size"], head["count"], head["names"],
    )  # fmt: skip
    return header + body[64:] + b"".join(headers)
