"""What comes faster than it can be read, and a clock that is set: counted and told, and nothing is made up."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from skep.agent.order import Order
from skep.api.client import Client
from skep.api.query import Query
from skep.base.errors import Unreachable
from skep.base.paths import instance_paths
from tests.kernel.agent.conftest import PATIENCE, TRUE, Up, run_true, seen, skep, wait_for

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux"),
    pytest.mark.native("starts several agents, and floods them"),
]
SMALL = "metrics: {enabled: false}\nmemory: {percent: 0.01, minimum: 4MiB}\n"
STEPS = """
import sys
from pathlib import Path
from skep.agent import setup
from skep.agent.face import NoFace
from skep.agent.order import Order
from skep.base.clock import Clock, wall_offset_ns
step = Path(sys.argv[1])
setup.run(Order.from_json(sys.argv[2]), NoFace(), clock=Clock(lambda: wall_offset_ns() + int(step.read_text())))
"""
HOUR = 3600 * 10**9


def lost(agent: Up, queue: str) -> int:
    """How much a queue has lost."""
    found = {row["queue"]: row["lost"] for row in agent.client.summary()["losses"]}
    return int(found.get(queue, 0))


def test_a_ring_that_overflows_is_counted_exactly_and_told(up: Callable[..., Up]) -> None:
    agent = up(config=SMALL)
    drain = next(one["pid"] for one in agent.ready()["processes"] if one["name"] == "drain")
    run_true("before")
    wait_for(lambda: seen(agent, "before"), "the exec is seen")
    os.kill(drain, signal.SIGSTOP)
    started = 0
    try:
        while started < 3000:  # the ring of 1 MB has room for fewer
            os.waitpid(os.posix_spawn(TRUE, ["true", "x" * 60], {}), 0)
            started += 1
    finally:
        os.kill(drain, signal.SIGCONT)
    wait_for(lambda: lost(agent, "lifecycle ring"), "the loss is counted")

    def again() -> list[dict[str, Any]]:
        run_true("after")  # the ring may still be full
        return seen(agent, "after")

    event = wait_for(again, "an exec is seen")[0]
    assert (event["user"], event["ppid"]) == ("root", os.getpid())

    def told() -> list[dict[str, Any]]:
        lines = agent.errors.read_text().splitlines()
        return [
            {"line": one} for one in lines if one.startswith("skep: lost: queue lifecycle ring")
        ]

    wait_for(told, "the loss is told")
    found = agent.client.summary()
    (ring,) = [one for one in found["losses"] if one["queue"] == "lifecycle ring"]
    kept = sum(found["events"][kind] for kind in ("fork", "exec", "exit"))
    assert kept + ring["lost"] >= 3 * started
    assert ring["passed"] + ring["lost"] >= 3 * started


def test_a_drain_that_hangs_is_told_of_and_another_takes_its_place(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    drain = next(one["pid"] for one in agent.ready()["processes"] if one["name"] == "drain")
    run_true("before")
    wait_for(lambda: seen(agent, "before"), "the exec is seen")
    os.kill(drain, signal.SIGSTOP)
    run_true("meanwhile")
    hangs = f"the drain (pid {drain}) hangs"

    def warned() -> bool:
        return any(hangs in one for one in agent.client.status()["warnings"])

    wait_for(warned, "the warning")
    wait_for(lambda: seen(agent, "meanwhile"), "another drain takes what waits")
    assert agent.client.status()["warnings"] == []
    assert hangs in agent.errors.read_text()


def test_a_drain_that_hangs_does_not_keep_the_agent_from_its_end(up: Callable[..., Up]) -> None:
    agent = up("--only", "oom")
    drain = next(one["pid"] for one in agent.ready()["processes"] if one["name"] == "drain")
    os.kill(drain, signal.SIGSTOP)
    for _ in range(150):  # 64 KiB, of which it may have read the first
        os.waitpid(os.posix_spawn(TRUE, ["true", "unread"], {}), 0)
    assert agent.end() == 0
    assert "in the lifecycle ring wait to be read" in agent.errors.read_text()
    assert not os.path.exists(f"/proc/{drain}")
    assert not os.path.exists(agent.paths.run)


def test_an_agent_that_hangs_is_killed_by_down_when_forced(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    pid = agent.ready()["pid"]
    os.kill(pid, signal.SIGSTOP)
    done = skep("down", "--force", "--instance", agent.paths.instance)
    assert done.returncode == 0, done.stderr
    assert f"the agent (pid {pid}) has ended" in done.stdout
    assert agent.face.wait(PATIENCE) == 1
    assert not os.path.exists(agent.paths.run)


@contextmanager
def stepping(folder: Path) -> Iterator[tuple[Client, Path]]:
    """A real agent whose wall clock a test can set: the sum of the machine's and what stands in a file."""
    name = f"test-step-{os.getpid()}"
    step, config = folder / "step", folder / "step.yaml"
    step.write_text("0")
    config.write_text("metrics: {enabled: false}\n")
    order = json.loads(Order(name, str(config), ("exec",)).command()[-1])
    words = [sys.executable, "-c", STEPS, str(step), json.dumps(order)]
    with subprocess.Popen(words) as agent:
        try:
            yield Client(instance_paths(name, "").agent_socket), step
        finally:
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(PATIENCE) == 0


def execs(client: Client, marker: str) -> list[dict[str, Any]]:
    try:
        found = [json.loads(line) for line in client.lines(Query(kinds=frozenset({"exec"})))]
    except Unreachable:
        return []
    return [one for one in found if marker in one.get("args", ())]


def hours_from_now(event: dict[str, Any]) -> int:
    """Of the time that an event tells, to the hour."""
    then = time.strptime(event["time"][:19], "%Y-%m-%dT%H:%M:%S")
    now = time.clock_gettime(time.CLOCK_REALTIME)
    return round((time.mktime(then) - time.timezone - now) / 3600)


def test_a_clock_that_is_set_moves_later_events_and_no_earlier_ones(tmp_path: Path) -> None:
    with stepping(tmp_path) as (client, step):

        def newest(marker: str) -> dict[str, Any]:
            def again() -> list[dict[str, Any]]:
                run_true(marker)
                return execs(client, marker)

            return wait_for(again, f"{marker} is seen")[-1]

        def set_by(hours: int) -> None:
            step.with_suffix(".new").write_text(str(hours * HOUR))
            step.with_suffix(".new").replace(step)

        before = newest("before")
        follower = client.lines(Query(follow=True))
        starting = threading.Thread(target=newest, args=("following",))
        starting.start()
        next(follower)
        starting.join()
        set_by(2)
        notice = next(json.loads(one) for one in follower if b"clock was set" in one)
        after = newest("after")
        assert round(notice["by_ns"] / HOUR) == 2
        assert (hours_from_now(before), hours_from_now(after)) == (0, 2)
        (again,) = [one for one in execs(client, "before") if one["seq"] == before["seq"]]
        assert again == before
        set_by(0)
        wait_for(lambda: hours_from_now(newest("set-back")) == 0, "it is set back")
