"""Boot time, wall time and steps between them."""

from skep.base.clock import Clock, Step, boot_ns, rfc3339, wall_offset_ns

DAY = 86_400 * 10**9


class Fake:
    """An offset and a boot time that a test sets."""

    def __init__(self) -> None:
        self.offset, self.now = 1_000 * 10**9, 5 * 10**9

    def clock(self) -> Clock:
        return Clock(lambda: self.offset, lambda: self.now)


def test_rfc3339_has_nanoseconds_and_utc() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000000000Z"
    assert rfc3339(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456789Z"


def test_rfc3339_before_the_epoch_counts_forward() -> None:
    assert rfc3339(-1) == "1969-12-31T23:59:59.999999999Z"


def test_boot_time_plus_offset_is_a_plausible_wall_time() -> None:
    assert boot_ns() + wall_offset_ns() > 1_700_000_000 * 10**9


def test_a_still_clock_shows_no_step() -> None:
    fake = Fake()
    clock = fake.clock()
    fake.offset += 999_999
    assert clock.resample() is None
    assert clock.to_wall(7) == 1_000 * 10**9 + 7


def test_a_step_is_reported_and_splits_time() -> None:
    fake = Fake()
    clock = fake.clock()
    fake.offset, fake.now = fake.offset - DAY, 9 * 10**9
    assert clock.resample() == Step(at=9 * 10**9, by=-DAY)
    assert clock.to_wall(8 * 10**9) == 1_008 * 10**9
    assert clock.to_wall(9 * 10**9) == 1_009 * 10**9 - DAY
    assert clock.offset == fake.offset
    assert clock.resample() is None


def test_a_millisecond_is_a_step() -> None:
    fake = Fake()
    clock = fake.clock()
    fake.offset -= 1_000_000
    assert clock.resample() == Step(at=fake.now, by=-1_000_000)


def test_many_steps_keep_the_newest_and_stay_bounded() -> None:
    fake = Fake()
    clock = fake.clock()
    for i in range(1, 1_000):
        fake.offset, fake.now = i * DAY, i * 10**9
        assert clock.resample() is not None
    assert clock.to_wall(999 * 10**9) == 999 * 10**9 + 999 * DAY
    assert clock.to_wall(998 * 10**9) == 998 * 10**9 + 998 * DAY
    assert len(clock._offsets) == len(clock._since) <= 66
    assert clock.to_wall(0) == min(clock._offsets)
