"""Programs of a few instructions, put together by hand: the tests of ``kernel`` need no compiler."""

import struct
import time
from collections.abc import Callable

from skep.kernel import objects
from skep.kernel.bpf import DOOR
from skep.lang.kinds import KINDS
from skep.lang.spec import KfuncReference, MapReference, MapSpec, ProgramSpec

NAME = "skep_probe"
FORCE_WAKEUP = 1 << 1


def insn(op: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    """An instruction, as bpf.h has it."""
    return struct.pack("<BBhi", op, src << 4 | dst, off, imm)


def returns(value: int) -> bytes:
    """``return value``."""
    return insn(0xB7, 0, imm=value) + insn(0x95)


def program(
    kind: str,
    target: str = "",
    insns: bytes = b"",
    *,
    references: tuple[MapReference, ...] = (),
    kfuncs: tuple[KfuncReference, ...] = (),
    maps: tuple[MapSpec, ...] = (),
    options: tuple[tuple[str, int | str], ...] = (),
) -> ProgramSpec:
    """A program of that kind; it returns the kind's default unless instructions are given."""
    code = insns or returns(KINDS[kind].default)
    empty = (b"", b"", b"")
    return ProgramSpec(
        NAME, KINDS[kind], target, "GPL", code, references, kfuncs, maps, *empty, options
    )


LOAD_MAP = insn(0x18, 1) + insn(0)  # r1 = map, by a reference to this place

# Counts its runs in the first u64 of a mapped array (reference to 0, value offset 0).
COUNT = LOAD_MAP + insn(0xB7, 0, imm=1) + insn(0xDB, 1, 0, 0, 0) + returns(0)

# Puts the first two words of its context into a ring (reference to 0) and returns the helper's answer.
OUTPUT = b"".join(
    (
        insn(0x79, 2, 1, 0) + insn(0x7B, 10, 2, -16),
        insn(0x79, 2, 1, 8) + insn(0x7B, 10, 2, -8),
        LOAD_MAP + insn(0xBF, 2, 10) + insn(0x07, 2, imm=-16),
        insn(0xB7, 3, imm=16) + insn(0xB7, 4, imm=FORCE_WAKEUP) + insn(0x85, imm=130) + returns(0),
    )
)
OUTPUT_MAP = 4  # where OUTPUT names its ring


def counting(result: int) -> bytes:
    """COUNT with another result."""
    return COUNT[: -len(returns(0))] + returns(result)


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether a condition comes true: the kernel frees some objects only after a grace period."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def ours() -> list[str]:
    """The names of our programs, and of links to them, that the kernel still has."""
    held = {one.id: one.name for one in objects.programs(DOOR) if one.name == NAME}
    links = [held[one.program_id] for one in objects.links(DOOR) if one.program_id in held]
    return [*held.values(), *links]
