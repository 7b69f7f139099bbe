"""When the drain turns: steadily, at a bell, at the end. Time is a number here; nothing sleeps."""

import os
from collections.abc import Sequence

from skep.agent.turns import RHYTHM, SECOND, Sleeper, Wake, run


class World:
    """A ring, a sleeper and a clock. ``found`` is what each turn finds; after that the lifeline ends."""

    size = 1000

    def __init__(
        self, found: Sequence[int], *, rings_at: Sequence[int] = (), arrives: int = 0
    ) -> None:
        self.found, self.rings_at, self.arrives = list(found), sorted(rings_at), arrives
        self.now = self.data = 0
        self.log: list[str] = []
        self.turns: list[int] = []

    def clock(self) -> int:
        return self.now

    def positions(self) -> tuple[int, int]:
        return 0, self.data

    def fileno(self) -> int:
        return -1

    def arm(self) -> None:
        self.log.append("arm")
        self.data, self.arrives = self.arrives, 0

    def disarm(self) -> None:
        self.log.append("disarm")

    def turn(self) -> int:
        self.turns.append(self.now)
        self.data = 0
        return self.found.pop(0) if self.found else 0

    def second(self) -> None:
        self.log.append("second")

    def wait(self, nanos: int) -> Wake:
        if not self.found:
            return Wake.END
        rings = [at for at in self.rings_at if self.now < at <= self.now + nanos]
        self.now = rings[0] if rings else self.now + nanos
        return Wake.BELL if rings else Wake.TIME

    def run(self) -> list[int]:
        run([self], self, self.clock, self.turn, self.second)
        return self.turns


def test_it_turns_steadily_while_there_is_something_and_once_more_at_the_end() -> None:
    world = World([5, 5, 5])
    step = RHYTHM.usual
    assert world.run() == [0, step, 2 * step, 2 * step]
    assert "arm" not in world.log


def test_an_empty_ring_is_armed_and_looked_into_rarely() -> None:
    world = World([0, 0, 0])
    assert world.run() == [0, RHYTHM.longest, 2 * RHYTHM.longest, 2 * RHYTHM.longest]
    assert world.log[:3] == ["second", "arm", "disarm"]


def test_a_bell_ends_the_sleep_after_a_delay() -> None:
    world = World([0, 1], rings_at=[SECOND // 4])
    assert world.run()[1] == SECOND // 4 + RHYTHM.delay


def test_what_came_while_the_bell_was_armed_is_not_slept_over() -> None:
    world = World([0, 1], arrives=10)
    assert world.run()[1] == RHYTHM.delay


def test_a_ring_that_fills_is_read_sooner() -> None:
    world = World([1, 1])
    world.data = 900
    assert world.run()[1] == 0


def test_each_second_has_its_chores_and_the_end_too() -> None:
    world = World([0, 0, 0, 0])
    world.run()
    assert world.log.count("second") == 5


def test_a_sleeper_tells_bells_from_the_end() -> None:
    bell, (lifeline, ours) = os.eventfd(0), os.pipe()

    class Bell(World):
        def fileno(self) -> int:
            return bell

    with Sleeper([Bell([])], lifeline) as sleeper:
        assert sleeper.wait(0) is Wake.TIME
        os.eventfd_write(bell, 1)
        assert sleeper.wait(SECOND) is Wake.BELL
        os.close(ours)
        assert sleeper.wait(SECOND) is Wake.END
    os.close(bell)
    os.close(lifeline)
