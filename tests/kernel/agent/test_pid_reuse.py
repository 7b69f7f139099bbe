"""Pids that are used again: each event names the process that did it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skep.api.query import Query
from tests.kernel.agent.conftest import TRUE, Up, wait_for

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux"),
    pytest.mark.native("starts several agents"),
]
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


def with_pid(pid: int, name: str) -> bool:
    """Start a program that is to get ``pid``; whether it did (somebody else may have been first)."""
    LAST_PID.write_text(str(pid - 1))
    got = os.posix_spawn(TRUE, ["true", name], {})
    os.waitpid(got, 0)
    return got == pid


def test_a_pid_that_is_used_again_is_another_process(up: Callable[..., Up]) -> None:
    agent = up("--only", "exec,exit")
    agent.ready()
    first = os.posix_spawn(TRUE, ["true", "first-user"], {})
    os.waitpid(first, 0)
    number = 0

    def again() -> str:
        nonlocal number
        number += 1
        name = f"user-{number}"
        return name if with_pid(first, name) else ""

    last = LAST_PID.read_text()
    try:
        second = wait_for(again, "the pid is used again")
    finally:
        LAST_PID.write_text(last)

    def both() -> list[dict[str, Any]]:
        found = agent.events(Query(pids=frozenset({first})))
        return found if sum(one["kind"] == "exit" for one in found) >= 2 else []

    found = wait_for(both, "both ends are seen")
    mine = [one for one in found if one["comm"] == "true"]
    assert [one["args"][-1] for one in mine if one["kind"] == "exec"] == ["first-user", second]
    assert [one["kind"] for one in sorted(mine, key=lambda one: one["seq"])] == ["exec", "exit"] * 2
