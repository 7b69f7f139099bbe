"""Protocol buffers, against bytes of the specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.node.runtimes import protobuf as pb


def test_the_examples_of_the_specification() -> None:
    assert pb.decode(bytes.fromhex("089601")) == {1: [150]}
    assert pb.decode(bytes.fromhex("120774657374696e67")) == {2: [b"testing"]}
    assert pb.decode(bytes.fromhex("1a03089601")) == {3: [b"\x08\x96\x01"]}
    assert pb.encode(1, 150) == bytes.fromhex("089601")
    assert pb.encode(2, "testing") == bytes.fromhex("120774657374696e67")


def test_fixed_fields_are_passed_over_and_repeated_ones_kept_in_order() -> None:
    data = bytes.fromhex("09") + bytes(8) + bytes.fromhex("15") + bytes(4) + pb.encode(3, "a")
    assert pb.text(pb.decode(data + pb.encode(3, "b")), 3) == "b"
    assert pb.decode(pb.encode(3, 1) + pb.encode(3, 300)) == {3: [1, 300]}


@pytest.mark.parametrize(
    "data", ["08", "0a05", "0a0561", "0b", "0c", "08ffffffffffffffffffffff", "0d00", "80"]
)
def test_what_is_cut_or_unknown_is_an_error(data: str) -> None:
    with pytest.raises(ValueError):
        pb.decode(bytes.fromhex(data))


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    try:
        fields = pb.decode(data)
    except ValueError:
        return
    for number in fields:
        assert isinstance(pb.text(fields, number), str)
        assert isinstance(pb.integer(fields, number), int)


@given(st.integers(1, 1 << 20), st.integers(0, (1 << 63) - 1), st.text())
def test_what_is_written_is_read(number: int, value: int, text: str) -> None:
    fields = pb.decode(pb.encode(number, value) + pb.encode(number + 1, text))
    assert pb.integer(fields, number) == value
    assert pb.text(fields, number + 1) == text
