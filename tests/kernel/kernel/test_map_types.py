"""The kernel knows the types in maps, field by field: other tools print them, and pins are compared by them."""

import pytest

from skep.kernel.bpf import DOOR
from skep.kernel.described import differences
from skep.kernel.layouts import Kind
from skep.kernel.maps import Map
from skep.kernel.pinned import look
from skep.lang.layout import bits
from skep.lang.prefixes import Prefix4, Prefix6
from skep.lang.spec import MapSpec, MapType
from skep.lang.special import SpinLock, Timer
from skep.lang.struct import Struct, StructType, Union
from skep.lang.types import be16, be32, be64, char, s8, s16, s32, s64, u8, u16, u32, u64


class Numbers(Struct):
    a: u8
    b: u16
    c: u32
    d: u64
    e: s8
    f: s16
    g: s32
    h: s64
    i: be16
    j: be32
    k: be64


class Inner(Struct):
    text: char[5]
    bytes: u8[3]
    words: be16[4]


class Flags(Struct):
    version: u8 = bits(4)
    length: u8 = bits(4)
    wide: s32 = bits(20)
    rest: s32 = bits(12)
    after: u16


class Either(Union):
    number: u64
    words: u16[4]
    inner: Flags


class Value(Struct):
    numbers: Numbers
    inner: Inner
    many: Inner[2]  # type: ignore[type-arg, valid-type] # an array to us, not a generic
    lock: SpinLock
    timer: Timer


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        (MapType.HASH, u32, Value),
        (MapType.HASH, Numbers, Inner),
        (MapType.ARRAY, u32, Value),
        (MapType.HASH, u8[16], char[16]),
        (MapType.HASH, Flags, Either),
        (MapType.ARRAY, u32, Flags),
        (MapType.LPM_TRIE, Prefix4, u64),
        (MapType.LPM_TRIE, Prefix6, Inner),
        (MapType.BLOOM_FILTER, None, Numbers),
        (MapType.SK_STORAGE, s32, Numbers),
    ],
)
def test_every_field_has_its_name_place_and_type(
    kind: MapType, key: Kind | None, value: Kind
) -> None:
    entries = 0 if kind is MapType.SK_STORAGE else 4
    flags = 1 if kind in (MapType.SK_STORAGE, MapType.LPM_TRIE) else 0
    with Map.create(MapSpec("skep_probe", kind, key, value, entries, flags)) as made:
        found = look(made.fd, DOOR)
        assert list(differences(found.key, key, "key")) == []
        assert list(differences(found.value, value, "value")) == []
        if isinstance(value, StructType):
            assert repr(found.value) == value.__name__


def test_bit_fields_and_unions_are_keys_and_values() -> None:
    with Map.create(MapSpec("skep_probe", MapType.HASH, Flags, Either, 4)) as made:
        key = Flags(version=15, length=3, wide=-(1 << 19), rest=7, after=9)
        made[key] = Either(words=[1, 2, 3, 4])
        assert made[key].number == 0x0004000300020001
        assert next(iter(made)) == key
        with pytest.raises(ValueError, match=r"key.version has 4 bits, from 0 to 15, not 16"):
            made[Flags(version=16)] = Either()
        with pytest.raises(ValueError, match=r"key.wide has 20 bits, from -524288 to 524287"):
            made[Flags(wide=1 << 19)] = Either()


class Moved(Struct):
    version: u8 = bits(3)
    length: u8 = bits(4)
    wide: s32
    rest: s32
    after: u16


class Both(Struct):
    number: u64
    words: u16[4]
    inner: Flags


def test_bit_fields_and_unions_that_differ_are_told() -> None:
    found = list(differences(Flags, Moved, "value"))
    assert found[0] == "value.version is 4 bits from bit 0 on instead of 3 bits from bit 0 on"
    assert found[1] == "value.length is 4 bits from bit 4 on instead of 4 bits from bit 3 on"
    assert list(differences(Either, Both, "value")) == ["value is a union instead of a struct"]
