"""Agents as a person starts them: the command line in processes of their own, each in an instance of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from skep.api.client import Client
from skep.api.query import Query
from skep.base.errors import Refused, Unreachable
from skep.base.paths import Paths, instance_paths
from skep.kernel import stats

SKEP = (sys.executable, "-P", "-m", "skep.cli")
PATIENCE = 240.0
"""Seconds after which what was to come never comes: a busy machine is no fault."""
HERE = Path(__file__).parent
STORED = Query()
TRUE = "/bin/true"


T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], what: str) -> T:
    """The first true value of ``condition``."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"never: {what}")


def apart(mounts: str, *limit: str) -> tuple[str, ...]:
    """The command line of skep in a mount namespace of its own, after ``mounts`` (shell), run by ``limit``."""
    script = f'{mounts} && exec "$@"'
    return ("unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", *limit, *SKEP)


def skep(*words: str, command: Sequence[str] = SKEP) -> "subprocess.CompletedProcess[str]":
    """A command that ends by itself."""
    return subprocess.run(
        [*command, *words], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def run_true(marker: str) -> None:
    """A program that starts and ends."""
    subprocess.run([TRUE, marker], check=True)


def seen(agent: "Up", marker: str) -> list[dict[str, Any]]:
    """Its exec, as the agent has stored it."""
    execs = agent.events(Query(kinds=frozenset({"exec"}), comms=("true",)))
    return [event for event in execs if marker in event.get("args", ())]


def ours(programs: list[dict[str, Any]]) -> list[str]:
    """Which of an agent's programs the kernel still has."""
    ids = {one["id"]: one["name"] for one in programs}
    return [one.name for one in stats.all_programs() if ids.get(one.id) == one.name[:15]]


class Up:
    """``skep up --json`` in the background, in an instance of its own."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *options: str,
        config: str = "",
        command: Sequence[str] = SKEP,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        file = folder / f"{name}.yaml"
        file.write_text(config or "metrics: {enabled: false}\n")
        self.paths: Paths = instance_paths(name, "")
        self.output, self.errors = folder / f"{name}.json", folder / f"{name}.err"
        words = [*command, "up", "--json", "--instance", name, "--config", str(file), *options]
        with self.output.open("w") as output, self.errors.open("w") as errors:
            self.face = subprocess.Popen(words, stdout=output, stderr=errors, env=environment)
        self.client = Client(self.paths.agent_socket)

    def ready(self) -> dict[str, Any]:
        """Wait until it serves; its status."""

        def status() -> dict[str, Any] | None:
            assert self.face.poll() is None, self.errors.read_text()
            with suppress(Unreachable, Refused):
                return self.client.status()
            return None

        return wait_for(status, "the agent serves")

    def events(self, choice: Query = STORED) -> list[dict[str, Any]]:
        """What is stored."""
        return [json.loads(line) for line in self.client.lines(choice)]

    def end(self, number: int = signal.SIGINT) -> int:
        """End the face; its exit code."""
        if self.face.poll() is None:
            self.face.send_signal(number)
        return self.face.wait(PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The limit of a test here is that of what it waits for."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(PATIENCE + 60))


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts agents: ``up("--only", "exec")``. All of them are ended after the test."""
    with ExitStack() as stack:
        count = 0

        def start(*options: str, name: str = "", **how: Any) -> Up:  # noqa: ANN401 - as Up takes it
            nonlocal count
            count += 1
            name = name or f"test-{os.getpid()}-{count}"
            started = Up(tmp_path, name, *options, **how)
            stack.callback(skep, "down", "--force", "--instance", name)
            stack.callback(started.end)
            return started

        yield start


class Shared:
    """An agent of several tests: started when one asks for it, and anew after one has ended it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._agents = folder, list[Up]()

    def agent(self) -> Up:
        if not self._agents or self._agents[-1].face.poll() is not None:
            name = f"test-shared-{os.getpid()}-{len(self._agents)}"
            self._agents.append(Up(self._folder, name))
            self._agents[-1].ready()
        return self._agents[-1]

    def end(self) -> None:
        for one in self._agents:
            if one.face.poll() is None:
                one.end()
                skep("down", "--force", "--instance", one.paths.instance)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    made = Shared(tmp_path_factory.mktemp("shared"))
    yield made
    made.end()


@pytest.fixture
def agent(shared: Shared) -> Up:
    """An agent of all kinds of events, which tests share, for a start takes long in a guest. `test_life` ends it."""
    return shared.agent()
