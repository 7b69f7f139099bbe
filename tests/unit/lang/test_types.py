import pytest

from skep.lang.types import (
    INTEGERS,
    IntType,
    be16,
    be32,
    be64,
    char,
    s8,
    s16,
    s32,
    s64,
    u8,
    u16,
    u32,
    u64,
)


@pytest.mark.parametrize(
    ("kind", "value", "wrapped"),
    [
        (u8, 300, 44),
        (u8, -1, 255),
        (s8, 128, -128),
        (s8, -129, 127),
        (u16, 1 << 16, 0),
        (s16, 0x8000, -0x8000),
        (u32, -1, 0xFFFFFFFF),
        (s32, 0x80000000, -0x80000000),
        (u64, 1 << 64, 0),
        (s64, (1 << 64) - 1, -1),
        (be16, 0x10050, 0x50),
        (char, 321, 65),
    ],
)
def test_a_cast_in_plain_python_wraps_around(kind: IntType, value: int, wrapped: int) -> None:
    assert kind(value) == wrapped
    assert kind.wrap(value) == wrapped


@pytest.mark.parametrize("kind", INTEGERS)
def test_a_type_knows_its_layout_and_range(kind: IntType) -> None:
    assert kind.size * 8 == kind.align * 8 == kind.bits
    assert (kind.high - kind.low + 1).bit_length() - 1 == kind.bits
    assert kind.low < 0 if kind.signed else kind.low == 0
    assert kind.wrap(kind.high + 1) == kind.low
    assert repr(kind) == kind.__name__


def test_numpy_codes_tell_sign_width_and_byte_order() -> None:
    assert [k.code for k in (u8, s16, be32, be64)] == ["<u1", "<i2", ">u4", ">u8"]
    assert [k.format for k in (u8, s16, u32, s64)] == ["B", "h", "I", "q"]


def test_an_array_type_is_equal_to_another_of_its_shape() -> None:
    assert u8[16] == u8[16]
    assert hash(u8[16]) == hash(u8[16])
    assert u8[16] != u8[8]
    assert u8[16] != char[16]
    assert u8[16] != 16


def test_an_array_type_knows_its_layout() -> None:
    assert (u16[5].size, u16[5].align, u16[5].count, repr(u16[5])) == (10, 2, 5, "u16[5]")


@pytest.mark.parametrize("count", [0, -1, True, "3", 1.5, None])
def test_an_array_has_a_positive_number_of_elements(count: object) -> None:
    with pytest.raises(TypeError, match="takes a positive number of elements"):
        u8[count]  # type: ignore[index]
