"""Instructions from the kernel's own notation, as ``skep.lang.disasm`` prints it: programs that no compiler would make.

Besides that notation there are names: ``r1 = map counts``, ``r1 = value constants``, ``r2 = function step``,
``call HELPER``, ``call kernel KFUNC``, ``call function f1``, ``goto LABEL``, ``LABEL:``, ``function NAME:``,
``times N INSTRUCTION``, and ``raw BYTES`` in hexadecimal. A number in front of an instruction is the source line that
it comes from.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from skep.lang.helpers import HELPERS

SIZES = {"u32": 0x00, "u16": 0x08, "u8": 0x10, "u64": 0x18}
ALU = {"+=": 0x00, "-=": 0x10, "*=": 0x20, "/=": 0x30, "|=": 0x40, "&=": 0x50, "<<=": 0x60}
ALU |= {">>=": 0x70, "%=": 0x90, "^=": 0xA0, "=": 0xB0, "s>>=": 0xC0}
JUMPS = {"==": 0x10, ">": 0x20, ">=": 0x30, "&": 0x40, "!=": 0x50, "s>": 0x60, "s>=": 0x70}
JUMPS |= {"<": 0xA0, "<=": 0xB0, "s<": 0xC0, "s<=": 0xD0}
# Helpers behind methods and words of the language, which its table does not list.
NUMBERS = {"map_lookup_elem": 1, "map_update_elem": 2, "map_delete_elem": 3, "tail_call": 12}
NUMBERS |= {"spin_lock": 93, "spin_unlock": 94, "ringbuf_output": 130, "ringbuf_reserve": 131}
NUMBERS |= {"ringbuf_submit": 132, "ringbuf_discard": 133, "perf_event_output": 25, "loop": 181}
NUMBERS |= {"of_tomorrow": 9999}
MEMORY = r"\*\((u\d+) \*\)\(r(\d+) ([+-]\d+)\)"
LINE = r"^ *(\d+ )? *(?:times (\d+) )?(\S.*?) *$"
REGISTER_SOURCE = 0x08
WIDE, CALL, EXIT = 0x18, 0x85, 0x95


@dataclass(frozen=True, slots=True)
class Assembled:
    """``lines`` and ``functions``: instruction and source line, instruction and name; names by instruction."""

    insns: bytes
    lines: tuple[tuple[int, int], ...]
    functions: tuple[tuple[int, str], ...]
    maps: Mapping[int, tuple[str, bool]]
    kfuncs: Mapping[int, str]


@dataclass(slots=True)
class _Assembler:
    """The instructions so far; ``jumps`` are those whose target is a label."""

    insns: list[bytes] = field(default_factory=list)
    lines: list[tuple[int, int]] = field(default_factory=list)
    functions: list[tuple[int, str]] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    jumps: dict[int, str] = field(default_factory=dict)
    maps: dict[int, tuple[str, bool]] = field(default_factory=dict)
    kfuncs: dict[int, str] = field(default_factory=dict)

    def line(self, text: str) -> None:
        for form, method in FORMS:
            if match := re.fullmatch(form, text):
                method(self, *match.groups(""))
                return
        raise ValueError(f"no instruction: {text}")

    def add(self, code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> None:
        number = (imm + (1 << 31)) % (1 << 32) - (1 << 31)
        self.insns.append(struct.pack("<BBhi", code, src << 4 | dst, off, number))

    def wide(self, dst: int, src: int = 0) -> None:
        self.add(WIDE, dst, src)
        self.add(0)

    def label(self, name: str) -> None:
        self.labels[name] = len(self.insns)

    def function(self, name: str) -> None:
        self.functions.append((len(self.insns), name))
        self.label(name)

    def raw(self, data: str) -> None:
        self.insns.append(bytes.fromhex(data))

    def of_map(self, dst: str, what: str, name: str) -> None:
        self.maps[len(self.insns)] = (name, what == "value")
        self.wide(int(dst))

    def of_function(self, dst: str, name: str) -> None:
        self.jumps[len(self.insns)] = name
        self.wide(int(dst), 4)

    def call(self, kind: str, name: str) -> None:
        if kind:
            (self.jumps if kind == "function" else self.kfuncs)[len(self.insns)] = name
            self.add(CALL, src=1 if kind == "function" else 2, imm=-1)
        else:
            self.add(CALL, imm=NUMBERS.get(name) or HELPERS[name].number)

    def exit(self) -> None:
        self.add(EXIT)

    def goto(self, label: str) -> None:
        self.jumps[len(self.insns)] = label
        self.add(0x05)

    def branch(self, wide: str, dst: str, sign: str, right: str, label: str) -> None:
        self.jumps[len(self.insns)] = label
        self.operate(JUMPS[sign] | (0x05 if wide == "r" else 0x06), int(dst), right)

    def alu(self, wide: str, dst: str, sign: str, right: str) -> None:
        self.operate(ALU[sign] | (0x07 if wide == "r" else 0x04), int(dst), right)

    def operate(self, code: int, dst: int, right: str) -> None:
        if right[0] in "rw":
            self.add(code | REGISTER_SOURCE, dst, int(right[1:]))
        else:
            self.add(code, dst, imm=int(right, 0))

    def load(self, dst: str, size: str, src: str, off: str) -> None:
        self.add(0x61 | SIZES[size], int(dst), int(src), int(off))

    def store(self, size: str, dst: str, off: str, right: str) -> None:
        if right[0] == "r":
            self.add(0x63 | SIZES[size], int(dst), int(right[1:]), int(off))
        else:
            self.add(0x62 | SIZES[size], int(dst), 0, int(off), int(right, 0))

    def atomic(self, size: str, dst: str, off: str, src: str) -> None:
        self.add(0xC3 | SIZES[size], int(dst), int(src), int(off))

    def resolve(self) -> None:
        """Put the distances to labels into the instructions: off of jumps, imm of calls and of addresses."""
        for at, label in self.jumps.items():
            distance = self.labels[label] - at - 1
            code = bytearray(self.insns[at])
            form, place = ("<h", 2) if code[0] not in (CALL, WIDE) else ("<i", 4)
            struct.pack_into(form, code, place, distance)
            self.insns[at] = bytes(code)


FORMS = (
    (r"function (\w+):", _Assembler.function),
    (r"(\w+):", _Assembler.label),
    (r"raw (\w+)", _Assembler.raw),
    (r"r(\d+) = (map|value) (\w+)", _Assembler.of_map),
    (r"r(\d+) = function (\w+)", _Assembler.of_function),
    (r"call (?:(function|kernel) )?(\w+)", _Assembler.call),
    (r"exit", _Assembler.exit),
    (r"goto (\w+)", _Assembler.goto),
    (r"if ([rw])(\d+) (\S+) (\S+) goto (\w+)", _Assembler.branch),
    (rf"r(\d+) = {MEMORY}", _Assembler.load),
    (rf"lock {MEMORY} \+= r(\d+)", _Assembler.atomic),
    (rf"{MEMORY} = (\S+)", _Assembler.store),
    (r"([rw])(\d+) (\S+) (\S+)", _Assembler.alu),
)


def assemble(text: str, name: str) -> Assembled:
    """The instructions of ``text``, the first of which begin the function ``name``."""
    made = _Assembler()
    made.function(name)
    for number, count, rest in re.findall(LINE, text, re.MULTILINE):
        before = len(made.insns)
        for _ in range(int(count or 1)):
            made.line(rest)
        if number and len(made.insns) > before:
            made.lines.append((before, int(number)))
    made.resolve()
    code = b"".join(made.insns)
    return Assembled(code, tuple(made.lines), tuple(made.functions), made.maps, made.kfuncs)
