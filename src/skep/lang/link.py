"""Links an object of LLVM's BPF back end into what BPF_PROG_LOAD takes.

A pure function of bytes. From the function that is named as entry it follows calls and callbacks,
lays out what it reaches (the entry first, each function whole, in the order in which they are
reached) and moves the records of functions and source lines along. Functions may lie in any
executable sections. What is not reached is dropped, and so are DWARF and unwind tables. What only a
loader knows stays a reference: maps and constants by symbol, kernel functions by name. It knows
nothing of descriptors or of the language.
"""

import struct
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from skep.base.errors import BadInput
from skep.base.frozen import frozen
from skep.lang import debuginfo
from skep.lang.elf import Elf, Relocation, Section, Symbol, SymbolKind, read
from skep.lang.linked import CONSTANTS, Linked, Reference
from skep.lang.spec import KfuncReference

_INSN = struct.Struct("<BBhi")
_IMMEDIATE = struct.Struct("<i")
_WIDE_LOAD, _CALL = 0x18, 0x85
_LOCAL_CALL, _KERNEL_CALL, _FUNCTION_ADDRESS = 1, 2, 4  # what a source register says
_R_BPF_64_64, _R_BPF_64_32 = 1, 10
_TRAP = "__bpf_trap"


@frozen
class _Function:
    """Instructions ``start`` to ``end`` of a section."""

    name: str
    section: int
    start: int
    end: int


@dataclass(slots=True)
class _Output:
    """What has been laid out: instructions, where each function begins, what refers to what."""

    insns: bytearray = field(default_factory=bytearray)
    base: dict[_Function, int] = field(default_factory=dict)
    calls: list[tuple[int, int, _Function]] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    kfuncs: list[KfuncReference] = field(default_factory=list)

    def patch(self, at: int, source: int, value: int) -> None:
        """Set the source register, which says what the immediate means, and the immediate."""
        self.insns[at * 8 + 1] = self.insns[at * 8 + 1] & 15 | source << 4
        _IMMEDIATE.pack_into(self.insns, at * 8 + 4, value)


def link(data: bytes, entry: str, place: str = "") -> Linked:
    """The program that begins at function ``entry`` of object ``data``; errors call it ``place``.

    Raises BadInput for an object that is malformed, has no such function, writes to data of its
    own, or has functions without debug information among others that have it.
    """
    linker = _Linker(read(data, place or f"the object of {entry}"))
    return linker.link(entry)


class _Linker:
    def __init__(self, elf: Elf) -> None:
        self.elf = elf
        self.functions = _functions(elf)
        self.constants, self.constants_at = _constants(elf)
        self.fixes: dict[int, dict[int, Relocation]] = {}
        self.out = _Output()
        self.waiting: deque[_Function] = deque()

    def link(self, entry: str) -> Linked:
        self.waiting.append(self.entry(entry))
        while self.waiting:
            function = self.waiting.popleft()
            if function not in self.out.base:
                self.place(function)
        out = self.out
        for at, source, callee in out.calls:
            out.patch(at, source, out.base[callee] - at - 1)
        used = any(reference.symbol == CONSTANTS for reference in out.references)
        return Linked(
            bytes(out.insns),
            tuple(out.references),
            tuple(out.kfuncs),
            *_debug(self.elf, out.base),
            self.constants if used else b"",
        )

    def bad(self, problem: str) -> BadInput:
        return BadInput(self.elf.place, problem)

    def entry(self, name: str) -> _Function:
        found = [function for function in self.functions.values() if function.name == name]
        if len(found) != 1:
            names = ", ".join(function.name for function in self.functions.values()) or "none"
            raise self.bad(f"{len(found)} functions are named {name}; there are: {names}")
        return found[0]

    def place(self, function: _Function) -> None:
        """Copy the instructions of ``function`` to the end, and note what they refer to."""
        section = self.elf.sections[function.section]
        base = self.out.base[function] = len(self.out.insns) // 8
        self.out.insns += section.data[function.start * 8 : function.end * 8]
        fixes = self.section_fixes(section)
        at = function.start
        while at < function.end:
            code, registers, _, value = _INSN.unpack_from(section.data, at * 8)
            here, fix = base + at - function.start, fixes.get(at)
            if code == _WIDE_LOAD:
                at += 1
                if at >= function.end:
                    raise self.bad(f"{function.name} ends within a two-slot load")
                if fix:
                    high = int.from_bytes(section.data[at * 8 + 4 : at * 8 + 8], "little")
                    self.load(here, fix, _signed(high << 32 | value & 0xFFFFFFFF))
            elif fix and code == _CALL:
                self.call(here, fix, value)
            elif fix:
                raise self.bad(f"{function.name} has a relocation at {here} (code {code:#x})")
            elif code == _CALL and registers >> 4 == _LOCAL_CALL:
                self.refer(here, _LOCAL_CALL, function.section, at + 1 + value)
            at += 1

    def section_fixes(self, section: Section) -> dict[int, Relocation]:
        if section.index not in self.fixes:
            found = self.elf.relocations.get(section.index, ())
            self.fixes[section.index] = {fix.offset // 8: fix for fix in found}
        return self.fixes[section.index]

    def load(self, at: int, fix: Relocation, addend: int) -> None:
        """A two-slot load of an address: of a function, of constants, or of what a loader knows."""
        symbol = fix.symbol
        if fix.type != _R_BPF_64_64 or fix.offset % 8:
            raise self.bad(f"relocation of type {fix.type} on a load of {symbol.name}")
        where = symbol.value + addend
        if symbol.section in self.constants_at:
            self.reference(at, CONSTANTS, self.constants_at[symbol.section] + where)
        elif not symbol.section:
            self.reference(at, symbol.name, addend)
        elif self.section(symbol).code and not where % 8:
            self.refer(at, _FUNCTION_ADDRESS, symbol.section, where // 8)
        else:
            name = self.section(symbol).name
            raise self.bad(f"it has data in {name}; what a program writes is kept in maps")

    def reference(self, at: int, symbol: str, addend: int) -> None:
        self.out.patch(at, 0, 0)
        self.out.patch(at + 1, 0, 0)
        self.out.references.append(Reference(at, symbol, addend))

    def call(self, at: int, fix: Relocation, value: int) -> None:
        """A call that the assembler left open: of another section, or of a kernel function."""
        symbol = fix.symbol
        if fix.type != _R_BPF_64_32 or fix.offset % 8:
            raise self.bad(f"relocation of type {fix.type} on a call of {symbol.name}")
        if symbol.section:
            target = symbol.value // 8 + value + 1
            self.refer(at, _LOCAL_CALL, self.section(symbol).index, target)
        elif symbol.name == _TRAP:
            raise self.bad("it has a path that does not end in a return (LLVM made it a trap)")
        else:
            self.out.patch(at, _KERNEL_CALL, 0)
            self.out.kfuncs.append(KfuncReference(at, symbol.name))

    def refer(self, at: int, source: int, section: int, start: int) -> None:
        """Instruction ``at`` names the function that begins at ``start`` of ``section``."""
        function = self.functions.get((section, start))
        if function is None:
            raise self.bad(f"instruction {at} names a function where none begins")
        self.out.patch(at, source, 0)
        if source == _FUNCTION_ADDRESS:
            self.out.patch(at + 1, 0, 0)
        self.out.calls.append((at, source, function))
        self.waiting.append(function)

    def section(self, symbol: Symbol) -> Section:
        if symbol.section >= len(self.elf.sections):
            raise self.bad(f"symbol {symbol.name} is in section {symbol.section:#x}")
        return self.elf.sections[symbol.section]


def _functions(elf: Elf) -> dict[tuple[int, int], _Function]:
    """The functions by section and start, in that order; none overlaps another."""
    found: dict[tuple[int, int], _Function] = {}
    for symbol in elf.symbols:
        if symbol.kind != SymbolKind.FUNC or not 0 < symbol.section < len(elf.sections):
            continue
        section = elf.sections[symbol.section]
        whole = symbol.size and not symbol.value % 8 and not symbol.size % 8
        if not section.code or not whole or symbol.value + symbol.size > len(section.data):
            raise BadInput(elf.place, f"function {symbol.name} is not whole in {section.name}")
        start, end = symbol.value // 8, (symbol.value + symbol.size) // 8
        found[section.index, start] = _Function(symbol.name, section.index, start, end)
    ordered = [found[key] for key in sorted(found)]
    for one, other in pairwise(ordered):
        if one.section == other.section and one.end > other.start:
            raise BadInput(elf.place, f"functions {one.name} and {other.name} overlap")
    return {(function.section, function.start): function for function in ordered}


def _constants(elf: Elf) -> tuple[bytes, dict[int, int]]:
    """The read-only sections, one after the other, and where each section begins."""
    data, starts = bytearray(), {}
    for section in elf.sections:
        if section.constant and section.name.startswith(CONSTANTS):
            if section.index in elf.relocations:
                raise BadInput(elf.place, f"{section.name} holds addresses")
            data += bytes(-len(data) % 16)
            starts[section.index] = len(data)
            data += section.data
    return bytes(data), starts


def _debug(elf: Elf, base: dict[_Function, int]) -> tuple[bytes, bytes, bytes]:
    """BTF, records of functions and records of lines, moved to where the functions are now."""
    btf, ext = elf.section(".BTF"), elf.section(".BTF.ext")
    if btf is None or ext is None:
        return b"", b"", b""
    found = debuginfo.records(ext.data, btf.data, elf.place)
    functions, lines = bytearray(), bytearray()
    for function, to in base.items():
        section = elf.sections[function.section].name
        own = _moved(found.functions.get(section, []), function, to)
        if not own.startswith(struct.pack("<I", to)):
            raise BadInput(elf.place, f"function {function.name} has no debug information")
        functions += own[: debuginfo.FUNC_INFO]
        lines += _moved(found.lines.get(section, []), function, to)
    return debuginfo.loadable(btf.data, elf.place), bytes(functions), bytes(lines)


def _moved(rows: list[tuple[int, bytes]], function: _Function, to: int) -> bytes:
    """The records that lie in ``function``, with the offsets that they have from ``to`` on."""
    start = function.start * 8
    first, last = (bisect_left(rows, at, key=_offset) for at in (start, function.end * 8))
    return b"".join(
        struct.pack("<I", to + (at - start) // 8) + rest for at, rest in rows[first:last]
    )


def _offset(row: tuple[int, bytes]) -> int:
    return row[0]


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
