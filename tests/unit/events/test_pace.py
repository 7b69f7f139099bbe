"""The pace of draining, by a clock that the test moves."""

from skep.events.pace import BULK, MS, URGENT, Pace, Rhythm

FLOODED = Rhythm(
    shortest=5 * MS,
    usual=20 * MS,
    longest=1000 * MS,
    growth=50,
    delay=20 * MS,
    plenty=40,
    busy=100 * MS,
)


def intervals(pace: Pace, found: list[int], fill: float = 0.01) -> list[int]:
    """The interval in ms after each pass, made at its deadline."""
    gaps = []
    for count in found:
        now = pace.deadline
        pace.passed(now, count, fill if count else 0.0)
        gaps.append((pace.deadline - now) // MS)
    return gaps


def test_a_ring_is_looked_at_at_once() -> None:
    assert Pace(BULK, 77).due(77)
    assert not Pace(BULK, 77).due(76)


def test_a_busy_ring_keeps_its_interval_without_a_bell() -> None:
    pace = Pace(BULK, 0)
    assert intervals(pace, [5, 5, 5]) == [10, 10, 10]
    assert not pace.armed


def test_an_empty_ring_doubles_its_interval_up_to_200_ms() -> None:
    pace = Pace(BULK, 0)
    assert intervals(pace, [0] * 6) == [20, 40, 80, 160, 200, 200]
    assert pace.armed


def test_one_record_brings_the_usual_interval_back() -> None:
    pace = Pace(BULK, 0)
    intervals(pace, [0] * 6)
    assert intervals(pace, [1]) == [10]
    assert not pace.armed


def test_a_ring_that_fills_quickly_is_read_sooner() -> None:
    assert intervals(Pace(BULK, 0), [9], fill=0.25) == [10]
    assert intervals(Pace(BULK, 0), [9], fill=0.4) == [6]
    assert intervals(Pace(BULK, 0), [9], fill=0.49) == [5]


def test_a_ring_that_was_half_full_is_read_again_at_once() -> None:
    assert intervals(Pace(BULK, 0), [9], fill=0.5) == [0]


def test_the_bell_ends_a_sleep_after_a_moment() -> None:
    pace = Pace(BULK, 0)
    intervals(pace, [0] * 6)
    now = pace.deadline - 150 * MS
    assert not pace.due(now)
    pace.rung(now)
    assert pace.deadline == now + 2 * MS
    assert not pace.armed
    assert intervals(pace, [3]) == [10]


def test_a_bell_that_was_not_armed_changes_nothing() -> None:
    pace = Pace(BULK, 0)
    intervals(pace, [1])
    before = pace.deadline
    pace.rung(before - 9 * MS)
    assert pace.deadline == before


def test_the_bell_never_puts_a_pass_off() -> None:
    pace = Pace(BULK, 0)
    intervals(pace, [0, 0])
    before = pace.deadline
    pace.rung(before - 1)
    assert pace.deadline == before


def test_an_urgent_ring_rings_at_once_then_coalesces_for_2_ms() -> None:
    pace = Pace(URGENT, 0)
    assert intervals(pace, [0]) == [200]
    assert pace.armed
    pace.rung(50 * MS)
    assert pace.due(50 * MS)
    assert intervals(pace, [1]) == [2]
    assert not pace.armed, "no wake-up for each record of a burst"
    assert intervals(pace, [0]) == [200]
    assert pace.armed


def test_a_burst_in_an_urgent_ring_is_read_each_millisecond() -> None:
    assert intervals(Pace(URGENT, 0), [100], fill=0.49) == [1]


def test_a_flood_is_read_more_rarely_until_it_ebbs() -> None:
    pace = Pace(FLOODED, 0)
    assert intervals(pace, [39, 40, 80, 160, 200]) == [20, 40, 80, 100, 100]
    assert not pace.armed
    assert intervals(pace, [199, 39]) == [20, 20]


def test_a_flood_that_fills_the_ring_is_read_sooner() -> None:
    pace = Pace(FLOODED, 0)
    intervals(pace, [400] * 5)
    assert intervals(pace, [400], fill=0.4) == [62]
    assert intervals(pace, [400], fill=0.4) == [39]


def test_a_flood_after_a_sleep_begins_as_any_event() -> None:
    pace = Pace(FLOODED, 0)
    assert intervals(pace, [0, 3_000]) == [1000, 20]
    intervals(pace, [0])
    assert intervals(pace, [3_000], fill=0.4) == [12]
