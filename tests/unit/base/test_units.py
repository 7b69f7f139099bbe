"""Bytes and durations as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.base.errors import BadInput
from skep.base.units import bytes_text, count_text, nanos_text, parse_bytes, parse_duration


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("4096", 4096),
        ("64MiB", 64 << 20),
        ("64 M", 64 << 20),
        ("64MB", 64_000_000),
        ("1.5k", 1536),
        ("2gib", 2 << 30),
        ("1 TiB", 1 << 40),
    ],
)
def test_sizes(text: str, value: int) -> None:
    assert parse_bytes(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10 * 10**9),
        ("10s", 10 * 10**9),
        ("0.25s", 250_000_000),
        ("250ms", 250_000_000),
        ("1m30s", 90 * 10**9),
        ("1h 2m", 3720 * 10**9),
        ("7us", 7_000),
        ("3ns", 3),
        ("1d", 86_400 * 10**9),
    ],
)
def test_durations(text: str, value: int) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "x", "-1s", "1..5s", "5 parsecs", "1s!", "1m30", "٣s"])
def test_what_is_no_duration_names_its_place(text: str) -> None:
    with pytest.raises(BadInput, match=r"--for: .* is not understood; write a duration"):
        parse_duration(text, "--for")


@pytest.mark.parametrize("text", ["", "12XB", "1e3", "-5", "0x10"])
def test_what_is_no_size_names_its_place(text: str) -> None:
    with pytest.raises(BadInput, match=r"ring: .* is not understood; write a size"):
        parse_bytes(text, "ring")


def test_readable_text() -> None:
    assert [bytes_text(n) for n in (0, 1023, 1024, 1536, 64 << 20, 5 << 40)] == [
        "0 B",
        "1023 B",
        "1 KiB",
        "1.5 KiB",
        "64 MiB",
        "5 TiB",
    ]
    assert [nanos_text(n) for n in (850, 1_500, 12_000_000, 3_200_000_000)] == [
        "850 ns",
        "1.5 us",
        "12 ms",
        "3.2 s",
    ]
    assert [nanos_text(s * 10**9) for s in (150, 18_060, -150)] == ["2m30s", "5h01m", "-2m30s"]
    assert count_text(1234567) == "1,234,567"


def test_a_scaled_number_never_rounds_up_to_a_whole_next_unit() -> None:
    assert bytes_text((1 << 20) - 1) == "1 MiB"
    assert nanos_text(999_999) == "1 ms"


PART = st.tuples(st.integers(0, 10**6), st.sampled_from(["d", "h", "m", "s", "ms", "us", "ns"]))


@given(st.lists(PART, min_size=1, max_size=4))
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    text = " ".join(f"{count}{unit}" for count, unit in parts)
    assert parse_duration(text) == sum(parse_duration(f"{n}{unit}") for n, unit in parts)
    assert parse_duration(text.replace(" ", "").upper()) == parse_duration(text)


@given(st.integers(0, 1 << 45), st.integers(0, 10**16))
def test_what_is_shown_is_read_as_about_the_same(count: int, ns: int) -> None:
    """A number of one decimal is at most 5 % away; from hours on the seconds are left out."""
    assert parse_bytes(bytes_text(count)) == pytest.approx(count, rel=0.05)
    assert parse_duration(nanos_text(ns)) == pytest.approx(ns, rel=0.05)


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_bad_input(text: str) -> None:
    for parse in (parse_bytes, parse_duration):
        try:
            assert parse(text) >= 0
        except BadInput as error:
            assert repr(text) in str(error)  # noqa: PT017 - either outcome is right
