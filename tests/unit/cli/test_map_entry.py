"""Keys and values of a map as people write them: as they are shown, as JSON, or in hexadecimal."""

import pytest

from skep.cli.map_entry import parsed
from skep.kernel.layouts import Kind
from skep.lang.struct import Struct
from skep.lang.types import ArrayType, be16, char, u8, u32, u64


class End(Struct):
    """An end of a flow."""

    address: u32
    port: be16


class Flow(Struct):
    """A key with parts."""

    source: End
    counts: u64[3]
    name: char[8]


OCTETS = ArrayType(u8, 4)


@pytest.mark.parametrize(
    ("kind", "word", "value"),
    [
        (u32, "7", 7),
        (u32, "0x10", 16),
        (ArrayType(char, 8), "bash -x", "bash -x"),
        (OCTETS, "7f 00 00 01", [127, 0, 0, 1]),
        (OCTETS, "258", [2, 1, 0, 0]),
        (OCTETS, "[1, 2, 3, 4]", [1, 2, 3, 4]),
        (ArrayType(u64, 2), "[1, 2]", [1, 2]),
        (End, "address=0x7f000001 port=443", End(0x7F000001, 443)),
        (End, '{"port": 443}', End(port=443)),
        (Flow, "counts=[1, 2, 3] name=web", Flow(counts=[1, 2, 3], name="web")),
        (
            Flow,
            '{"source": {"address": 1, "port": 2}, "name": "web"}',
            Flow(source=End(1, 2), name="web"),
        ),
    ],
)
def test_a_word_is_a_value_of_its_type(kind: Kind, word: str, value: object) -> None:
    assert parsed(kind, word) == value


@pytest.mark.parametrize("word", ["-1", "4294967296", "no bytes", "1 2 3"])
def test_what_does_not_fill_bytes_is_left_to_be_refused(word: str) -> None:
    assert not isinstance(parsed(OCTETS, word), list)
