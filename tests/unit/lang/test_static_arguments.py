"""Arguments of static probes: from their notes to expressions, and what is not read."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.base.errors import Span
from skep.lang.static_arguments import Reader, Unreadable, register, split
from skep.lang.tree import Argument, Binary, Const, Convert, Expr, Load, Select
from skep.lang.types import s8, s32, s64, u8, u16, u32, u64
from skep.lang.values import Memory, Pointer

WORDS = {"ax": 10, "bp": 4, "sp": 19, "cx": 11, "r12": 3, "si": 13}
READER = Reader(Span("app.py", 1), WORDS)


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        *(("rax", "ax"), ("eax", "ax"), ("ax", "ax"), ("al", "ax"), ("ah", "ax"), ("rsi", "si")),
        *(
            ("esi", "si"),
            ("sil", "si"),
            ("rbp", "bp"),
            ("ebp", "bp"),
            ("spl", "sp"),
            ("r12", "r12"),
        ),
        *(("r12d", "r12"), ("r9w", "r9"), ("r8b", "r8"), ("rcx", "cx"), ("dx", "dx")),
    ],
)
def test_a_part_of_a_register_is_in_the_whole(name: str, whole: str) -> None:
    assert register(name) == whole


def test_a_constant_has_its_width_and_sign() -> None:
    for text, kind, value in (("-4@$-7", s32, -7), ("1@$300", u8, 44), ("8@$0x10", u64, 16)):
        found = READER.argument(text)
        assert isinstance(found, Const)
        assert (found.type, found.value) == (kind, value)


def test_a_register_is_cut_to_the_width_of_the_argument() -> None:
    whole, part = READER.argument("8@%rax"), READER.argument("-1@%al")
    assert isinstance(whole, Argument)
    assert whole.index == 10
    assert isinstance(part, Convert)
    assert part.type is s8
    assert isinstance(part.operand, Argument)


def address(found: Expr) -> Expr:
    """The address that an argument in memory is read from."""
    assert isinstance(found, Load)
    base = found.place.base
    assert isinstance(base, Binary)
    assert isinstance(base.type, Pointer)
    assert (base.op, base.type.memory) == ("pointer", Memory.USER)
    return base.left


def test_memory_is_that_of_the_process_at_a_sum() -> None:
    plain = address(READER.argument("2@(%rbp)"))
    assert isinstance(plain, Argument)
    below = address(READER.argument("-4@-20(%rbp)"))
    assert isinstance(below, Binary)
    assert isinstance(below.right, Const)
    assert below.right.value == (1 << 64) - 20
    scaled = address(READER.argument("8@8(%rsp,%rcx,4)"))
    assert isinstance(scaled, Binary)
    assert isinstance(scaled.left, Binary)
    assert isinstance(scaled.left.right, Binary)
    assert scaled.left.right.op == "*"
    assert READER.argument("2@(%rbp)").type is u16
    table = address(READER.argument("8@0x10(,%rax,8)"))
    assert isinstance(table, Binary)
    assert isinstance(table.left, Binary)
    assert (table.op, table.left.op) == ("+", "*")


@pytest.mark.parametrize(
    "text",
    [
        "8@%xmm0",
        "8f@%xmm0",
        "4@here(%rip)",
        "4@%dx",
        "3@%eax",
        "",
        "4@$here",
        "4@ab(%rbp)",
        "4@8()",
    ],
)
def test_what_lies_elsewhere_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        READER.argument(text)


AARCH64 = "8@x0 -4@w1 8@[sp] 4@[sp, 16] -4@[x29, #-20] 8@[x1, x2] 8@[x1, w2, sxtw 3] 4@16 8f@d0"
OTHERS = {
    "aarch64": (AARCH64, 9),
    "powerpc64": ("8@3 -4@112(1) 8@%r4 4@-20(%r31)", 4),
    "s390x": ("8@%r2 -4@164(%r15) 4@8(%r1,%r2)", 3),
}


@pytest.mark.parametrize("machine", OTHERS)
def test_an_argument_of_another_machine_is_one_and_is_not_read(machine: str) -> None:
    text, count = OTHERS[machine]
    words = split(text)
    assert len(words) == count
    assert " ".join(words) == text
    for word in words:
        with pytest.raises(Unreadable):
            READER.argument(word)


@given(st.text("-0123456789abcdefx@$%(),rspilw", max_size=16), st.sampled_from("1248"))
def test_whatever_a_note_says_is_read_or_refused(operand: str, size: str) -> None:
    with suppress(Unreadable):
        READER.argument(f"{size}@{operand}")


def test_several_ways_are_told_apart_by_the_cookie() -> None:
    ways = [READER.argument(text) for text in ("4@%eax", "-8@%r12", "4@$5")]
    chosen = READER.chosen(ways, s64)
    assert isinstance(chosen, Select)
    assert isinstance(chosen.other, Select)
    assert chosen.type is chosen.other.type is s64
    assert READER.chosen(ways[:1], u32) is ways[0]


def test_the_words_of_a_note_are_split() -> None:
    assert split("-4@%eax 8@-8(%rbp) 1@$7") == ["-4@%eax", "8@-8(%rbp)", "1@$7"]
    assert split("") == []
