"""A linked program, and its form on disk.

``Linked`` is a value: instructions, what a loader still has to fill in, and debug information as
BPF_PROG_LOAD takes it. ``dump`` and ``parse`` are its form for the cache: length-prefixed, little-
endian, nothing in it is ever executed by Python. Bytes given to ``parse`` may be anybody's. It must
not import LLVM, nor the linker: a cached start loads this only.
"""

import struct

from skep.base.errors import BadInput
from skep.base.frozen import frozen
from skep.lang.spec import KfuncReference

CONSTANTS = ".rodata"
_MAGIC = b"skep.linked.2\n"
_U32 = struct.Struct("<I")
_REFERENCE = struct.Struct("<IqH")
_KFUNC = struct.Struct("<IH")


@frozen
class Reference:
    """``insns[insn]`` (a two-slot load) takes the address of ``symbol`` plus ``addend`` bytes.

    ``symbol`` is the name of an external global, or ``CONSTANTS`` for ``Linked.constants``. The
    immediates are zero.
    """

    insn: int
    symbol: str
    addend: int = 0


@frozen
class Linked:
    """A program without its maps.

    ``insns`` has the entry function at 0, its subprograms after it, 8 bytes each. ``btf``,
    ``func_info`` (records of 8 bytes) and ``line_info`` (of 16) are empty where the object had no
    debug information. ``constants`` is what its read-only sections hold, one after the other,
    empty where nothing refers to them. ``prints`` are the formats of the lines that it prints.
    """

    insns: bytes
    references: tuple[Reference, ...] = ()
    kfuncs: tuple[KfuncReference, ...] = ()
    btf: bytes = b""
    func_info: bytes = b""
    line_info: bytes = b""
    constants: bytes = b""
    prints: tuple[str, ...] = ()


def dump(linked: Linked) -> bytes:
    """The form on disk; equal programs give equal bytes."""
    out = bytearray(_MAGIC)
    parts = (linked.insns, linked.btf, linked.func_info, linked.line_info, linked.constants)
    for part in parts:
        out += _U32.pack(len(part)) + part
    out += _U32.pack(len(linked.references))
    for reference in linked.references:
        symbol = reference.symbol.encode()
        out += _REFERENCE.pack(reference.insn, reference.addend, len(symbol)) + symbol
    out += _U32.pack(len(linked.kfuncs))
    for kfunc in linked.kfuncs:
        name = kfunc.name.encode()
        out += _KFUNC.pack(kfunc.insn, len(name)) + name
    out += _U32.pack(len(linked.prints))
    for text in (one.encode() for one in linked.prints):
        out += _U32.pack(len(text)) + text
    return bytes(out)


def parse(data: bytes, place: str = "the cached program") -> Linked:
    """The program that ``dump`` wrote; BadInput for anything that it cannot have written."""
    reader = _Reader(data, place)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise reader.bad("it is no program of this version")
    insns, btf, functions, lines, constants = (reader.take(reader.number()) for _ in range(5))
    if len(insns) % 8 or len(functions) % 8 or len(lines) % 16:
        raise reader.bad("it has parts of records")
    count = len(insns) // 8
    references = tuple(reader.reference(count - 1) for _ in range(reader.number()))
    kfuncs = tuple(reader.kfunc(count) for _ in range(reader.number()))
    prints = tuple(reader.text(reader.number()) for _ in range(reader.number()))
    if reader.offset != len(data):
        raise reader.bad("something follows its end")
    return Linked(insns, references, kfuncs, btf, functions, lines, constants, prints)


class _Reader:
    def __init__(self, data: bytes, place: str) -> None:
        self.data, self.place, self.offset = data, place, 0

    def bad(self, problem: str) -> BadInput:
        return BadInput(self.place, f"not a usable program: {problem}")

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.offset:
            raise self.bad(f"it is cut short at {len(self.data)} bytes")
        self.offset += size
        return self.data[self.offset - size : self.offset]

    def number(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as error:
            raise self.bad("a name is not UTF-8") from error

    def reference(self, limit: int) -> Reference:
        insn, addend, length = _REFERENCE.unpack(self.take(_REFERENCE.size))
        return Reference(self.below(insn, limit), self.text(length), addend)

    def kfunc(self, limit: int) -> KfuncReference:
        insn, length = _KFUNC.unpack(self.take(_KFUNC.size))
        return KfuncReference(self.below(insn, limit), self.text(length))

    def below(self, insn: int, limit: int) -> int:
        if insn >= limit:
            raise self.bad(f"it refers to instruction {insn} of {limit}")
        return insn
