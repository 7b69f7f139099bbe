"""An agent that serves: from its first to its last moment, without a kernel."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from skep.agent.agent import Agent
from skep.agent.engine import Engine
from skep.agent.face import Face, NoFace, SocketFace
from skep.agent.metrics_port import MetricsPort
from skep.agent.notify import Notifier
from skep.agent.supervise import Child
from skep.api.client import Client
from skep.api.query import Query
from skep.base.clock import Clock
from skep.base.config import Config, Metrics
from skep.base.errors import BadInput, KernelError
from tests.unit.agent.fake_engine import QUIET, engine
from tests.unit.agent.followers import taking, unexpected
from tests.unit.api.fake_node import FakeNode

T = TypeVar("T")
WAITS = "import os, sys; os.read(int(sys.argv[1]), 1)"


def waiting_drain(made: Engine) -> Callable[[int], Child]:
    """A drain that waits for the end of its lifeline, and does nothing else."""

    def start(_: int) -> Child:
        lifeline, ours = os.pipe()
        os.close(made.receiver.connect())
        child = Child([sys.executable, "-c", WAITS, str(lifeline)], [lifeline], ours)
        os.close(lifeline)
        return child

    return start


class Scene:
    """An agent on a socket below a folder; ``told`` are the moments of its life."""

    def __init__(
        self,
        folder: Path,
        face: Face,
        load: Callable[[], Config] = lambda: QUIET,
        settings: Config = QUIET,
        warnings: Sequence[str] = (),
        *,
        clock: Clock | None = None,
    ) -> None:
        self.engine = engine(settings, clock)
        self.engine.supervisor._start = waiting_drain(self.engine)
        self.path = str(folder / "agent.sock")
        self.told: list[str] = []
        self.agent = Agent(
            self.engine,
            "lab",
            face=face,
            notifier=Notifier(""),
            load=load,
            probe=lambda: {"features": []},
            warnings=warnings,
        )

    async def serve(self, act: Callable[["Scene"], T]) -> T:
        serving = asyncio.ensure_future(
            self.agent.serve(self.path, lambda: self.told.append("started"))
        )
        while not self.told:
            await asyncio.sleep(0.001)
            assert not serving.done(), serving.result()
        result = await asyncio.to_thread(act, self)
        async with asyncio.timeout(60):
            await serving
        return result


def run(scene: Callable[[], Scene], act: Callable[[Scene], T]) -> T:
    async def go() -> T:
        return await scene().serve(act)

    return asyncio.run(go())


def test_a_client_is_served_and_may_end_the_agent(tmp_path: Path) -> None:
    def act(scene: Scene) -> dict[str, Any]:
        client = Client(scene.path)
        status = client.status()
        client.stop()
        return status

    found = run(lambda: Scene(tmp_path, NoFace()), act)
    assert [one["name"] for one in found["processes"]] == ["agent", "drain"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_agent(tmp_path: Path, number: int) -> None:
    run(lambda: Scene(tmp_path, NoFace()), lambda _: os.kill(os.getpid(), number))


def test_the_end_of_the_face_ends_the_agent(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()

    def act(_: Scene) -> bytes:
        with ours:
            return ours.recv(100)

    said = run(lambda: Scene(tmp_path, SocketFace(theirs.detach())), act)
    assert said == b'{"ready": true}\n'


def test_a_hangup_reads_the_configuration_again(tmp_path: Path) -> None:
    loads: list[int] = []

    def load() -> Config:
        loads.append(1)
        return QUIET

    def act(scene: Scene) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        while not loads:
            pass
        Client(scene.path).stop()

    run(lambda: Scene(tmp_path, NoFace(), load), act)
    assert loads == [1]


def test_a_word_of_the_face_is_no_end(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()

    def act(scene: Scene) -> dict[str, Any]:
        ours.sendall(b"hello")
        status = Client(scene.path).status()
        ours.close()
        return status

    assert run(lambda: Scene(tmp_path, SocketFace(theirs.detach())), act)["instance"] == "lab"


def test_a_wrong_configuration_at_a_hangup_changes_nothing_and_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def load() -> Config:
        raise BadInput.at("/etc/skep/skep.yaml", 3, "users", "unknown key")

    def act(scene: Scene) -> str:
        os.kill(os.getpid(), signal.SIGHUP)
        said = ""
        while "users" not in said:
            said += capfd.readouterr().err
        Client(scene.path).stop()
        return said

    said = run(lambda: Scene(tmp_path, NoFace(), load), act)
    assert said.endswith(
        "skep: the configuration stays as it was: /etc/skep/skep.yaml:3: users: unknown key\n"
    )


STARTS = """\
skep: turned on: exec (tp_btf sched_process_exec), exit (tp_btf sched_process_exec)
skep: drops: this kernel refuses tp_btf kfree_skb: too old; nothing is used instead
skep: exit: this kernel refuses fexit: a policy refuses it; instead: tp_btf sched_process_exec
"""


@pytest.mark.parametrize(
    ("level", "told", "later"),
    [
        ("info", STARTS + "skep: the cache is full\n", "skep: it ends\n"),
        ("warning", "skep: the cache is full\n", ""),
        ("error", "", ""),
    ],
)
def test_the_log_tells_what_is_watched_and_what_is_wrong_as_far_as_is_wanted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], level: str, told: str, later: str
) -> None:
    def scene() -> Scene:
        made = Scene(tmp_path, NoFace(), warnings=("the cache is full",))
        made.engine.log.level = level
        return made

    said = run(scene, lambda made: (capfd.readouterr().err, Client(made.path).stop())[0])
    assert (said, capfd.readouterr().err) == (told, later)


def test_a_reload_changes_what_is_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def act(scene: Scene) -> dict[str, Any]:
        client = Client(scene.path)
        found = client.reload()
        client.stop()
        return found

    found = run(lambda: Scene(tmp_path, NoFace(), lambda: replace(QUIET, log="error")), act)
    assert found["changed"] == ["log"]
    assert capfd.readouterr().err == STARTS


def test_a_part_that_fails_ends_the_agent_with_its_error(tmp_path: Path) -> None:
    """Here the clock, at the first of the chores of each second."""
    offsets = [1000]
    clock = Clock(lambda: offsets.pop(0), lambda: 5)

    async def go() -> int:
        scene = Scene(tmp_path, NoFace(), clock=clock)
        with pytest.raises(IndexError):
            await scene.agent.serve(scene.path, lambda: None)
        assert scene.engine.supervisor.child is None
        return scene.engine.supervisor.restarts

    assert asyncio.run(go()) == 0


def test_a_port_that_is_taken_is_warned_of_and_free_at_the_next_reload(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = replace(QUIET, metrics=Metrics(address=address))

        def act(scene: Scene) -> list[dict[str, Any]]:
            client = Client(scene.path)
            found = [client.status()]
            taken.close()
            client.reload()
            while client.status()["metrics"] != address:
                pass
            found.append(client.status())
            client.stop()
            return found

        before, after = run(lambda: Scene(tmp_path, NoFace(), lambda: settings, settings), act)
    assert (before["metrics"], len(before["warnings"])) == ("off", 1)
    assert (
        f"no metrics on {address}: the port is taken by pid {os.getpid()}" in before["warnings"][0]
    )
    assert (after["metrics"], after["warnings"]) == (address, [])


def test_the_warnings_of_the_start_stay(tmp_path: Path) -> None:
    def act(scene: Scene) -> list[str]:
        client = Client(scene.path)
        warnings: list[str] = client.status()["warnings"]
        client.stop()
        return warnings

    def scene() -> Scene:
        made = Scene(tmp_path, NoFace(), warnings=("the cache is full",))
        made.engine.warnings.append("no run times")
        return made

    assert run(scene, act) == ["the cache is full", "no run times"]


def test_a_start_that_fails_at_its_last_step_ends_the_drain(tmp_path: Path) -> None:
    async def go() -> int:
        scene = Scene(tmp_path, NoFace())

        def full() -> None:
            raise OSError(28, "No space left on device")

        child = None

        def started() -> None:
            nonlocal child
            child = scene.engine.supervisor.child
            full()

        with pytest.raises(OSError, match="No space"):
            await scene.agent.serve(scene.path, started)
        assert scene.engine.supervisor.child is None
        return scene.engine.supervisor.restarts

    assert asyncio.run(go()) == 0


def test_another_drain_is_recorded_and_one_that_cannot_be_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorded: list[int] = []

    async def go() -> list[int]:
        scene = Scene(tmp_path, NoFace())

        def record() -> None:
            child = scene.engine.supervisor.child
            assert child is not None
            recorded.append(child.pid)
            if len(recorded) == 3:
                raise KernelError("write owned.json", 28, "No space left on device")

        serving = asyncio.ensure_future(scene.agent.serve(scene.path, record))
        for count in (1, 2, 3):
            while len(recorded) < count:
                await asyncio.sleep(0.001)
                assert not serving.done(), serving.result()
            if count < 3:
                os.kill(recorded[-1], signal.SIGKILL)
        scene.agent.node.stop()
        await serving
        return recorded

    assert len(set(asyncio.run(go()))) == 3
    assert "skep: write owned.json: No space left on device\n" in capfd.readouterr().err


def test_a_step_of_the_clock_is_told_and_later_events_have_the_new_time() -> None:
    offsets = [1000, 1000 + 3600 * 10**9, 1000 + 3600 * 10**9]
    made = engine(clock=Clock(lambda: offsets.pop(0), lambda: 5))
    got: list[bytes] = []
    made.journal.follow(Query(follow=True), taking(got), unexpected)
    made.chores()
    made.chores()
    made.receiver.close()
    assert got == [b'{"notice":"clock was set","by_ns":3600000000000}\n']
    assert made.clock.offset == 1000 + 3600 * 10**9


def test_losses_are_told_once() -> None:
    made = engine()
    got: list[bytes] = []
    made.journal.follow(Query(follow=True), taking(got), unexpected)
    made._tell_losses()
    made.intake.accounts = {"rings": {"lifecycle": {"attempts": 9, "refused": 2}}}
    made._tell_losses()
    made._tell_losses()
    made.receiver.close()
    assert got == [
        b'{"notice":"lost","queue":"lifecycle ring","count":2,"why":"the ring was full"}\n'
    ]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("a..b:9565", "the host's name is not known"),
        ("no-such-host.invalid:9565", "the host's name is not known"),
        ("192.0.2.1:9565", "Cannot assign requested address"),
    ],
)
def test_metrics_at_an_address_that_is_not_to_be_had_are_a_warning(address: str, why: str) -> None:
    async def go() -> tuple[str, str]:
        port = MetricsPort(FakeNode())
        await port.open(Metrics(address=address))
        return port.state, port.warning

    assert asyncio.run(go()) == ("off", f"no metrics on {address}: {why}")


def test_metrics_are_served_on_a_free_port_and_no_more_after_a_close() -> None:
    async def go() -> tuple[str, bytes]:
        port = MetricsPort(FakeNode())
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
            await port.open(Metrics(address=address))
            assert f"port is taken by pid {os.getpid()}" in port.warning
        await port.open(Metrics(address=address))
        assert (port.state, port.warning) == (address, "")
        reader, writer = await asyncio.open_connection(*address.split(":"))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: skep\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await port.open(Metrics(enabled=False))
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address.split(":"))
        return port.state, answer

    state, answer = asyncio.run(go())
    assert state == "off"
    assert b"200 OK" in answer
    assert b"text/plain; version=0.0.4" in answer
