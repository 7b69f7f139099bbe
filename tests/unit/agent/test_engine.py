"""The engine: a real drain of no rings is kept alive, and what cannot be done is told."""

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from skep.agent import engine as engines
from skep.agent import supervise
from skep.agent.dropped import DropSite
from skep.agent.engine import Allowed, Engine, bounds
from skep.agent.stall import RingCount
from skep.api.query import Query
from skep.base.config import Runtimes, Store
from skep.base.errors import Forbidden
from tests.unit.agent.fake_engine import KINDS, QUIET, engine, names
from tests.unit.agent.fake_programs import FakePrograms
from tests.unit.agent.followers import taking, unexpected


def no_fault(error: BaseException) -> None:
    pytest.fail(f"a part ended: {error!r}")


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until it is so."""
    try:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - what is waited for is another process
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(f"never: {what}")


def test_a_drain_runs_in_its_block_and_another_takes_the_place_of_a_killed_one() -> None:
    blocks: list[str] = []

    @contextmanager
    def draining() -> Iterator[None]:
        blocks.append("in")
        yield
        blocks.append("out")

    async def scene() -> list[bytes]:
        made = Engine(FakePrograms(), QUIET, KINDS, names(), allowed=Allowed(draining))
        got: list[bytes] = []
        made.journal.follow(Query(follow=True), taking(got), unexpected)
        made.start(no_fault)
        await until(lambda: made.intake.accounts, "the drain tells of itself")
        first = made.supervisor.child
        assert first is not None
        assert blocks == ["in", "out"]
        told, definitions = made.intake.accounts, made.intake.definitions
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: made.supervisor.child not in (None, first), "another drain runs")
        await until(lambda: made.intake.accounts is not told, "the other drain tells of itself")
        assert made.intake.definitions is not definitions
        second = made.supervisor.child
        assert second is not None
        await made.stop()
        assert made.supervisor.restarts == 1
        assert blocks == ["in", "out"] * 2
        with pytest.raises(ProcessLookupError):
            os.kill(second.pid, 0)
        return got

    (notice,) = asyncio.run(scene())
    assert b'"notice":"drain restarted"' in notice
    assert b"the drain ended (signal 9); it is started again" in notice


def test_a_drain_that_takes_nothing_is_told_of_and_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "TOLD_SECONDS", 1e-9)
    monkeypatch.setattr(engines, "KILLED_SECONDS", 1e-9)

    async def scene() -> tuple[list[bytes], list[str], int]:
        programs = FakePrograms()
        made = Engine(programs, QUIET, KINDS, names(), allowed=Allowed(counting=nullcontext))
        got: list[bytes] = []
        made.journal.follow(Query(follow=True), taking(got), unexpected)
        made.start(no_fault)
        await until(lambda: made.supervisor.child, "a drain is started")
        programs.waiting = {"texts": RingCount(0, 8, 1, 0)}
        made.chores()
        made.chores()
        assert made.hanging() == []
        programs.waiting["lifecycle"] = RingCount(8, 16, 2, 0)
        made.chores()
        made.chores()
        said = made.hanging()
        await until(lambda: made.supervisor.restarts, "another takes its place")
        programs.waiting = {}
        await made.stop()
        return got, said, made.supervisor.restarts

    (hangs, restarted, *_), (said,), _ = asyncio.run(scene())
    assert b'"notice":"drain hangs"' in hangs
    assert b'"notice":"drain restarted"' in restarted
    assert said.endswith("hangs: events wait, and it has taken none for 10 s")


def test_where_no_drain_can_be_started_it_is_told_and_no_descriptor_stays_open() -> None:
    @contextmanager
    def refusing() -> Iterator[None]:
        raise OSError(errno.EAGAIN, "no more processes")
        yield

    async def scene() -> tuple[list[bytes], set[str], set[str]]:
        made = Engine(FakePrograms(), QUIET, KINDS, names(), allowed=Allowed(refusing, nullcontext))
        got: list[bytes] = []
        made.journal.follow(Query(follow=True), taking(got), unexpected)
        made.start(no_fault)
        await until(lambda: got, "it is told")
        before = set(os.listdir("/proc/self/fd"))
        await until(lambda: len(got) > 2, "it is tried again")
        after = set(os.listdir("/proc/self/fd"))
        await made.stop()
        return got, before, after

    (told, *_), before, after = asyncio.run(scene())
    assert b"no drain can be started (no more processes); it is tried again" in told
    assert after == before


def test_an_end_before_the_drain_is_up_ends_the_drain_too() -> None:
    async def scene() -> int:
        made = engine()
        made.start(no_fault)
        await until(lambda: made.supervisor.child, "a drain is started")
        child = made.supervisor.child
        assert child is not None
        await made.stop()
        return child.pid

    pid = asyncio.run(scene())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_drain_that_hangs_is_killed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "PATIENCE_SECONDS", 0.05)

    async def scene() -> int:
        made = engine()
        made.start(no_fault)
        await until(lambda: made.supervisor.child, "a drain is started")
        child = made.supervisor.child
        assert child is not None
        os.kill(child.pid, signal.SIGSTOP)
        await made.stop()
        return child.pid

    pid = asyncio.run(scene())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_where_runs_may_not_be_counted_a_warning_says_so_and_all_else_goes_on() -> None:
    @contextmanager
    def forbidden() -> Iterator[None]:
        raise Forbidden("BPF_ENABLE_STATS", "CAP_SYS_ADMIN")
        yield

    async def scene() -> tuple[list[str], int]:
        made = Engine(FakePrograms(), QUIET, KINDS, names(), allowed=Allowed(counting=forbidden))
        made.start(no_fault)
        await until(lambda: made.warnings, "the warning")
        await until(lambda: made.intake.accounts, "the drain tells of itself")
        restarts = made.supervisor.restarts
        await made.stop()
        return made.warnings, restarts

    warnings, restarts = asyncio.run(scene())
    needs = "BPF_ENABLE_STATS needs CAP_SYS_ADMIN; run it as root or grant CAP_SYS_ADMIN"
    assert warnings == [f"no run times of programs: {needs}"]
    assert restarts == 0


def test_losses_are_told_from_the_kernel_to_the_queues_in_that_order() -> None:
    programs = FakePrograms()
    programs.misses = 3
    made = Engine(programs, QUIET, KINDS, names())
    made.intake.accounts = {"rings": {"lifecycle": {"attempts": 9, "refused": 2}}}
    found = {one.queue: (one.passed, one.lost) for one in made.losses()}
    made.receiver.close()
    assert list(found)[:2] == ["lifecycle ring", "programs"]
    assert found["lifecycle ring"] == (7, 2)
    assert found["programs"] == (0, 3)


def test_drops_are_named_by_reason_and_place() -> None:
    made = engine()
    assert made.dropped() == [DropSite("NO_SOCKET", "0x10", 50, 16)]
    made.receiver.close()


def test_a_runtime_that_is_there_and_gives_no_names_is_told(tmp_path: Path) -> None:
    dead, absent = str(tmp_path / "dead.sock"), str(tmp_path / "absent.sock")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(dead)

    async def scene() -> list[str]:
        made = engine(replace(QUIET, runtimes=Runtimes((), (dead, absent), ())))
        made.start(no_fault)
        made._directory.ask("0" * 64, "docker")
        await until(lambda: len(made._directory.faults) == 2, "both were asked")
        told = made.unnamed()
        await made.stop()
        return told

    assert asyncio.run(scene()) == [f"no names of containers from {dead}: Connection refused"]


def test_the_store_keeps_what_the_settings_say() -> None:
    found = bounds(replace(QUIET, store=Store(events=7_000, age=5)))
    assert (found.events, found.age) == (7_000, 5)
    assert found.bytes > 1 << 20
