"""What is written into a live map is written as it is, or refused: nothing is cut, wrapped around or filled up."""

import ipaddress

import pytest

from skep.kernel.layouts import Kind
from skep.lang.exact import exact
from skep.lang.prefixes import Prefix4, Prefix6, from_key, to_key
from skep.lang.struct import Struct, unpack
from skep.lang.types import be16, char, s16, u8, u32, u64


class Port(Struct):
    number: be16
    kind: u8


class Flow(Struct):
    port: Port
    name: char[4]
    sizes: u8[3]
    total: u64


GOOD = Flow(port=Port(443, 1), name="eth", sizes=[1, 2, 3], total=2**64 - 1)


def test_what_fits_comes_back_as_it_was() -> None:
    assert unpack(Flow, exact(Flow, GOOD, "m: value")) == GOOD
    assert exact(u8[3], b"abc", "m: value") == b"abc"
    assert exact(char[4], b"abcd", "m: value") == b"abcd"
    assert exact(char[4], "", "m: value") == bytes(4)


@pytest.mark.parametrize(
    ("kind", "value", "error", "text"),
    [
        (u32, -1, ValueError, "x is a u32, from 0 to 4294967295, not -1"),
        (s16, 32768, ValueError, "x is a s16, from -32768 to 32767, not 32768"),
        (be16, 1 << 16, ValueError, "x is a be16, from 0 to 65535, not 65536"),
        (u32, 1.0, TypeError, r"x is a u32, an integer, not 1.0 \(float\)"),
        (u32, "1", TypeError, r"x is a u32, an integer, not '1' \(str\)"),
        (u32, None, TypeError, "not None"),
        (u32, u32, TypeError, "not the type u32"),
        (char[4], "abcde", ValueError, "x takes 4 bytes of text, not 5"),
        (char[4], "äöü", ValueError, "x takes 4 bytes of text, not 6"),
        (char[4], "a\0b", ValueError, "there is one within 'a.x00b'"),
        (char[4], 7, TypeError, "x is text of 4 bytes"),
        (u8[3], [1, 2], ValueError, r"x is a u8\[3\]: it takes 3 elements, not 2"),
        (u8[3], [1, 2, 256], ValueError, r"x\[2\] is a u8, from 0 to 255, not 256"),
        (u8[3], "abc", TypeError, r"x is a u8\[3\], a sequence of 3"),
        (Port, (1, 2), TypeError, r"x is a Port, not \(1, 2\) \(tuple\); make one: Port\(number="),
        (Flow, Flow(port=Port(1 << 16)), ValueError, "x.port.number is a be16"),
        (Flow, Flow(name="abcdef"), ValueError, "x.name takes 4 bytes"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(
    kind: Kind, value: object, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        exact(kind, value, "x")


def test_a_long_value_is_shown_in_part() -> None:
    with pytest.raises(TypeError) as caught:
        exact(u32, "a" * 1000, "x")
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("kind", "text"), [(Prefix4, "10.1.0.0/16"), (Prefix6, "2001:db8::/32"), (Prefix4, "0.0.0.0/0")]
)
def test_a_network_is_a_key_and_a_key_a_network(kind: type[Prefix4 | Prefix6], text: str) -> None:
    network = ipaddress.ip_network(text)
    key = to_key(kind, network)
    assert (type(key), key.bits) == (kind, network.prefixlen)
    assert from_key(kind, unpack(kind, exact(kind, key, "x"))) == network


@pytest.mark.parametrize(("at", "wrong"), [(0, -1), (2, 256), (1, "1"), (1, 1.0), (2, None)])
def test_the_element_that_does_not_fit_is_named(at: int, wrong: object) -> None:
    values: list[object] = [1, 2, 3]
    values[at] = wrong
    with pytest.raises((TypeError, ValueError), match=rf"x\[{at}\] is a u8"):
        exact(u8[3], values, "x")
    assert exact(u8[3], [True, 255, 0], "x") == exact(u8[3], b"\x01\xff\0", "x") == b"\x01\xff\0"


def test_an_address_is_the_prefix_of_its_whole_length() -> None:
    assert to_key(Prefix4, ipaddress.ip_address("10.1.2.3")) == Prefix4(32, 0x0A010203)
    assert to_key(Prefix6, ipaddress.ip_address("::1")).bits == 128


def test_a_network_of_the_other_family_is_refused() -> None:
    with pytest.raises(ValueError, match="IPv4 prefixes, not ::/0"):
        to_key(Prefix4, ipaddress.ip_network("::/0"))


def test_other_keys_stay_as_they_are() -> None:
    assert to_key(u32, 5) == 5
    assert to_key(Prefix4, Prefix4(8, 1)) == Prefix4(8, 1)
    assert from_key(Port, Port(1, 2)) == Port(1, 2)
