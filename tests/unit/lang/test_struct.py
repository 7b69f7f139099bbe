import copy
import io
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.events.record import Record
from skep.lang.exact import exact
from skep.lang.layout import bits
from skep.lang.raw_text import RawText
from skep.lang.struct import Struct, StructType, Union, pack, unpack
from skep.lang.types import INTEGERS, IntType, be16, be32, char, s8, s32, u8, u16, u32, u64


class Inner(Struct):
    """A struct inside another."""

    low: u8
    high: u32


class Outer(Struct):
    """All kinds of members."""

    flag: u8
    port: be16
    word: u64
    name: char[5]
    sizes: u16[3]
    inner: Inner
    pair: Inner[2]  # type: ignore[type-arg, valid-type]
    last: s8


def test_members_lie_as_in_c() -> None:
    assert [(f.name, f.offset) for f in Outer.fields] == [
        ("flag", 0),
        ("port", 2),
        ("word", 8),
        ("name", 16),
        ("sizes", 22),
        ("inner", 28),
        ("pair", 36),
        ("last", 52),
    ]
    assert (Outer.size, Outer.align, Inner.size, Inner.align) == (56, 8, 8, 4)


class Long(Struct, packed=True):
    """What a QUIC packet begins with."""

    form: u8 = bits(1)
    rest: u8 = bits(7)
    version: be32
    length: u8
    id: u8[3]


class Behind(Struct, packed=True):
    """Packed ones in a packed one."""

    first: u8
    heads: Long[2]  # type: ignore[type-arg, valid-type]
    sum: u64


def test_members_of_a_packed_struct_follow_one_another() -> None:
    assert [(f.name, f.offset) for f in Long.fields if f.bits is None] == [
        ("version", 1),
        ("length", 5),
        ("id", 6),
    ]
    assert (Long.size, Long.align, Behind.size, Behind.align) == (9, 1, 27, 1)
    made = Behind(1, [Long(1, 2, 3, 4, [5, 6, 7]), Long(version=9)], 8)
    assert made.to_bytes()[1:10] == b"\x05\0\0\0\x03\x04\x05\x06\x07"
    assert Behind.from_bytes(made.to_bytes()) == made
    row = np.frombuffer(made.to_bytes(), Behind.dtype)[0]
    assert (row["heads"]["version"].tolist(), row["sum"]) == ([3, 9], 8)


def test_bit_fields_of_a_packed_struct_are_parts_of_bytes() -> None:
    parts = {"__annotations__": {"wide": u32}, "wide": bits(4)}
    with pytest.raises(
        TypeError, match="wide: the bit fields of a packed Struct are parts of a u8"
    ):
        StructType("Bad", (Struct,), parts, packed=True)


def test_the_dtype_has_the_same_layout() -> None:
    assert Outer.dtype.itemsize == Outer.size
    assert {n: Outer.dtype.fields[n][1] for n in Outer.dtype.names} == {
        f.name: f.offset for f in Outer.fields
    }
    made = Outer(flag=1, port=80, word=1 << 60, name="abc", sizes=[1, 2, 3], last=-1)
    row = np.frombuffer(made.to_bytes(), Outer.dtype)[0]
    assert (row["port"], row["name"], list(row["sizes"]), row["last"]) == (
        80,
        b"abc",
        [1, 2, 3],
        -1,
    )


def test_bytes_come_back_as_what_they_were_made_of() -> None:
    made = Outer(1, 80, 5, "abc", [1, 2, 3], Inner(1, 2), [Inner(3, 4), Inner(5, 6)], -1)
    assert Outer.from_bytes(made.to_bytes()) == made
    assert Outer.from_bytes(memoryview(made.to_bytes() + b"more")).pair[1].high == 6  # type: ignore[index]


def test_what_is_not_given_is_zero() -> None:
    made = Outer()
    assert made.to_bytes() == bytes(56)
    assert (made.name, made.sizes, made.inner) == ("", [0, 0, 0], Inner(0, 0))


def test_numbers_wrap_around_and_text_is_cut() -> None:
    made = Outer.from_bytes(Outer(flag=257, port=-1, name="abcdefgh").to_bytes())
    assert (made.flag, made.port, made.name) == (1, 65535, "abcde")


@pytest.mark.parametrize("kind", [one for one in INTEGERS if one is not char], ids=repr)
def test_an_array_of_numbers_is_its_numbers_one_by_one(kind: IntType) -> None:
    for values in ([kind.low, 1, kind.high], [kind.low - 1, kind.high + 5, -1]):
        packed = pack(kind[3], values)
        assert packed == b"".join(pack(kind, value) for value in values)
        assert unpack(kind[3], packed) == [kind.wrap(value) for value in values]


class Named(Struct):
    number: u32
    name: char[8]


class Group(Struct):
    first: Named
    others: Named[2]  # type: ignore[type-arg, valid-type]


CUT = "Käse".encode()[:2] + b"\0lds\xff"
"""A letter that was cut in two, and what was there before."""


def test_text_that_is_no_utf8_reads_as_in_json_and_is_written_back_as_it_was() -> None:
    data = bytes(4) + CUT.ljust(8, b"\0")
    found = Named.from_bytes(data)
    assert (str(found.name), found.name == "K\\xc3", len(found.name)) == ("K\\xc3", True, 5)
    assert found.to_bytes() == data
    assert Group.from_bytes(data * 3).to_bytes() == data * 3
    assert copy.deepcopy(found).to_bytes() == data
    assert isinstance(found.name, RawText)
    assert pickle.loads(pickle.dumps(found.name)).raw == found.name.raw == CUT


def test_what_stands_behind_the_nul_of_a_text_is_kept_and_not_compared() -> None:
    data = bytes(4) + b"ab\0rest\0"
    found = Named.from_bytes(data)
    assert found.to_bytes() == data
    assert found == Named(0, "ab")
    assert hash(found) == hash(Named(0, "ab"))
    assert Group.from_bytes(data * 3) == Group(Named(0, "ab"), [Named(0, "ab"), Named(0, "ab")])
    assert found != Named(0, "abr")


def test_text_goes_into_a_smaller_field_as_it_reads() -> None:
    name = Named.from_bytes(bytes(4) + b"ab\0rest\0").name
    assert pack(char[4], name) == exact(char[4], name, "x") == b"ab\0\0"
    assert exact(char[8], name, "x") == b"ab\0rest\0"
    with pytest.raises(ValueError, match="takes 1 bytes of text, not 2"):
        exact(char[1], name, "x")


def test_ordinary_text_is_a_plain_str() -> None:
    assert type(Named.from_bytes(bytes(4) + "Käse".encode().ljust(8, b"\0")).name) is str


@given(st.binary(min_size=12, max_size=12))
def test_no_bytes_change_between_reading_and_writing(data: bytes) -> None:
    found = Named.from_bytes(data)
    assert found.to_bytes() == data
    assert exact(Named, found, "x") == data
    print(found.name, file=io.TextIOWrapper(io.BytesIO(), "utf-8"))


def test_a_struct_that_is_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 56 bytes, not 55"):
        Outer.from_bytes(bytes(55))


def test_a_subclass_goes_on_where_its_base_ends() -> None:
    class More(Inner):
        extra: u8

    assert [(f.name, f.offset) for f in More.fields] == [("low", 0), ("high", 4), ("extra", 8)]
    assert More.size == 12


def test_a_size_pads_and_never_cuts() -> None:
    class Padded(Struct, size=64):
        word: u32

    assert (Padded.size, len(Padded(5).to_bytes())) == (64, 64)
    with pytest.raises(TypeError, match="has 4 bytes, more than the 2"):

        class Cut(Struct, size=2):
            word: u32


def test_a_field_without_a_fixed_size_is_refused_where_it_is_declared() -> None:
    with pytest.raises(TypeError, match=r"Wrong\.n: <class 'int'> is not a fixed-size type"):

        class Wrong(Struct):
            n: int


def test_an_unknown_or_surplus_value_is_refused() -> None:
    with pytest.raises(TypeError, match="Inner has no field 'middle'"):
        Inner(middle=1)
    with pytest.raises(TypeError, match="Inner has 2 fields, not 3"):
        Inner(1, 2, 3)


def test_structs_are_equal_by_class_and_bytes() -> None:
    class Twin(Struct):
        low: u8
        high: u32

    assert Inner(1, 2) == Inner(257, 2)
    assert Inner(1, 2) != Twin(1, 2)
    assert hash(Inner(1, 2)) == hash(Inner(1, 2))
    assert repr(Inner(1, 2)) == "Inner(low=1, high=2)"


def test_values_are_packed_by_their_type() -> None:
    assert pack(be32, 1) == b"\0\0\0\1"
    assert pack(u16[2], [1, 2]) == b"\1\0\2\0"
    assert unpack(s32, b"\xff\xff\xff\xff") == -1
    assert unpack(char[4], b"ab\0c") == "ab"


@given(st.sampled_from(INTEGERS), st.integers(-(1 << 70), 1 << 70))
def test_a_number_is_stored_modulo_its_width(kind: IntType, value: int) -> None:
    assert unpack(kind, pack(kind, value)) == kind.wrap(value)


@given(st.lists(st.sampled_from(INTEGERS), min_size=1, max_size=8))
def test_every_layout_is_naturally_aligned_without_overlap(kinds: list[IntType]) -> None:
    space = {
        "__annotations__": {f"f{i}": kind for i, kind in enumerate(kinds)},
        "__module__": __name__,
    }
    made = StructType("Made", (Struct,), space)
    end = 0
    for field in made.fields:
        assert field.offset >= end
        assert field.offset % field.type.align == 0
        end = field.offset + field.type.size
    assert made.size % made.align == 0
    assert made.size - end < made.align


class Header(Struct):
    ihl: u8 = bits(4)
    version: u8 = bits(4)
    tos: u8
    flags: u16 = bits(3)
    offset: u16 = bits(13)


class Mixed(Struct):
    a: u32 = bits(20)
    b: u32 = bits(13)
    c: s8 = bits(3)
    d: u16
    e: u64 = bits(40)


class Address(Union):
    v4: be32
    v6: u8[16]
    words: u16[3]


class Peer(Struct):
    port: u16
    address: Address


def test_bit_fields_fill_their_unit_from_the_lowest_bit() -> None:
    found = [(f.name, f.offset, f.bits and (f.bits.shift, f.bits.width)) for f in Header.fields]
    assert Header.size == 4
    assert found == [
        ("ihl", 0, (0, 4)),
        ("version", 0, (4, 4)),
        ("tos", 1, None),
        ("flags", 2, (0, 3)),
        ("offset", 2, (3, 13)),
    ]
    made = Header(version=4, ihl=5, flags=2, offset=0x1FFF)
    assert made.to_bytes() == b"\x45\0\xfa\xff"
    assert Header.from_bytes(b"\x45\x07\xfa\xff").offset == 0x1FFF


def test_a_bit_field_that_does_not_fit_begins_the_next_unit() -> None:
    places = [(f.name, f.offset, f.bits.shift if f.bits else None) for f in Mixed.fields]
    assert places == [("a", 0, 0), ("b", 4, 0), ("c", 5, 5), ("d", 6, None), ("e", 8, 0)]
    assert (Mixed.size, Mixed.align) == (16, 8)
    assert Mixed.from_bytes(Mixed(a=-1, c=-3, e=1 << 39).to_bytes()).c == -3


def test_numpy_sees_the_units_of_bit_fields() -> None:
    assert Header.dtype.names == ("_bits0", "tos", "_bits2")
    assert Header.dtype.itemsize == 4


def test_the_fields_of_a_union_share_their_bytes() -> None:
    assert [f.offset for f in Address.fields] == [0, 0, 0]
    assert (Address.size, Address.align, Peer.size) == (16, 4, 20)
    address = Address(v4=0x0A000001)
    assert address.v6[:4] == [10, 0, 0, 1]
    address.words = [0x201, 0, 7]
    assert (address.v4, address.v6[4]) == (0x01020000, 7)
    peer = Peer(port=5, address=address)
    assert Peer.from_bytes(peer.to_bytes()) == peer
    assert dict(Address.from_bytes(bytes(16)))["v4"] == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Address(v4=1, v6=[0] * 16), "made of one field"),
        (lambda: Address(v5=1), "no field 'v5'"),
        (lambda: Address.from_bytes(b""), "takes 16 bytes"),
        (
            lambda: type("Odd", (Struct,), {"__annotations__": {"a": be32}, "a": bits(3)}),
            "bit field",
        ),
        (
            lambda: type("Wide", (Struct,), {"__annotations__": {"a": u8}, "a": bits(9)}),
            "of 9 bits",
        ),
        (lambda: type("Event", (Record,), {"__annotations__": {"a": u8}, "a": bits(3)}), "whole"),
    ],
)
def test_what_is_no_layout_is_said(make: Callable[[], object], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        make()
