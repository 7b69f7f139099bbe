"""Programs that kernels refuse, and what each is to be told: the files of ``assembled``.

A case is ``=== NAME: KIND TARGET``, what it is to be told, ``---``, its source in Python, ``---``, its instructions in
the notation of ``assembler``. ``cause: TEXT`` is what the explainer says; ``until 6.1: TEXT`` and ``since 6.18: TEXT``
stand for it on those kernels. ``accepted, WHY`` and ``lacks WHAT`` say that a kernel does not refuse it, or has no such
function. ``slow`` marks what takes a kernel, or the reader of its log, too long in a guest. The instructions are
written down, for the compiler refuses most of these programs itself; their lines are those of the source, as line
records tell the kernel.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from skep.btf.reader import Btf
from skep.btf.types import Param
from skep.btf.writer import Builder
from skep.lang.kernel_types import KernelTypes
from skep.lang.kinds import KINDS
from skep.lang.maps import READ_ONLY
from skep.lang.spec import KfuncReference, MapReference, MapSpec, MapType, ProgramSpec
from skep.lang.special import SpinLock
from skep.lang.struct import Struct
from skep.lang.types import u32, u64
from tests.kernel.refused.assembler import Assembled, assemble

FILES = Path(__file__).with_name("assembled")
FILE = "prog.py"
ACCEPTED, LACKS = "accepted, ", "lacks "
STATIC = 0
FIELD = re.compile(r"\+(\w+)\.(\w+)(\+\d+)?\)")


class Locked(Struct):
    """A value with a lock."""

    lock: SpinLock
    count: u64


MAPS = {
    "counts": MapSpec("counts", MapType.HASH, u32, u64[2], 16),
    "table": MapSpec("table", MapType.ARRAY, u32, u64[9], 1),
    "events": MapSpec("events", MapType.RINGBUF, None, None, 4096),
    "constants": MapSpec("constants", MapType.ARRAY, u32, u64[8], 1, READ_ONLY),
    "following": MapSpec("following", MapType.PROG_ARRAY, u32, u32, 1),
    "perf": MapSpec("perf", MapType.PERF_EVENT_ARRAY, u32, u32, 1),
    "locked": MapSpec("locked", MapType.HASH, u32, Locked, 16),
}


def version(text: str) -> tuple[int, int]:
    """The numbers of a kernel's release."""
    major, minor = re.findall(r"\d+", text)[:2]
    return int(major), int(minor)


@dataclass(frozen=True, slots=True)
class Case:
    """A program; ``told`` are the lines that say what it is to be told, by their beginnings."""

    name: str
    kind: str
    target: str
    told: Mapping[str, str]
    source: str
    code: str

    def expected(self, release: str) -> str:
        """What a kernel of that release makes of it."""
        here = version(release)
        for when, text in self.told.items():
            word, _, bound = when.partition(" ")
            if word == "until" and here <= version(bound):
                return text
            if word == "since" and here >= version(bound):
                return text
        return self.told["cause"]

    @property
    def slow(self) -> bool:
        """Whether this takes too long in a guest."""
        return "slow" in self.told

    def spec(self, btf: Btf | None = None) -> ProgramSpec:
        """The program, for the kernel of those types; without them, its lines are right, but not its offsets."""
        types = KernelTypes(btf) if btf else None
        made = assemble(
            FIELD.sub(lambda match: _offset(types, *match.groups()), self.code), self.name
        )
        maps = sorted({name for name, _ in made.maps.values()})
        references = tuple(
            MapReference(insn, maps.index(name), 0 if value else None)
            for insn, (name, value) in made.maps.items()
        )
        own, func_info, line_info = described(made, self.source)
        return ProgramSpec(
            *(self.name, KINDS[self.kind], self.target, self.told.get("license", "GPL")),
            *(made.insns, references),
            tuple(KfuncReference(insn, name) for insn, name in made.kfuncs.items()),
            tuple(MAPS[name] for name in maps),
            *(own, func_info, line_info),
            flags=KINDS[self.kind].flags,
        )


def _offset(types: KernelTypes | None, struct: str, name: str, more: str | None) -> str:
    """The offset of a field of the kernel's, as in ``task_struct.comm+12``."""
    found = types.struct(struct) if types else None
    member = types.member(found, name) if types and found else None
    return f"+{(member.offset if member else 0) + int(more or 0)})"


def described(made: Assembled, source: str) -> tuple[bytes, bytes, bytes]:
    """BTF, function records and line records: each function begins at a line."""
    builder, lines = Builder(), source.splitlines()
    number = builder.integer("unsigned long", 8)
    entry = builder.prototype(number, [Param("ctx", builder.ptr(0))])
    inner = builder.prototype(number, [Param("x", number)])
    ids = [
        (insn, builder.func(name, inner if insn else entry, linkage=STATIC))
        for insn, name in made.functions
    ]
    starts = dict(made.lines)
    for insn, name in made.functions:
        defined = [n for n, line in enumerate(lines, 1) if line.startswith(f"def {name}(")]
        starts.setdefault(insn, defined[0])
    records = [
        (insn, builder.string(FILE), builder.string(lines[line - 1]), line << 10 | 5)
        for insn, line in sorted(starts.items())
    ]
    packed = b"".join(struct.pack("<IIII", *record) for record in records)
    return builder.build(), b"".join(struct.pack("<II", *one) for one in ids), packed


def read(text: str) -> list[Case]:
    """The cases of a file."""
    cases = []
    for part in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        head, source, code = part.split("---\n")
        name, *told = head.splitlines()
        name, _, hook = name.partition(": ")
        kind, _, target = hook.partition(" ")
        pairs = (line.partition(": ")[::2] for line in told)
        cases.append(Case(name, kind, target, dict(pairs), source, code))
    return cases


@cache
def cases() -> tuple[Case, ...]:
    """All of them, by name."""
    found = [case for path in sorted(FILES.glob("*.txt")) for case in read(path.read_text())]
    return tuple(sorted(found, key=lambda case: case.name))
