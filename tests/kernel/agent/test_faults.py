"""What can go wrong around the agent: each has a clear outcome, and nothing stays attached."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from skep.agent.instance import Owned
from skep.api.client import Client
from skep.api.query import Query
from skep.base.errors import Unreachable
from skep.base.paths import instance_paths
from skep.testing.cgroups import Cgroup
from tests.kernel.agent.conftest import PATIENCE, SKEP, Up, ours, run_true, seen, skep, wait_for

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux"),
    pytest.mark.native("starts several agents"),
]


def test_a_second_agent_is_refused_with_the_pid_of_the_first(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    pid = agent.ready()["pid"]
    second = skep("up", "--instance", agent.paths.instance)
    assert second.returncode == 1
    assert f"instance '{agent.paths.instance}' is held by pid {pid}" in second.stderr
    beside = up("--only", "exec")
    assert beside.ready()["pid"] != pid
    assert agent.client.status()["pid"] == pid


def test_a_killed_agent_leaves_nothing_attached_and_is_cleared(up: Callable[..., Up]) -> None:
    agent = up()
    status = agent.ready()
    drain = next(one["pid"] for one in status["processes"] if one["name"] == "drain")
    os.kill(status["pid"], signal.SIGKILL)
    assert agent.face.wait(PATIENCE) == 1
    assert "the agent ended while its events were read" in agent.errors.read_text()
    wait_for(lambda: not os.path.exists(f"/proc/{drain}"), "the drain has followed")
    wait_for(lambda: not ours(status["programs"]), "the programs are gone")
    assert os.path.exists(agent.paths.owned)
    assert Owned.from_json(Path(agent.paths.owned).read_bytes()).agent.pid == status["pid"]
    unreached = skep("status", "--instance", agent.paths.instance)
    assert (unreached.returncode, "no agent answers" in unreached.stderr) == (3, True)
    done = skep("down", "--json", "--instance", agent.paths.instance)
    taken = json.loads(done.stdout)
    assert (done.returncode, taken["pid"], taken["remaining"]) == (0, 0, [])
    assert taken["programs"] == len(status["programs"])
    assert not os.path.exists(agent.paths.run)


def test_another_agent_takes_the_place_of_a_killed_one(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    os.kill(agent.ready()["pid"], signal.SIGKILL)
    agent.face.wait(PATIENCE)
    assert (
        up("--only", "exec", name=agent.paths.instance).ready()["instance"] == agent.paths.instance
    )


def test_a_killed_drain_is_back_and_nothing_is_lost(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    status = agent.ready()
    run_true("before")
    wait_for(lambda: seen(agent, "before"), "the exec is seen")
    drain = next(one["pid"] for one in status["processes"] if one["name"] == "drain")
    os.kill(drain, signal.SIGKILL)
    run_true("between")
    (event,) = wait_for(lambda: seen(agent, "between"), "the exec is seen by the next drain")
    assert (event["user"], event["ppid"]) == ("root", os.getpid())
    assert seen(agent, "before")
    now = agent.client.status()
    assert now["drain_restarts"] == 1
    assert drain not in [one["pid"] for one in now["processes"]]
    assert [one["lost"] for one in now["losses"]] == [0] * len(now["losses"])
    wait_for(lambda: "drain restarted" in agent.errors.read_text(), "the face tells of it")


def test_a_later_drain_that_hangs_as_its_agent_is_killed_is_ended_by_down(
    up: Callable[..., Up], cgroup: Cgroup
) -> None:
    agent = up("--only", "exec")
    status = agent.ready()
    drains = [one["pid"] for one in status["processes"] if one["name"] == "drain"]
    os.kill(drains[0], signal.SIGKILL)

    def recorded() -> int:
        (child,) = Owned.from_json(Path(agent.paths.owned).read_bytes()).children
        return child.pid if child.pid not in drains else 0

    later = wait_for(recorded, "the next drain is written down")
    cgroup.add(later)
    Path(cgroup.path, "cgroup.freeze").write_text("1")
    os.kill(status["pid"], signal.SIGKILL)
    assert agent.face.wait(PATIENCE) == 1
    done = skep("down", "--json", "--instance", agent.paths.instance)
    assert json.loads(done.stdout)["cleared"]["processes"] == [later]
    wait_for(lambda: not os.path.exists(f"/proc/{later}"), "it has ended")


def test_an_agent_whose_log_is_full_keeps_its_drain(tmp_path: Path) -> None:
    name = f"test-log-{os.getpid()}"
    config = tmp_path / "log.yaml"
    config.write_text("metrics: {address: '192.0.2.1:9'}\nlog: debug\n")
    words = [*SKEP, "agent", "--instance", name, "--only", "exec", "--config", str(config)]
    client = Client(instance_paths(name, "").agent_socket)
    with open("/dev/full", "w", encoding="utf-8") as full:
        agent = subprocess.Popen(words, stderr=full)

    def status() -> dict[str, Any] | None:
        with suppress(Unreachable):
            return client.status()
        return None

    def restarted() -> bool:
        found = client.status()
        return found["drain_restarts"] == 1 and len(found["processes"]) == 2

    try:
        processes = wait_for(status, "the agent serves")["processes"]
        os.kill(next(one["pid"] for one in processes if one["name"] == "drain"), signal.SIGKILL)
        wait_for(restarted, "another drain runs")
    finally:
        agent.terminate()
    assert agent.wait(PATIENCE) == 0


def test_a_taken_port_is_a_warning_with_its_owner(up: Callable[..., Up]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        agent = up("--only", "exec", config=f"metrics: {{address: '127.0.0.1:{port}'}}\n")
        warnings = agent.ready()["warnings"]
        owner = f"pid {os.getpid()} ("
        assert warnings[0].startswith(
            f"no metrics on 127.0.0.1:{port}: the port is taken by {owner}"
        )
        run_true("goes-on")
        wait_for(lambda: seen(agent, "goes-on"), "the exec is seen")
    agent.client.reload()
    wait_for(lambda: agent.client.status()["metrics"] == f"127.0.0.1:{port}", "the port is served")


def test_a_client_that_stops_reading_is_dropped_and_told(up: Callable[..., Up]) -> None:
    agent = up()
    agent.ready()
    lines = agent.client.pieces(Query(follow=True))
    run_true("first")
    answer = next(lines)

    def flood() -> bool:
        for _ in range(200):
            os.waitpid(os.posix_spawn("/bin/true", ["true", "x" * 3000], {}), 0)
        clients = [one for one in agent.client.status()["losses"] if one["queue"] == "clients"]
        return bool(clients[0]["lost"])

    wait_for(flood, "the client is dropped")
    answer = b"".join(lines)
    assert b'{"notice":"dropped","reason":"the client stopped reading"' in answer[-200:]
    wait_for(lambda: agent.client.status()["followers"] == 1, "the face itself reads on")


def test_malformed_requests_change_nothing(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    agent.ready()
    for request in (
        b"\0" * 100,
        b"GET / HTTP/9\r\n\r\n",
        b"POST /v1/stop HTTP/1.1\r\n",
        b"x" * 70000,
    ):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(agent.paths.agent_socket)
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(65536)[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5")
    assert agent.client.status()["instance"] == agent.paths.instance


def test_a_wrong_configuration_ends_the_start_and_names_the_place(
    up: Callable[..., Up], tmp_path: Path
) -> None:
    agent = up(config="metrics:\n  enabled: maybe\n")
    assert agent.face.wait(PATIENCE) == 2
    assert ".yaml:2: metrics.enabled" in agent.errors.read_text()


def test_metrics_are_read_by_the_parser_of_prometheus(up: Callable[..., Up]) -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    agent = up(config=f"metrics: {{address: '127.0.0.1:{port}'}}\n")
    agent.ready()
    run_true("counted")
    wait_for(lambda: seen(agent, "counted"), "the exec is seen")
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answered:
        answer = answered.read()
    families = {f.name: f for f in parser.text_string_to_metric_families(answer.decode())}
    samples: dict[str, Any] = {
        name: {tuple(s.labels.values()): s.value for s in f.samples} for name, f in families.items()
    }
    assert samples["skep_events"]["exec",] >= 1
    assert samples["skep_process_memory_bytes"]["drain",] > 1 << 20
    assert all(value == 0 for value in samples["skep_lost"].values())
