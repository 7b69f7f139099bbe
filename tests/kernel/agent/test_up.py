"""The agent as it runs: what it shows, and how it ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from skep.agent.privileges import SERVING
from tests.kernel.agent.conftest import PATIENCE, TRUE, Up, ours, run_true, seen, skep, wait_for

pytestmark = pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux")


def test_a_program_that_starts_is_shown_with_who_it_is(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    processes = {one["name"]: one for one in agent.ready()["processes"]}
    assert processes["agent"]["effective"] == list(SERVING)
    assert all(one["no_new_privileges"] for one in processes.values())
    run_true("shown")
    (event,) = wait_for(lambda: seen(agent, "shown"), "the exec is seen")
    assert list(event)[:3] == ["time", "kind", "seq"]
    assert event["filename"] == TRUE
    assert event["args"] == [TRUE, "shown"]
    assert (event["comm"], event["ppid"], event["user"]) == ("true", os.getpid(), "root")
    assert event["ancestors"][0]["pid"] == os.getpid()


@pytest.mark.native("starts several agents")
def test_the_end_leaves_nothing_and_sums_up(up: Callable[..., Up]) -> None:
    agent = up()
    programs = agent.ready()["programs"]
    assert len(ours(programs)) == len(programs)
    run_true("summed-up")
    wait_for(lambda: seen(agent, "summed-up"), "the exec is seen")
    assert agent.end(signal.SIGINT) == 0
    assert "from elsewhere" not in agent.errors.read_text()
    wait_for(lambda: not ours(programs), "the programs are gone")
    assert not os.path.exists(agent.paths.run)
    summary = agent.errors.read_text()
    assert "nothing was lost" in summary or "the ring was full" in summary  # the machine's events
    assert "on_exec" in summary
    lines = [json.loads(line) for line in agent.output.read_text().splitlines()]
    assert any("summed-up" in line.get("args", ()) for line in lines)


@pytest.mark.native("starts several agents")
def test_a_given_time_ends_it(up: Callable[..., Up]) -> None:
    agent = up("--for", "0.5s")
    assert agent.face.wait(PATIENCE) == 0
    assert not os.path.exists(agent.paths.run)


@pytest.mark.native("starts several agents")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_agent_ends_with_its_face(up: Callable[..., Up], number: int) -> None:
    agent = up("--only", "exec")
    programs = agent.ready()["programs"]
    agent.end(number)
    wait_for(lambda: not ours(programs), "the programs are gone")
    wait_for(lambda: not os.path.exists(agent.paths.run), "the run directory is gone")


@pytest.mark.native("starts several agents")
def test_down_ends_a_running_agent(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    status = agent.ready()
    done = skep("down", "--instance", agent.paths.instance)
    assert done.returncode == 0, done.stderr
    assert f"the agent (pid {status['pid']}) has ended" in done.stdout
    assert f"of its {len(status['programs'])} programs none is left" in done.stdout
    wait_for(lambda: not ours(status["programs"]), "the programs are gone")
    assert agent.face.wait(PATIENCE) == 0
    assert agent.errors.read_text().endswith("skep: the agent was ended from elsewhere\n")
    again = skep("down", "--instance", agent.paths.instance)
    assert (again.returncode, "nothing to take down" in again.stdout) == (0, True)


@pytest.mark.native("starts several agents")
def test_only_narrows_to_kinds_and_what_says_who(up: Callable[..., Up]) -> None:
    agent = up("--only", "connect")
    names = [row["power"] for row in agent.ready()["powers"]]
    assert names == ["who did it", "exec", "fork", "exit", "connections"]
    run_true("not-shown")
    assert {event["kind"] for event in agent.events()} <= {"connect"}
    followed = ("events", "-f", "--for", "0.1s", "-k", "exec", "--instance", agent.paths.instance)
    assert skep(*followed).stderr.startswith("skep: this agent does not collect exec; ")


@pytest.mark.native("starts several agents")
def test_commands_speak_to_the_agent(up: Callable[..., Up], tmp_path: Path) -> None:
    agent = up()
    agent.ready()
    run_true("asked-for")
    wait_for(lambda: seen(agent, "asked-for"), "the exec is seen")
    instance = ("--instance", agent.paths.instance)
    shown = skep("status", *instance)
    assert "on_exec" in shown.stdout
    assert json.loads(skep("status", "--json", *instance).stdout)["version"]
    pid = str(seen(agent, "asked-for")[0]["pid"])
    text = skep("events", "--kind", "exec", "--comm", "tru?", "--pid", pid, *instance).stdout
    assert f"{TRUE} asked-for" in text
    found = skep("events", "--json", "-n", "1", "-k", "exec", "-p", pid, *instance).stdout
    assert json.loads(found)["args"] == [TRUE, "asked-for"]
    name = b"\xff\xe6\xbc"  # no UTF-8, as a file's name may be
    shutil.copy(TRUE, tmp_path / os.fsdecode(name))
    subprocess.run([bytes(tmp_path / "x")[:-1] + name], check=True)

    def named() -> str:
        return skep("events", "--comm", os.fsdecode(name), "-k", "exec", *instance).stdout

    assert r"\xff\xe6\xbc[" in wait_for(named, "a program of that name")
    followed = skep("events", "--follow", "--for", "0.3s", "--pid", "1", *instance)
    assert (followed.returncode, followed.stderr) == (0, "")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        socket.create_connection(listener.getsockname()).close()
    ends = ("--address", "127.0.0.0/8", "--port", port, "--user", "root", "-k", "connect")

    def connects() -> list[str]:
        return skep("events", "--json", *ends, *instance).stdout.splitlines()

    (line,) = wait_for(connects, "the connect is seen")
    assert (json.loads(line)["dport"], json.loads(line)["pid"]) == (int(port), os.getpid())
    elsewhere = skep("events", "--json", *ends, "--address", "10.0.0.0/8", *instance)
    assert elsewhere.stdout.splitlines() == [line]
    none = skep("events", *ends[2:], "--address", "10.0.0.0/8", *instance)
    assert (none.stdout, "skep: no event: none of the " in none.stderr) == ("", True)
    none = skep("events", "--json", "--until", "1h", *instance)
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "")
    said = skep("reload", *instance).stdout
    assert said == "nothing that a running agent takes up has changed\n"


@pytest.mark.native("starts several agents")
def test_a_reload_takes_what_it_can_and_refuses_what_is_wrong(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    agent.ready()
    file = agent.output.with_suffix(".yaml")
    file.write_text("metrics: {enabled: false}\nstore: {events: 1000}\nusers: false\n")
    done = skep("reload", "--instance", agent.paths.instance)
    assert done.stdout == "in force now: store\nin force when the agent is started again: users\n"
    file.write_text("store: {events: few}\n")
    refused = skep("reload", "--instance", agent.paths.instance)
    assert (refused.returncode, f"{file}:1: store.events" in refused.stderr) == (2, True)
