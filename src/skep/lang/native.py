"""Functions in the machine's own code, as bytes that can be kept, mapped and called: no relocation, no call, no data.

What is kept begins with a signature of the text that it was made of, by which a caller finds out that it is the
function that it means. It maps nothing; ``skep.kernel.native`` does.
"""

import hashlib
import os
from collections.abc import Sequence

from skep.base.errors import CompileError
from skep.lang.backend import PROCESSORS, IrModule, emit
from skep.lang.elf import SectionType, SymbolKind, read

CODE_AT = 72
"""Where the code begins behind the signature: at 128 in an entry of the cache, for processors fetch code by lines."""
SIGNATURE = 32
_MACHINES = {"x86_64": 62, "aarch64": 183}
"""``e_machine`` of each processor: include/uapi/linux/elf-em.h."""


def processor() -> str:
    """The machine that this runs on, "" where its code cannot be made."""
    machine = os.uname().machine
    return machine if machine in PROCESSORS else ""


def signature(text: str, machine: str) -> bytes:
    """What tells the function of ``text`` from any other."""
    return hashlib.sha256(f"{machine}\0{text}".encode()).digest()


def made(name: str, texts: Sequence[str], machine: str) -> list[bytes]:
    """The functions ``name`` of LLVM texts, to be kept. CompileError."""
    objects = emit([IrModule(name, text, machine) for text in texts])
    return [
        signature(text, machine).ljust(CODE_AT, b"\0") + code(data, name, machine)
        for text, data in zip(texts, objects, strict=True)
    ]


def code(data: bytes, name: str, machine: str) -> bytes:
    """The bytes of the function ``name``, all that an object has. CompileError where they do not stand alone."""
    elf = read(data, name, machine=_MACHINES[machine])
    texts = [section for section in elf.sections if section.code and section.data]
    changed = any(s.type in (SectionType.REL, SectionType.RELA) for s in elf.sections)
    beside = any(section.constant and section.data for section in elf.sections)
    starts = [s.value for s in elf.symbols if s.kind == SymbolKind.FUNC and s.name == name]
    if len(texts) != 1 or starts != [0] or changed or beside:
        raise CompileError(f"the machine code of {name} does not stand alone")
    return texts[0].data
