"""The drain is kept alive, and ends when it is told to."""

import asyncio
import os
import sys

import pytest

from skep.agent import supervise
from skep.agent.supervise import Child, Supervisor


class FakeChild:
    """Ends when a test says so; ``deaf``: not when it is asked to."""

    def __init__(self, pid: int, *, deaf: bool = False) -> None:
        self.pid, self._deaf = pid, deaf
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.killed = False

    async def ended(self) -> int:
        return await self.code

    def let_go(self) -> None:
        if not self._deaf and not self.code.done():
            self.code.set_result(0)

    def kill(self) -> None:
        self.killed = True
        self.code.set_result(-9)


class Kept:
    """A supervisor of fake children."""

    def __init__(self, *, deaf: bool = False, lives: float = 100.0) -> None:
        self.children: list[FakeChild] = []
        self.codes: list[int] = []
        self.refusals: list[OSError] = []
        self.means, self.renewals = True, list[int]()
        self.now, self._lives, self._deaf = 0.0, lives, deaf
        self.pauses: list[float] = []
        self.supervisor = Supervisor(
            self._start,
            self.codes.append,
            refused=self.refusals.append,
            renewed=self._renewed,
            clock=self._clock,
            sleep=self._sleep,
        )
        self.task = asyncio.ensure_future(self.supervisor.run())

    def _start(self, generation: int) -> FakeChild:
        if not self.means:
            raise OSError(11, "Resource temporarily unavailable")
        assert generation == len(self.children)
        self.children.append(FakeChild(100 + generation, deaf=self._deaf))
        return self.children[-1]

    def _renewed(self) -> None:
        child = self.supervisor.child
        assert child is not None
        self.renewals.append(child.pid)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def _clock(self) -> float:
        self.now += self._lives
        return self.now

    async def until(self, count: int) -> None:
        while len(self.children) < count or self.supervisor.child is None:  # noqa: ASYNC110 - a fake's
            await asyncio.sleep(0)


def test_a_child_that_ends_by_itself_is_started_again_and_counted() -> None:
    async def scene() -> None:
        kept = Kept()
        await kept.until(1)
        kept.children[0].code.set_result(-11)
        await kept.until(2)
        kept.children[1].code.set_result(1)
        await kept.until(3)
        assert kept.renewals == [101, 102]
        assert (kept.codes, kept.supervisor.restarts) == ([-11, 1], 2)
        assert kept.supervisor.child is kept.children[2]
        await kept.supervisor.stop(kept.task)
        assert kept.codes == [-11, 1]
        assert kept.pauses == []
        gone: object = kept.supervisor.child
        assert gone is None

    asyncio.run(scene())


def test_one_that_dies_at_once_is_started_after_a_pause() -> None:
    async def scene() -> list[float]:
        kept = Kept(lives=0.1)
        await kept.until(1)
        kept.children[0].code.set_result(1)
        await kept.until(2)
        await kept.supervisor.stop(kept.task)
        return kept.pauses

    assert asyncio.run(scene()) == [0.5]


def test_where_there_are_no_means_for_a_child_it_is_tried_again() -> None:
    async def scene() -> None:
        kept = Kept()
        kept.means = False
        while len(kept.refusals) < 3:  # noqa: ASYNC110 - a fake's
            await asyncio.sleep(0)
        assert not kept.children
        kept.means = True
        await kept.until(1)
        assert {str(one) for one in kept.refusals} == {
            "[Errno 11] Resource temporarily unavailable"
        }
        assert kept.pauses == [0.5] * len(kept.refusals)
        assert kept.supervisor.restarts == 0
        await kept.supervisor.stop(kept.task)

    asyncio.run(scene())


def test_a_child_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "PATIENCE_SECONDS", 0.01)

    async def scene() -> None:
        kept = Kept(deaf=True)
        await kept.until(1)
        await kept.supervisor.stop(kept.task)
        assert kept.children[0].killed

    asyncio.run(scene())


def test_a_real_child_inherits_what_it_is_given_and_ends_with_its_lifeline_or_killed() -> None:
    async def scene() -> tuple[int, int]:
        lifeline, ours = os.pipe()
        ended = f"sys.stdin.read() == 'told' and os.read({lifeline}, 1) == b''"
        program = f"import os, sys; sys.exit(7 if {ended} else 1)"
        child = Child([sys.executable, "-c", program], [lifeline], ours, b"told")
        os.close(lifeline)
        child.let_go()
        async with asyncio.timeout(60):
            first = await child.ended()
        other = Child(["sleep", "600"], [], -1)
        other.kill()
        async with asyncio.timeout(60):
            return first, await other.ended()

    assert asyncio.run(scene()) == (7, -9)


def test_the_lifeline_of_a_child_that_ended_by_itself_is_closed() -> None:
    async def scene() -> int:
        lifeline, ours = os.pipe()
        child = Child(["true"], [lifeline], ours)
        os.close(lifeline)
        async with asyncio.timeout(60):
            assert await child.ended() == 0
        return ours

    ours = asyncio.run(scene())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(ours)
