"""C for the kernel as its users write it: clang-19 on ``twins/*.c``, and the sizes of the programs that come out.

``vmlinux.h`` is made by bpftool of a kernel's types and kept in ``.cache/twins`` by its build id; objects are compiled
anew each time. None where Debian's packages cannot be had. What is compared with them is not known here.
"""

import struct
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench import debian
from skep.kernel.vmlinux import BLOB, build_id
from skep.lang.elf import Elf, Symbol, SymbolKind, read

TWINS = Path(__file__).parent / "twins"
CACHE = Path(__file__).parent.parent / ".cache/twins"
CPU = "v3"
PEER = f"clang-19 -O2 -mcpu={CPU}"
# As libbpf's own examples are compiled, but that loops stay loops.
FLAGS = (
    "-O2",
    "-g",
    f"-mcpu={CPU}",
    "-fno-unroll-loops",
    "-Wall",
    "-Werror",
    "-D__TARGET_ARCH_x86",
)
_INSN = struct.Struct("<BBhi")
_ADDRESS, _CALL, _LOCAL = 0x18, 0x85, 1


@dataclass(frozen=True, slots=True)
class Clang:
    """clang, the headers of libbpf, and the folder with a kernel's vmlinux.h."""

    program: Path
    headers: Path
    folder: Path

    def object(self, source: Path, *flags: str) -> bytes:
        """The object of a C file. CalledProcessError where clang refuses it, with its words on standard error."""
        out = self.folder / f"{source.stem}.o"
        folders = ("-I", str(self.folder), "-I", str(self.headers))
        command = [str(self.program), "--target=bpf", *FLAGS, *flags, *folders]
        subprocess.run([*command, "-c", str(source), "-o", str(out)], check=True)
        return out.read_bytes()


def clang(btf: Path = Path(BLOB), identity: str = "") -> Clang | None:
    """The compiler for a kernel, the running one unless its types and build id are given; None without the packages."""
    program, headers = debian.program("clang", "clang-19"), debian.headers("clang")
    bpftool = debian.program("bpftool", "bpftool")
    if program is None or headers is None or bpftool is None:
        return None
    folder = CACHE / (identity or build_id() or "kernel")
    made = folder / "vmlinux.h"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        dump = [str(bpftool), "btf", "dump", "file", str(btf), "format", "c"]
        text = subprocess.run(dump, check=True, capture_output=True).stdout
        made.with_suffix(".new").write_bytes(text)
        made.with_suffix(".new").rename(made)
    return Clang(program, headers, folder)


def sizes(data: bytes) -> dict[str, int]:
    """The slots of each program of an object, by name: its own, and those of the functions that it calls."""
    code = _Code(read(data))
    return {symbol.name: code.slots(symbol) for symbol in code.programs}


@dataclass
class _Code:
    elf: Elf

    @cached_property
    def functions(self) -> dict[tuple[int, int], Symbol]:
        """Functions by section and first slot."""
        found = (symbol for symbol in self.elf.symbols if symbol.kind == SymbolKind.FUNC)
        return {(symbol.section, symbol.value // 8): symbol for symbol in found}

    @property
    def programs(self) -> list[Symbol]:
        """Functions that the kernel calls: those in sections of their own."""
        every = self.functions.values()
        return [one for one in every if self.elf.sections[one.section].name != ".text"]

    def slots(self, program: Symbol) -> int:
        """Slots of all that a program reaches."""
        reached: list[Symbol] = []
        waiting = [program]
        while waiting:
            function = waiting.pop()
            if function not in reached:
                reached.append(function)
                waiting += self.callees(function)
        return sum(function.size // 8 for function in reached)

    def callees(self, function: Symbol) -> Iterable[Symbol]:
        """The functions that a function calls, or gives to a helper to be called back."""
        section = self.elf.sections[function.section]
        relocations = self.elf.relocations.get(section.index, ())
        symbols = {one.offset // 8: one.symbol for one in relocations}
        for at in range(function.value // 8, (function.value + function.size) // 8):
            code, registers, _, value = _INSN.unpack_from(section.data, at * 8)
            known = symbols.get(at)
            if code == _ADDRESS and known and self.elf.sections[known.section].name == ".text":
                yield self.functions[known.section, (known.value + value) // 8]
            elif code == _CALL and registers >> 4 == _LOCAL:
                if known and not known.section:  # a function of the kernel's
                    continue
                start = (known.value // 8, known.section) if known else (at, section.index)
                yield self.functions[start[1], start[0] + value + 1]
