"""Bytes become the values that their type says, whoever wrote the type."""

import struct

import pytest

from skep.btf.reader import Btf
from skep.btf.types import Kind, Member, Section
from skep.btf.values import value_of
from skep.btf.writer import Builder


@pytest.fixture
def make() -> Builder:
    return Builder()


def test_integers_have_a_sign_where_their_type_has_one(make: Builder) -> None:
    unsigned, signed, truth = (
        make.integer("u16", 2),
        make.integer("s16", 2, signed=True),
        make.boolean(),
    )
    btf = Btf(make.build())
    assert value_of(btf, unsigned, b"\xfe\xff") == 0xFFFE
    assert value_of(btf, signed, b"\xfe\xff") == -2
    assert value_of(btf, truth, b"\x01") is True


def test_an_array_of_char_is_text_up_to_its_end_and_other_arrays_are_lists(make: Builder) -> None:
    number, char, named = (
        make.integer("u16", 2),
        make.integer("char", 1, char=True),
        make.integer("char", 1),
    )
    byte = make.integer("unsigned char", 1)
    arrays = [make.array(kind, number, 4) for kind in (char, named, byte, number)]
    btf = Btf(make.build())
    assert value_of(btf, arrays[0], b"ab\0d") == "ab"
    assert value_of(btf, arrays[1], b"abcd") == "abcd"
    assert value_of(btf, arrays[2], b"ab\0d") == [97, 98, 0, 100]
    assert value_of(btf, arrays[3], struct.pack("<4H", 1, 2, 3, 65535)) == [1, 2, 3, 65535]


def test_a_struct_has_its_fields_by_name_those_of_anonymous_members_too(make: Builder) -> None:
    u32 = make.integer("u32", 4)
    pair = make.struct("", 8, [Member("low", u32, 0), Member("high", u32, 32)])
    either = make.union("", 8, [Member("first", u32, 0), Member("", pair, 0)])
    whole = make.struct("whole", 12, [Member("id", u32, 0), Member("", either, 32)])
    alias = make.typedef("whole_t", make.qualified(Kind.CONST, whole))
    found = value_of(Btf(make.build()), alias, struct.pack("<III", 7, 1, 2))
    assert found == {"id": 7, "first": 1, "low": 1, "high": 2}


def test_bit_fields_are_cut_out_and_keep_their_sign(make: Builder) -> None:
    u32, s32 = make.integer("u32", 4), make.integer("int", 4, signed=True)
    members = [Member("a", u32, 0, 3), Member("b", u32, 3, 7), Member("c", s32, 30, 2)]
    flags = make.struct("flags", 4, members)
    word = 0b101 | 0b1100110 << 3 | 0b10 << 30
    found = value_of(Btf(make.build()), flags, struct.pack("<I", word))
    assert found == {"a": 0b101, "b": 0b1100110, "c": -2}


def test_enumerations_are_names_and_pointers_hexadecimal(make: Builder) -> None:
    reason = make.enum("reason", [("NONE", 0), ("FULL", 2)])
    wide = make.enum64("wide", [("HUGE", 1 << 40)])
    pointer = make.ptr(reason)
    btf = Btf(make.build())
    assert value_of(btf, reason, struct.pack("<I", 2)) == "FULL"
    assert value_of(btf, reason, struct.pack("<I", 5)) == 5
    assert value_of(btf, wide, struct.pack("<Q", 1 << 40)) == "HUGE"
    assert value_of(btf, pointer, struct.pack("<Q", 0xFFFF888000000000)) == "0xffff888000000000"


def test_what_has_no_value_is_none() -> None:
    assert value_of(Btf(Builder().build()), 0, b"") is None


def test_numbers_in_network_order_are_those_that_they_stand_for(make: Builder) -> None:
    u16 = make.integer("u16", 2)
    port = make.typedef("port_t", make.qualified(Kind.CONST, make.typedef("__be16", u16)))
    ends = make.struct("ends", 4, [Member("to", port, 0), Member("plain", u16, 16)])
    assert value_of(Btf(make.build()), ends, b"\x01\xbb\x01\xbb") == {"to": 443, "plain": 0xBB01}


def test_a_section_has_its_variables_by_name(make: Builder) -> None:
    u32, flag = make.integer("u32", 4), make.boolean()
    places = (Section(make.var("pid", u32), 0, 4), Section(make.var("quiet", flag), 8, 1))
    section = make.datasec(".rodata", 12, places)
    data = struct.pack("<IIB3x", 7, 0, 1)
    assert value_of(Btf(make.build()), section, data) == {"pid": 7, "quiet": True}
