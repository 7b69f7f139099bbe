"""Who did it, as a running agent tells it: late starts, pid namespaces, containers, sockets of nobody."""

import asyncio
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from skep.api.query import Query
from skep.testing.cgroups import Cgroup
from skep.testing.network import Namespace
from skep.testing.runtimes import FakeDocker
from tests.kernel.agent.conftest import SKEP, Up, run_true, seen, wait_for
from tests.kernel.node.conftest import Docker, Podman
from tests.kernel.node.conftest import cgroup_parent as cgroup_parent  # noqa: PLC0414 - a fixture, given on
from tests.kernel.node.conftest import docker as docker  # noqa: PLC0414 - the same
from tests.kernel.node.conftest import podman as podman  # noqa: PLC0414 - the same
from tests.kernel.node.conftest import programs as programs  # noqa: PLC0414 - the same
from tests.kernel.node.conftest import tidy as tidy  # noqa: PLC0414 - the same

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux"),
    pytest.mark.native("starts agents and container daemons"),
]

ANCESTORS = 8
NESTED = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
WAITER = """
import os, sys
open(sys.argv[1]).read()
os.execv('/bin/true', ['true', sys.argv[2]])
"""
"""Waits for the end of a FIFO, and runs a program."""
DAEMON = "import os\nif os.fork(): os._exit(0)\nos.setsid()" + WAITER
"""The same, with no parent of the test's own."""


def chain(pid: int) -> list[dict[str, Any]]:
    """The ancestors of a process, as /proc has them."""
    found: list[dict[str, Any]] = []
    while (pid := parent(pid)) and len(found) < ANCESTORS:
        found.append({"pid": pid, "comm": Path(f"/proc/{pid}/comm").read_text().rstrip("\n")})
    return found


def parent(pid: int) -> int:
    (line,) = re.findall(r"^PPid:\t(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(line)


def running(marker: str) -> int | None:
    """The process with ``marker`` among its arguments, whose parent is not this one."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if (
                marker.encode() in words
                and b"-c" in words
                and parent(int(entry.name)) != os.getpid()
            ):
                return int(entry.name)
    return None


@contextmanager
def orphan(folder: Path, marker: str) -> Iterator[tuple[int, Callable[[], None]]]:
    """A daemon that waits: its pid, and what makes it go on."""
    fifo = folder / marker
    os.mkfifo(fifo)
    command = [sys.executable, "-I", "-S", "-c", DAEMON, str(fifo), marker]
    subprocess.run(command, check=True)
    pid = wait_for(lambda: running(marker), "the daemon runs")
    went_on = False

    def go() -> None:
        nonlocal went_on
        went_on = True
        fifo.open("w").close()

    try:
        yield pid, go
    finally:
        if not went_on:
            go()


def test_an_agent_that_starts_late_knows_who_lives(up: Callable[..., Up], tmp_path: Path) -> None:
    with orphan(tmp_path, "late") as (pid, go):
        agent = up("--only", "exec")
        agent.ready()
        ancestors = chain(pid)
        go()
        (event,) = wait_for(lambda: seen(agent, "late"), "the exec is seen")
    assert event["pid"] == pid
    assert event["ancestors"] == ancestors
    assert ancestors[-1]["pid"] == 1
    powers = {row["power"]: row for row in agent.client.status()["powers"]}
    assert powers["who did it"]["narrows"] == ""


def test_in_a_pid_namespace_nothing_is_told_that_is_not_so(
    up: Callable[..., Up], tmp_path: Path
) -> None:
    """The agent is pid 1 or 2 of its own; it knows who lives in there, and no others but by their events."""
    fifo = tmp_path / "inside"
    os.mkfifo(fifo)
    script = '"$0" -I -S -c "$1" "$2" inside & shift 2; exec "$@"'
    inner = ("sh", "-c", script, sys.executable, WAITER, str(fifo))
    with orphan(tmp_path, "outside") as (other, go):
        agent = up("--only", "exec", command=(*NESTED, *inner, *SKEP))
        try:
            powers = {row["power"]: row for row in agent.ready()["powers"]}
            pid = wait_for(lambda: running("inside"), "the process inside runs")
            ancestors = chain(pid)
            fifo.open("w").close()
            (inside,) = wait_for(lambda: seen(agent, "inside"), "the exec inside is seen")
            go()
            (outside,) = wait_for(lambda: seen(agent, "outside"), "the exec outside is seen")
        finally:
            agent.client.stop()
            agent.face.wait(60)
    assert "the agent is in a pid namespace" in powers["who did it"]["narrows"]
    assert (inside["pid"], inside["ppid"]) == (pid, ancestors[0]["pid"])
    assert inside["ancestors"] == ancestors[: len(inside["ancestors"])]
    assert (outside["pid"], outside["ppid"]) == (other, 1)
    assert "ancestors" not in outside


def test_events_have_names_and_no_empty_values(up: Callable[..., Up], netns: Namespace) -> None:
    agent = up("--only", "connect,accept,close,exit,drop")
    agent.ready()
    with netns.entered():
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
        port = listener.getsockname()[1]
        for one in (client, server, listener):
            one.close()
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
    child = subprocess.Popen(["sleep", "60"])
    child.kill()
    child.wait()

    def all_kinds() -> dict[str, list[dict[str, Any]]] | None:
        found: dict[str, list[dict[str, Any]]] = {}
        for event in agent.events():
            who = (event.get("pid"), event.get("comm"))
            if port in (event.get("sport"), event.get("dport")) or who == (child.pid, "sleep"):
                found.setdefault(event["kind"], []).append(event)
        return found if found.keys() >= {"connect", "accept", "close", "exit", "drop"} else None

    found = wait_for(all_kinds, "an event of each kind is seen")
    for event in itertools.chain(*found.values()):
        assert not any(value in ("", None) for value in event.values()), event
        assert event.get("family") in ("inet", None)
    opened, failed = sorted(found["connect"], key=lambda one: "failed" in one)
    assert (opened.get("error"), failed.get("error")) == (None, "ECONNREFUSED")
    assert failed["failed"] is True
    ended = next(one for one in found["exit"] if one["comm"] == "sleep")
    assert (ended.get("signal"), ended.get("code")) == ("SIGKILL", None), ended
    drop = found["drop"][0]
    assert (drop["ethertype"], drop["protocol"]) == ("ipv4", "tcp")
    assert "pid" not in drop


# --- containers ------------------------------------------------------------------------------------


def named(agent: Up, marker: str) -> list[dict[str, Any]]:
    """Execs with the marker, once their container has a name."""
    events = agent.events(Query(kinds=frozenset({"exec"})))
    return [one for one in events if marker in one["args"] and "name" in one.get("container", {})]


def config(**sockets: str) -> str:
    runtimes: dict[str, list[str]] = {name: [] for name in ("cri", "docker", "podman")}
    runtimes |= {name: [path] for name, path in sockets.items()}
    return f"metrics: {{enabled: false}}\nruntimes: {json.dumps(runtimes)}\n"


def test_what_happens_in_a_container_of_docker_is_told_with_its_names(
    up: Callable[..., Up], docker: Docker
) -> None:
    agent = up("--only", "exec", config=config(docker=docker.socket))
    agent.ready()
    made = docker.start("--name=web1")
    docker("exec", "web1", "true", "in-docker")
    (event,) = wait_for(lambda: named(agent, "in-docker"), "the exec is seen with its names")
    container = {"id": made, "name": "web1", "image": "skep:1", "runtime": "docker"}
    assert event["container"] == container
    assert event["cgroup"].endswith(f"/docker/{made}")
    assert (event["comm"], event["user"]) == ("true", "root")
    assert "pod" not in event
    by_name = agent.events(Query(containers=("web1",)))
    assert event in by_name
    assert all(one["container"]["id"] == made for one in by_name)


def test_what_happens_in_a_pod_of_podman_is_told_with_its_name(
    up: Callable[..., Up], podman: Podman
) -> None:
    agent = up("--only", "exec", config=config(podman=podman.socket))
    agent.ready()
    pod = podman("pod", "create", "--name=shop", "--infra=false")
    podman.start("--pod=shop", "--name=web1")
    podman("exec", "web1", "true", "in-podman")
    (event,) = wait_for(lambda: named(agent, "in-podman"), "the exec is seen with its names")
    assert event["container"]["name"] == "web1"
    assert event["pod"] == {"name": "shop", "uid": pod}
    podman("pod", "rm", "--force", "--time=0", "shop")


CONTAINER = "05c48c82caff3be3d7f1e896981dd410e81487538936914f32b624d168de9db0"
WEB = {"Id": CONTAINER, "Name": "/web", "Config": {"Image": "nginx"}}


class Held(FakeDocker):
    """Answers when it is let; meanwhile it is as one that hangs."""

    def __init__(self) -> None:
        super().__init__({CONTAINER: WEB})
        self.asked_once, self.let = threading.Event(), asyncio.Event()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked_once.set()
        await self.let.wait()
        await super()._handle(reader, writer)


@contextmanager
def held(path: str) -> Iterator[tuple[Held, Callable[[], object]]]:
    """A runtime in a thread of its own, and what lets it answer."""
    loop, fake = asyncio.new_event_loop(), Held()
    up, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with fake.at(path):
            up.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    up.wait()
    try:
        yield fake, lambda: loop.call_soon_threadsafe(fake.let.set)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.fixture
def container(cgroup: Cgroup) -> Iterator[Cgroup]:
    """A cgroup with the name of a container of Docker."""
    inside = Cgroup(f"{Path(cgroup.path).name}/docker-{CONTAINER}.scope")
    yield inside
    with suppress(OSError):
        inside.close()


def test_a_container_that_ends_while_it_is_asked_about_still_has_its_names(
    up: Callable[..., Up], tmp_path: Path, container: Cgroup
) -> None:
    with held(str(tmp_path / "d.sock")) as (fake, let):
        agent = up("--only", "exec", config=config(docker=str(tmp_path / "d.sock")))
        agent.ready()
        run_true("before")
        wait_for(lambda: seen(agent, "before"), "the drain reads")
        container.run("/bin/true", "brief")
        container.close()
        assert fake.asked_once.wait(60)
        (event,) = wait_for(lambda: seen(agent, "brief"), "the exec is seen")
        assert event["container"] == {"id": CONTAINER, "runtime": "docker"}
        let()
        (event,) = wait_for(lambda: named(agent, "brief"), "the names come later")
        assert event["container"]["name"] == "web"


def test_a_runtime_that_hangs_holds_up_nothing(
    up: Callable[..., Up], tmp_path: Path, container: Cgroup
) -> None:
    with held(str(tmp_path / "d.sock")) as (fake, let):
        agent = up("--only", "exec", config=config(docker=str(tmp_path / "d.sock")))
        agent.ready()
        container.run("/bin/true", "held-up")
        assert fake.asked_once.wait(60)
        run_true("goes-on")
        wait_for(lambda: seen(agent, "goes-on"), "what follows is seen")
        assert agent.client.status()["instance"] == agent.paths.instance
        (event,) = seen(agent, "held-up")
        assert event["container"] == {"id": CONTAINER, "runtime": "docker"}
        (warning,) = wait_for(lambda: agent.client.status()["warnings"], "a warning")
        assert warning == f"no names of containers from {tmp_path}/d.sock: no answer within 2 s"
        let()
