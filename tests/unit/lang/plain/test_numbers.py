import pytest

from skep.lang.plain.numbers import Number, kind_of, operate
from skep.lang.types import IntType, s8, s32, s64, u8, u16, u32, u64


def n(kind: IntType, value: int) -> Number:
    return Number(kind, value)


@pytest.mark.parametrize(
    ("op", "left", "right", "kind", "value"),
    [
        ("+", n(u32, 0xFFFFFFFF), 1, u32, 0),
        ("-", n(u32, 0), 1, u32, 0xFFFFFFFF),
        ("*", n(s32, 1 << 30), 2, s32, -(1 << 31)),
        ("+", n(u8, 255), 1, u32, 256),
        ("+", n(u8, 1), n(u64, 1), u64, 2),
        ("+", n(s64, -1), n(u32, 1), s64, 0),
        ("+", n(u32, 1), 1 << 40, u64, 1 + (1 << 40)),
        ("+", n(s32, 1), 1 << 31, s64, 1 + (1 << 31)),
        ("-", n(s32, 1), 1 << 40, s64, 1 - (1 << 40)),
        ("+", n(u32, 5), -1, u32, 4),
        ("//", n(u32, 7), 0, u32, 0),
        ("%", n(u32, 7), 0, u32, 7),
        ("//", n(s32, -7), 2, s32, -4),
        ("%", n(s32, -7), 2, s32, 1),
        ("//", n(s32, -(1 << 31)), -1, s32, -(1 << 31)),
        ("<<", n(u32, 1), 31, u32, 1 << 31),
        ("<<", n(u32, 1), n(u32, 33), u32, 2),
        (">>", n(s32, -8), 1, s32, -4),
        (">>", n(u32, 8), n(s32, -1), u32, 0),
        ("<<", 1, n(u8, 40), u64, 1 << 40),
        ("<<", -1, n(u8, 1), s64, -2),
        ("^", n(u8, 5), -1, u32, 0xFFFFFFFA),
        ("+", True, n(u16, 5), u32, 6),
    ],
)
def test_operations_follow_the_written_rules(
    op: str, left: int, right: int, kind: IntType, value: int
) -> None:
    made = operate(op, left, right)
    assert (kind_of(made), made) == (kind, value)


@pytest.mark.parametrize(
    ("op", "left", "right", "value"),
    [("+", 1 << 70, 1, (1 << 70) + 1), ("//", 1, 0, 0), ("%", 9, 0, 9), ("+", True, True, 2)],
)
def test_literals_alone_are_pythons_own_but_for_division_by_zero(
    op: str, left: int, right: int, value: int
) -> None:
    assert operate(op, left, right) == value
    assert kind_of(operate(op, left, right)) is None


@pytest.mark.parametrize(
    ("op", "left", "right"),
    [("+", n(s32, 1), n(u32, 1)), ("*", n(u64, 1), n(s64, 1)), ("//", n(u32, 1), -2)],
)
def test_what_the_compiler_refuses_is_a_type_error(op: str, left: int, right: int) -> None:
    with pytest.raises(TypeError, match="do not mix"):
        operate(op, left, right)


def test_operators_of_a_number_are_the_operations() -> None:
    top = n(u32, 0xFFFFFFFF)
    assert (top + 1, 1 + top, top << 1, -top, ~top, +top) == (0, 0, 0xFFFFFFFE, 1, 0, 0xFFFFFFFF)
    assert {kind_of(made) for made in (top + 1, 1 - top, -top, ~top, +top)} == {u32}
    assert 5 - n(s8, 7) == -2
    with pytest.raises(TypeError, match="use //"):
        top / 2


def test_a_cast_has_a_type_too() -> None:
    assert kind_of(u8(300)) is u8
    assert operate("+", u32(0xFFFFFFFF), 1) == 0
