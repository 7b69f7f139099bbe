"""What the processes of a real agent may do, as the kernel tells it; and that they still do their work."""

import os
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from skep.agent import privileges as table
from skep.kernel.privileges import Held, held, mask
from tests.kernel.agent.conftest import Up, apart, run_true, skep, wait_for

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux", "cap.sys_admin"),
    pytest.mark.native("starts several agents"),
]

LISTENS = """
import socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
input()
"""


def threads(pid: int) -> set[Held]:
    """What the threads of a process hold."""
    found = set()
    for task in os.listdir(f"/proc/{pid}/task"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            found.add(held(f"{pid}/task/{task}"))
    return found


def confined(effective: tuple[str, ...], permitted: tuple[str, ...], passed: int = 0) -> Held:
    return Held(mask(effective), mask(permitted), passed, 0, 0, no_new_privileges=True)


def pids(status: dict[str, Any]) -> dict[str, int]:
    return {one["name"]: one["pid"] for one in status["processes"]}


def programs_that_ran(agent: Up) -> list[str]:
    run_true("sampled")
    return [one["name"] for one in agent.client.status()["programs"] if one["runs"]]


def test_each_process_holds_what_it_needs_and_no_more(up: Callable[..., Up]) -> None:
    agent = up()
    found = pids(agent.ready())
    passed = mask(table.DRAIN_START)
    wait_for(
        lambda: threads(found["agent"]) == {confined(table.SERVING, table.AGENT, passed)},
        "the agent serves with what that takes",  # more is in force while it has runs counted
    )
    wait_for(
        lambda: threads(found["drain"]) == {confined(table.DRAINING, table.DRAINING)},
        "the drain has given up what its start took",
    )
    assert os.getpriority(os.PRIO_PROCESS, found["drain"]) == -10
    wait_for(lambda: threads(agent.face.pid) == {confined((), ())}, "the face holds nothing")


def test_status_tells_it(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    agent.ready()

    def told() -> bool:
        (found,) = [one for one in agent.client.status()["processes"] if one["name"] == "drain"]
        return bool(found["permitted"] == list(table.DRAINING)) and found["no_new_privileges"]

    wait_for(told, "the drain's privileges are told")
    text = skep("status", "--instance", agent.paths.instance).stdout
    assert "dac_read_search sys_ptrace syslog, at times bpf net_admin perfmon sys_admin" in text


def test_what_only_a_loader_may_is_still_done_and_then_no_longer_in_force(
    up: Callable[..., Up],
) -> None:
    agent = up()
    pid = agent.ready()["pid"]
    wait_for(lambda: "on_exec" in programs_that_ran(agent), "runs are counted")
    features = {one["name"]: one for one in agent.client.features()["features"]}
    asked = [one for one in features.values() if one["why"].startswith("it needs")]
    assert asked == []
    assert features["prog.xdp"]["state"] == "on"
    wait_for(lambda: held(pid).effective == mask(table.SERVING), "no more is in force")
    assert agent.client.status()["warnings"] == []


def test_names_that_take_a_privilege_are_found(up: Callable[..., Up]) -> None:
    as_another = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    line = [*as_another, "/usr/bin/python3", "-c", LISTENS]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        agent = up(config=f"metrics: {{address: '127.0.0.1:{port}'}}\n")
        (warning,) = agent.ready()["warnings"]
        assert f"taken by pid {other.pid} (" in warning
        other.communicate("")

    def dropped() -> list[dict[str, Any]]:
        with suppress(OSError), socket.socket() as client:
            client.connect(("127.0.0.1", port))  # nobody listens: the kernel drops the SYN
        return [one for one in agent.client.summary()["drops"] if one["reason"] == "NO_SOCKET"]

    (site, *_) = wait_for(dropped, "a drop is counted")
    assert "+0x" in site["location"]


def test_a_drain_that_takes_the_place_of_another_is_confined_too(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec")
    first = pids(agent.ready())["drain"]
    os.kill(first, 9)

    def second() -> int:
        return next(
            (
                pid
                for name, pid in pids(agent.client.status()).items()
                if name == "drain" and pid != first
            ),
            0,
        )

    pid = wait_for(second, "another drain runs")
    wait_for(
        lambda: threads(pid) == {confined(table.DRAINING, table.DRAINING)},
        "the drain has given up what its start took",
    )


def test_with_few_capabilities_it_runs_and_says_what_is_missing(up: Callable[..., Up]) -> None:
    """As in a container that is given only these."""
    few = "-all,+bpf,+perfmon,+dac_read_search,+sys_ptrace"
    limit = ("setpriv", f"--bounding-set={few}", "--no-new-privs")
    place = "/sys/kernel/tracing"  # most machines have it mounted; there is one of it, so that none covers it
    command = apart(f"{{ mountpoint -q {place} || mount -t tracefs none {place}; }}", *limit)
    agent = up("--only", "exec", command=command)
    status = agent.ready()
    assert status["warnings"] == ["children hold the same capabilities: CAP_SETPCAP is missing"]
    assert held(status["pid"]).permitted == mask(("CAP_BPF", "CAP_PERFMON", *table.DRAINING))
    text = wait_for(
        lambda: [one for one in agent.client.status()["warnings"] if "run times" in one],
        "the missing run times are told",
    )
    assert "CAP_SYS_ADMIN" in text[0]
