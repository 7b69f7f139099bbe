import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.lang.disasm import NO_NAMES, Names, instructions, lines, listing
from skep.lang.lines import Lines
from tests.unit.lang.modules import linked


def insn(code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    return struct.pack("<BBhi", code, src << 4 | dst, off, imm)


def told(code: bytes, **more: Any) -> str:  # noqa: ANN401 - what lines() takes
    """A program as text."""
    return listing(lines(code, **more))


def shown(code: bytes, names: Names = NO_NAMES) -> str:
    ((_, text),) = instructions(code, names)
    return text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        # Arithmetic, 64 and 32 bits, of registers and immediates
        (insn(0x07, 1, imm=-8), "r1 += -8"),
        (insn(0x0F, 1, 2), "r1 += r2"),
        (insn(0x04, 1, imm=8), "w1 += 8"),
        (insn(0x1C, 1, 2), "w1 -= w2"),
        (insn(0x27, 3, imm=10), "r3 *= 10"),
        (insn(0x37, 3, imm=10), "r3 /= 10"),
        (insn(0x4F, 3, 4), "r3 |= r4"),
        (insn(0x57, 3, imm=255), "r3 &= 255"),
        (insn(0x67, 3, imm=32), "r3 <<= 32"),
        (insn(0x77, 3, imm=32), "r3 >>= 32"),
        (insn(0x87, 3), "r3 = -r3"),
        (insn(0x84, 3), "w3 = -w3"),
        (insn(0x97, 3, imm=7), "r3 %= 7"),
        (insn(0xA7, 3, imm=7), "r3 ^= 7"),
        (insn(0xB7, 3, imm=-1), "r3 = -1"),
        (insn(0xBC, 3, 4), "w3 = w4"),
        (insn(0xC7, 3, imm=56), "r3 s>>= 56"),
        # Of cpu v4: signed division, moves that extend a sign, byte swaps
        (insn(0x3F, 1, 2, 1), "r1 s/= r2"),
        (insn(0x94, 1, off=1, imm=7), "w1 s%= 7"),
        (insn(0xBF, 1, 2, 8), "r1 = (s8)r2"),
        (insn(0xBC, 1, 2, 16), "w1 = (s16)w2"),
        (insn(0xBF, 1, 2, 32), "r1 = (s32)r2"),
        (insn(0xBF, 1, 2, 1, 1), "r1 = addr_space_cast(r2, 0, 1)"),
        (insn(0xBF, 1, 2, -1), "r1 = &(void __percpu *)(r2)"),
        (insn(0xDC, 1, imm=16), "r1 = be16 r1"),
        (insn(0xD4, 1, imm=64), "r1 = le64 r1"),
        (insn(0xD7, 1, imm=32), "r1 = bswap32 r1"),
        # Loads and stores
        (insn(0x71, 1, 2, 12), "r1 = *(u8 *)(r2 +12)"),
        (insn(0x69, 1, 2, -4), "r1 = *(u16 *)(r2 -4)"),
        (insn(0x61, 1, 2), "r1 = *(u32 *)(r2 +0)"),
        (insn(0x79, 1, 2), "r1 = *(u64 *)(r2 +0)"),
        (insn(0x91, 1, 2), "r1 = *(s8 *)(r2 +0)"),
        (insn(0x89, 1, 2), "r1 = *(s16 *)(r2 +0)"),
        (insn(0x81, 1, 2), "r1 = *(s32 *)(r2 +0)"),
        (insn(0x7B, 10, 1, -8), "*(u64 *)(r10 -8) = r1"),
        (insn(0x62, 10, off=-8, imm=-5), "*(u32 *)(r10 -8) = -5"),
        (insn(0x30, imm=14), "r0 = *(u8 *)skb[14]"),
        (insn(0x48, src=3, imm=2), "r0 = *(u16 *)skb[r3 + 2]"),
        (insn(0xC2), "nospec"),
        # Atomics
        (insn(0xDB, 1, 2, 8, 0x00), "lock *(u64 *)(r1 +8) += r2"),
        (insn(0xC3, 1, 2, 8, 0x40), "lock *(u32 *)(r1 +8) |= r2"),
        (insn(0xDB, 1, 2, 0, 0x50), "lock *(u64 *)(r1 +0) &= r2"),
        (insn(0xDB, 1, 2, 0, 0xA0), "lock *(u64 *)(r1 +0) ^= r2"),
        (insn(0xDB, 1, 2, 0, 0x01), "r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)"),
        (insn(0xC3, 1, 2, 0, 0x41), "r2 = atomic_fetch_or((u32 *)(r1 +0), r2)"),
        (insn(0xDB, 1, 2, 0, 0x51), "r2 = atomic64_fetch_and((u64 *)(r1 +0), r2)"),
        (insn(0xDB, 1, 2, 0, 0xA1), "r2 = atomic64_fetch_xor((u64 *)(r1 +0), r2)"),
        (insn(0xDB, 1, 2, 0, 0xE1), "r2 = atomic64_xchg((u64 *)(r1 +0), r2)"),
        (insn(0xC3, 1, 2, 0, 0xF1), "r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2)"),
        (insn(0xDB, 1, 2, 8, 0x100), "r1 = load_acquire((u64 *)(r2 +8))"),
        (insn(0xD3, 1, 2, 8, 0x110), "store_release((u8 *)(r1 +8), r2)"),
        # Flow
        (insn(0x05, off=-3), "goto pc-3"),
        (insn(0x06, imm=70000), "gotol pc+70000"),
        (insn(0x0D, 3), "gotox r3"),
        (insn(0xE5, off=2), "may_goto pc+2"),
        (insn(0x95), "exit"),
        (insn(0x15, 1, off=4, imm=-1), "if r1 == 0xffffffff goto pc+4"),
        (insn(0x5D, 1, 2, 4), "if r1 != r2 goto pc+4"),
        (insn(0x26, 1, off=4, imm=7), "if w1 > 0x7 goto pc+4"),
        (insn(0x35, 1, off=4), "if r1 >= 0x0 goto pc+4"),
        (insn(0xA5, 1, off=4), "if r1 < 0x0 goto pc+4"),
        (insn(0xB5, 1, off=4), "if r1 <= 0x0 goto pc+4"),
        (insn(0x45, 1, off=4, imm=1), "if r1 & 0x1 goto pc+4"),
        (insn(0x6E, 1, 2, 4), "if w1 s> w2 goto pc+4"),
        (insn(0x7D, 1, 2, 4), "if r1 s>= r2 goto pc+4"),
        (insn(0xCD, 1, 2, 4), "if r1 s< r2 goto pc+4"),
        (insn(0xDD, 1, 2, 4), "if r1 s<= r2 goto pc+4"),
        # Calls and addresses
        (insn(0x85, imm=1), "call unknown#1"),
        (insn(0x85, src=1, imm=20), "call pc+20"),
        (insn(0x85, src=2, imm=77), "call kernel-function#77"),
        (insn(0x18, 1, imm=-1) + insn(0, imm=1), "r1 = 0x1ffffffff"),
        (insn(0x18, 1, 1, imm=5) + insn(0), "r1 = map[fd:5]"),
        (insn(0x18, 1, 2, imm=5) + insn(0, imm=8), "r1 = map[fd:5][0]+8"),
        (insn(0x18, 1, 4, imm=9) + insn(0), "r1 = subprog[+9]"),
        # What is no instruction
        (insn(0xFF, 1, 2, 3, 4), "?ff r1 r2 +3 0x4"),
        (insn(0x8D, 1), "?8d r1 r0 +0 0x0"),
        (insn(0xDB, 1, 2, 0, 0x99), "?db r1 r2 +0 0x99"),
        (insn(0xBF, 1, 2, 5), "?bf r1 r2 +5 0x0"),
    ],
)
def test_an_instruction_reads_as_the_kernel_writes_it(code: bytes, text: str) -> None:
    assert shown(code) == text


def test_names_stand_where_there_are_some() -> None:
    names = Names({1: "bpf_map_lookup_elem"}, {0: "counts"}, {5: "sub"})
    assert shown(insn(0x85, imm=1), NO_NAMES) == "call unknown#1"
    assert [text for _, text in instructions(insn(0) + insn(0x85, imm=1), names)][1] == (
        "call bpf_map_lookup_elem#1"
    )
    assert shown(insn(0x18, 1) + insn(0), names) == "r1 = counts"
    assert shown(insn(0x85, src=2), names) == "call counts"
    assert shown(insn(0x85, src=1, imm=4), names) == "call pc+4#sub"
    functions = Names({}, {}, {5: "sub"})
    assert shown(insn(0x18, 1, 4, imm=4) + insn(0), functions) == "r1 = subprog[+4]#sub"


def test_a_listing_has_the_python_lines_above_their_instructions() -> None:
    program = linked("small")
    assert told(
        program.insns, btf=program.btf, func_info=program.func_info, line_info=program.line_info
    ) == (
        "small:\n"
        "; return ctx[0] // 3 @ small.py:2\n"
        "     0: r0 = *(u64 *)(r1 +0)\n"
        "     1: r0 /= 3\n"
        "     2: exit\n"
    )


def test_each_function_of_a_listing_has_its_name_above_it() -> None:
    program = linked("everything")
    text = told(
        program.insns,
        btf=program.btf,
        func_info=program.func_info,
        line_info=program.line_info,
        helpers={1: "bpf_map_lookup_elem"},
        symbols={r.insn: r.symbol for r in program.references}
        | {k.insn: k.name for k in program.kfuncs},
    )
    names = [line[:-1] for line in text.splitlines() if line.endswith(":") and line[0].isalpha()]
    assert names == ["everything", "scramble", "step"]
    for part in (
        "r1 = map.0\n",
        "call bpf_map_lookup_elem#1\n",
        "#scramble\n",
        "#step\n",
        "call bpf_iter_num_new\n",
    ):
        assert part in text
    assert "; return x * 3 ^ 77 @ everything.py:2\n" in text


def test_a_listing_without_debug_information_is_bare() -> None:
    assert told(insn(0xB7) + insn(0x95)) == "     0: r0 = 0\n     1: exit\n"
    assert told(b"") == ""


def test_the_line_of_an_instruction_is_the_last_that_began() -> None:
    program = linked("everything")
    lines = Lines(program.line_info, program.btf)
    first = lines.at(0)
    assert first is not None
    assert (first.file, first.line) == ("everything.py", 7)
    assert lines.starting(0) == first
    count = len(program.insns) // 8
    middle = [at for at in range(count) if lines.starting(at) is None]
    assert middle
    assert all(lines.at(at) == lines.at(at - 1) for at in middle)
    assert Lines(b"", b"").at(0) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_shown(data: bytes) -> None:
    code = data[: len(data) // 8 * 8]
    shown_at = [at for at, _ in instructions(code)]
    assert shown_at == sorted(set(shown_at))
    assert all(at < len(code) // 8 for at in shown_at)
    assert len(told(code).splitlines()) == len(shown_at)


def test_a_line_tells_the_function_that_begins_there_and_its_source() -> None:
    first, last = lines(insn(0xB7) + insn(0x95))
    assert (first.at, first.text, first.function, first.source) == (0, "r0 = 0", "", None)
    assert (last.at, last.text) == (1, "exit")
