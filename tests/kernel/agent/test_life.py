"""The life of an agent, as the kernels in virtual machines see it too: few starts, for each takes long there.

The tests share one agent of all kinds of events; a test that ends it does so for the others as well, and the next one
gets another.
"""

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from skep.agent import priority, privileges
from skep.agent.rings import RECORDS
from skep.kernel.privileges import held, mask
from skep.lang.maps import NAME
from skep.testing.network import Namespace
from tests.kernel.agent.conftest import PATIENCE, TRUE, Up, ours, run_true, seen, skep, wait_for
from tests.kernel.trace.conftest import memory as memory  # noqa: PLC0414 - a fixture, given on
from tests.kernel.trace.conftest import starve

pytestmark = pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux")
POWERS = ["who did it", "exec", "fork", "exit", "connections", "drops", "OOM kills"]
KINDS = {"exec", "fork", "exit", "connect", "accept", "close", "drop", "oom"}


def losses(status: dict[str, Any]) -> int:
    """What its queues lost since its start, which may have been before the floods of other tests."""
    return sum(one["lost"] for one in status["losses"])


def pids(status: dict[str, Any]) -> dict[str, int]:
    """Of the agent's processes, by name."""
    return {one["name"]: one["pid"] for one in status["processes"]}


def test_its_powers_are_on_and_their_programs_in_the_kernel(agent: Up) -> None:
    status = agent.client.status()
    states = {one["power"]: one["state"] for one in status["powers"]}
    assert list(states) == POWERS
    assert set(states.values()) <= {"on", "instead"}
    wanted = {name[:NAME] for one in status["powers"] for name in one["programs"]}
    assert wanted == {one["name"] for one in status["programs"]} >= {"on_exec", "on_state"}
    assert len(ours(status["programs"])) == len(status["programs"])


@pytest.mark.native("what the drain runs is compiled here")
def test_the_drain_runs_a_function_of_each_ring_that_it_cannot_write(agent: Up) -> None:
    drain = pids(agent.client.status())["drain"]

    def rights() -> list[str]:
        lines = Path(f"/proc/{drain}/maps").read_text().splitlines()
        return [line.split()[1] for line in lines if "/skep/objects/" in line]

    wait_for(lambda: rights() == ["r-xp"] * len(RECORDS), "the drain has mapped them")


def test_its_processes_are_called_by_name_and_hold_what_they_need(agent: Up) -> None:
    found = pids(agent.client.status())
    wait_for(
        lambda: held(found["drain"]).permitted == mask(privileges.DRAINING),
        "the drain has given up what its start took",
    )
    for name, pid in found.items():
        niceness = {"agent": priority.AGENT, "drain": priority.DRAIN}[name]
        assert os.getpriority(os.PRIO_PROCESS, pid) == niceness
        assert Path(f"/proc/{pid}/comm").read_text() == f"skep-{name}\n"
        line = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0")
        assert line == f"skep: {name} ({agent.paths.instance})"
    wait_for(
        lambda: held(found["agent"]).effective == mask(privileges.SERVING),
        "only what serving takes is in force",  # more is while runs begin to be counted
    )
    assert held(found["agent"]).permitted == mask(privileges.AGENT)
    assert held(found["agent"]).no_new_privileges
    assert held(found["drain"]).no_new_privileges
    assert not held(agent.face.pid).permitted


def happen(memory: Path) -> tuple[int, dict[str, int]]:
    """Everything that is told happens: a port, and the pid to which each kind belongs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server = listener.accept()[0]
            client.sendall(b"asked")
            client.shutdown(socket.SHUT_WR)
            assert server.recv(9) == b"asked"
            server.close()
    with suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    child = subprocess.Popen([TRUE, "happened"])
    child.wait()
    starved = starve(memory)
    assert starved.wait() == -signal.SIGKILL
    mine = dict.fromkeys(("connect", "accept", "close"), os.getpid())
    return port, mine | dict.fromkeys(("exec", "fork", "exit"), child.pid) | {"oom": starved.pid}


def test_each_kind_is_told_with_who_did_it(agent: Up, netns: Namespace, memory: Path) -> None:
    with netns.entered():
        port, whose = happen(memory)

    def told() -> dict[str, dict[str, Any]] | None:
        found: dict[str, dict[str, Any]] = {}
        for event in agent.events():
            theirs = event.get("pid") == whose.get(event["kind"], 0)
            if port in (event.get("sport"), event.get("dport")) or theirs:
                found.setdefault(event["kind"], event)
        return found if found.keys() == KINDS else None

    found = wait_for(told, "an event of each kind is seen")
    name = Path("/proc/self/comm").read_text().rstrip("\n")
    for kind, pid in whose.items():
        event = found[kind]
        assert (kind, event["pid"], event["user"]) == (kind, pid, "root")
        ancestors = [one["pid"] for one in event["ancestors"]]
        parent = os.getppid() if pid == os.getpid() else os.getpid()
        assert (event["ppid"], ancestors[0]) == (parent, parent)
        assert event["cgroup"].startswith("/")
    assert {found[kind]["comm"] for kind in ("connect", "accept", "close")} == {name}
    assert (found["exec"]["comm"], found["exec"]["args"]) == ("true", [TRUE, "happened"])
    assert found["exit"]["code"] == 0
    assert found["close"]["duration_ns"] > 0
    assert (found["drop"]["daddr"], found["drop"]["dport"]) == ("127.0.0.1", port)
    assert found["oom"]["resident_bytes"] > 1 << 20


def test_a_second_agent_of_its_instance_is_refused(agent: Up) -> None:
    pid = agent.client.status()["pid"]
    second = skep("up", "--instance", agent.paths.instance)
    assert (second.returncode, second.stdout) == (1, "")
    held_by = f"skep: instance '{agent.paths.instance}' is held by pid {pid} (skep-agent) since "
    assert second.stderr.startswith(held_by)
    assert f"`skep down --instance {agent.paths.instance}` ends it" in second.stderr
    assert agent.client.status()["pid"] == pid


def test_another_instance_runs_beside_it_for_a_given_time(agent: Up) -> None:
    name = f"{agent.paths.instance}-beside"
    done = skep("up", "--instance", name, "--for", "1s", "--only", "exec")
    assert done.returncode == 0, done.stderr
    head, _, rest = done.stdout.partition("TIME ")
    assert head.startswith("POWER ")
    assert "tp_btf sched_process_exec" in head
    assert "events in" in rest
    assert "nothing was lost" in rest
    assert not os.path.exists(f"/run/skep/{name}")
    assert agent.client.status()["instance"] == agent.paths.instance


def test_when_its_drain_is_killed_another_reads_on(agent: Up) -> None:
    before = agent.client.status()
    drain = pids(before)["drain"]
    os.kill(drain, signal.SIGKILL)
    run_true("after-the-drain")
    (event,) = wait_for(lambda: seen(agent, "after-the-drain"), "the next drain tells the exec")
    assert (event["user"], event["ppid"]) == ("root", os.getpid())
    status = agent.client.status()
    assert status["drain_restarts"] == before["drain_restarts"] + 1
    assert losses(status) == losses(before)


def test_when_it_is_killed_nothing_stays_in_the_kernel_and_its_folder_is_cleared(agent: Up) -> None:
    status = agent.client.status()
    drain = pids(status)["drain"]
    os.kill(status["pid"], signal.SIGKILL)
    assert agent.face.wait(PATIENCE) == 1
    wait_for(lambda: not os.path.exists(f"/proc/{drain}"), "the drain has followed")
    wait_for(lambda: not ours(status["programs"]), "the programs are gone")
    done = skep("down", "--instance", agent.paths.instance)
    assert (done.returncode, "had been killed" in done.stdout) == (0, True)
    assert not os.path.exists(agent.paths.run)
