"""Variables of programs as attributes, on mapped memory. Against the fake kernel."""

from copy import copy

import numpy as np
import pytest

from skep.kernel.maps import Map
from skep.kernel.variables import LiveGlobal
from skep.lang.layout import bits
from skep.lang.spec import MapType
from skep.lang.struct import Struct, Union
from skep.lang.types import be16, char, s8, u8, u16, u32, u64
from skep.testing.door import FakeDoor
from tests.unit.kernel.samples import live


class Inner(Struct):
    port: be16
    flags: u8[3]


class Either(Union):
    number: u32
    halves: u16[2]


class State(Struct):
    hits: u64
    low: s8
    inner: Inner
    name: char[5]
    each: Inner[2]  # type: ignore[type-arg, valid-type] # an array to us, not a generic
    info: u32
    sizes: u16[2]
    high: s8 = bits(3)
    deep: s8 = bits(5)
    either: Either


@pytest.fixture
def held() -> Map:
    return live(FakeDoor(), MapType.ARRAY, u32, State, entries=1, flags=1 << 10)


@pytest.fixture
def state(held: Map) -> LiveGlobal:
    return LiveGlobal(held, constant=False)


def test_what_is_written_is_in_the_map_and_the_other_way(held: Map, state: LiveGlobal) -> None:
    state.hits = 1 << 63
    state.low = -5
    state.inner.port = 443
    state.inner.flags[2] = 7
    state.name = "hello"
    state.each[1] = Inner(80, [1, 2, 3])
    state.each[0].flags = [4, 5, 6]
    state.sizes = [8, 9]
    wanted = State(1 << 63, -5, Inner(443, [0, 0, 7]), "hello")
    wanted.each = [Inner(0, [4, 5, 6]), Inner(80, [1, 2, 3])]  # type: ignore[assignment] # an array
    wanted.sizes = [8, 9]
    assert held[0] == state[0] == copy(state) == wanted
    held[0] = State(hits=3, inner=Inner(5))
    assert (state.hits, state.low, state.inner.port, state.name) == (3, 0, 5, "")
    assert (copy(state.inner), copy(state.sizes), len(state.each)) == (Inner(5), [0, 0], 2)
    assert state.sizes == [0, 0]


def test_bit_fields_and_unions_are_variables_too(held: Map, state: LiveGlobal) -> None:
    state.deep = -16
    state.high = 3
    state.either.halves = [1, 2]
    assert (state.high, state.deep, state.either.number) == (3, -16, 0x20001)
    assert (held[0].high, held[0].deep, held[0].either.number) == (3, -16, 0x20001)
    with pytest.raises(ValueError, match=r"m.high has 3 bits, from -4 to 3, not 4"):
        state.high = 4
    assert (state.high, state.deep) == (3, -16)


def test_a_field_goes_before_what_a_map_has(held: Map, state: LiveGlobal) -> None:
    state.info = 9
    assert state.info == 9
    assert held.info().entries == state.spec.entries == 1
    assert dict(state.items()) == {0: held[0]}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("hits", -1, "m.hits is a u64, from 0"),
        ("low", 128, "m.low is a s8, from -128 to 127, not 128"),
        ("name", "longer", "m.name takes 5 bytes"),
        ("inner", Inner(1 << 16), "m.inner.port is a be16"),
        ("sizes", [1], r"m.sizes is a u16\[2\]: it takes 2 elements, not 1"),
    ],
)
def test_what_does_not_fit_changes_nothing(
    state: LiveGlobal, name: str, value: object, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        setattr(state, name, value)
    assert state[0] == State()


def test_what_is_not_there_is_named(state: LiveGlobal) -> None:
    with pytest.raises(AttributeError, match="m has no variable 'hit'; it has hits, low, inner"):
        assert state.hit
    with pytest.raises(AttributeError, match=r"m.inner has no variable 'x'"):
        state.inner.x = 5
    for array, index in ((state.sizes, 2), (state.each, -1)):
        with pytest.raises(IndexError, match="has elements 0 to 1, not"):
            assert array[index]


def test_a_constant_is_read_only(held: Map) -> None:
    held[0] = State(hits=5)
    constant = LiveGlobal(held, constant=True)
    assert constant.hits == 5
    with pytest.raises(TypeError, match=r"m is constant.*initial="):
        constant.hits = 6
    assert held[0].hits == 5


def test_what_a_view_shows_goes_into_another_place(state: LiveGlobal) -> None:
    state.inner = Inner(443, [1, 2, 3])
    state.each[1] = state.inner
    state.inner.port = 80
    assert copy(state.each[1]) == Inner(443, [1, 2, 3])
    assert list(copy(state.each[1].flags)) == [1, 2, 3]


def test_an_array_is_seen_in_place_by_numpy(state: LiveGlobal) -> None:
    state.sizes = [8, 9]
    seen = np.asarray(state.sizes)
    seen[1] += 5
    assert (seen.tolist(), list(state.sizes)) == ([8, 14], [8, 14])
    apart = np.array(state.sizes, "u4")
    apart[0] = 0
    assert list(state.sizes) == [8, 14]


def test_the_variables_are_listed(state: LiveGlobal) -> None:
    assert dir(state) == sorted(field.name for field in State.fields)
