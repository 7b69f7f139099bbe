"""``--since`` as a person writes it: local times, words for days, durations, and what the API takes."""

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from skep.base.errors import BadInput
from skep.cli.since import parse

SECOND = 1_000_000_000
NOW = int(datetime.fromisoformat("2026-01-31T03:00:00+01:00").timestamp()) * SECOND + 5


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31 02:15", "2026-01-31T02:15:00+01:00"),
        ("2026-01-30T23:50:07", "2026-01-30T23:50:07+01:00"),
        ("2026-01-30", "2026-01-30T00:00:00+01:00"),
        ("2025-07-01 12:00", "2025-07-01T12:00:00+02:00"),
        ("02:59:59", "2026-01-31T02:59:59+01:00"),
        ("23:50", "2026-01-30T23:50:00+01:00"),
        ("today", "2026-01-31T00:00:00+01:00"),
        (" Yesterday ", "2026-01-30T00:00:00+01:00"),
        ("2026-01-31T02:15:00Z", "2026-01-31T03:15:00+01:00"),
    ],
)
def test_a_time_without_a_zone_is_that_of_the_machine(text: str, moment: str) -> None:
    assert parse(text, NOW) == int(datetime.fromisoformat(moment).timestamp()) * SECOND


@pytest.mark.parametrize("text", ["10m", "-10m", "10m ago", "- 10m", "600"])
def test_a_duration_is_before_now(text: str) -> None:
    assert parse(text, NOW) == NOW - 600 * SECOND


def test_fractions_of_a_second_count() -> None:
    assert parse("02:00:00.25", NOW) == parse("02:00", NOW) + SECOND // 4


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("soon", "'soon' is not understood; write 10m, 08:00, yesterday, 2026-01-31 08:00"),
        ("5x ago", "'5x ago' is not understood; write 10m"),
        ("25:00", "'25:00' is not a time: hour must be in 0..23"),
        ("2026-02-30", "'2026-02-30' is not a time: day is out of range"),
        ("2026-02-30T08:00:00Z", "'2026-02-30T08:00:00Z' is not a time: day is out of range"),
    ],
)
def test_what_is_no_time_is_refused_with_what_is_taken(text: str, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text, NOW)
    assert problem in str(caught.value)
