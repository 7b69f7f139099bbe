"""Boot time as a moment."""

import time

import pytest

from skep.base.clock import SECOND, boot_ns, wall_offset_ns
from skep.base.moment import wall_time


def test_a_moment_is_that_of_the_wall_clock() -> None:
    boot = boot_ns()
    wall = (boot + wall_offset_ns()) / SECOND
    assert wall_time(boot).timestamp() == pytest.approx(wall, abs=0.001)


def test_it_is_in_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    try:
        found = wall_time(boot_ns())
    finally:
        monkeypatch.undo()
        time.tzset()
    assert f"{found:%z}" == "+0530"


def test_moments_are_as_far_apart_as_boot_times() -> None:
    boot = boot_ns()
    apart = wall_time(boot + 90 * SECOND + 250_000_000) - wall_time(boot)
    assert apart.total_seconds() == pytest.approx(90.25, abs=0.001)
