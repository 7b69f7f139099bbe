"""Who did it is right on each kernel: in a flood, after a pid is used again, a name changed, a parent ended.

The tests share an agent of all kinds of events, and need no daemon.
"""

import os
import platform
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from skep.api.query import Query
from skep.testing.network import Namespace
from tests.kernel.agent.conftest import TRUE, Up, wait_for

pytestmark = pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux")

RENAMED = """
import socket, sys
open('/proc/self/comm', 'w').write('renamed')
socket.create_connection(('127.0.0.1', int(sys.argv[1]))).close()
"""
ORPHAN = """
import os
first = os.getpid()
if os.fork(): os._exit(0)
while os.getppid() == first: pass
print(os.getpid(), os.getppid(), flush=True)
"""
CONNECTS = bytes.fromhex(
    "bf02000000 be01000000 31d2 b829000000 0f05"  # socket(AF_INET, SOCK_STREAM, 0)
    "89c7 488d3515000000 ba10000000 b82a000000 0f05"  # connect(it, behind this code, 16)
    "31ff b83c000000 0f05"  # exit(0)
)
LOAD, HEADERS = 0x400000, 64 + 56
FLOOD, FLOOD_IN_A_GUEST, SPAWNERS = 600, 60, 3
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


def told(agent: Up, kind: str, pid: int) -> list[dict[str, Any]]:
    """The events of a kind of a process."""
    return agent.events(Query(kinds=frozenset({kind}), pids=frozenset({pid})))


def at_port(agent: Up, kind: str, port: int) -> list[dict[str, Any]]:
    """The events of a kind with the port at either end."""
    return agent.events(Query(kinds=frozenset({kind}), ports=frozenset({port})))


def test_a_socket_of_nobody_names_no_process(agent: Up, netns: Namespace) -> None:
    with netns.entered():
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        listener.close()
        client.close()

    def closes() -> list[dict[str, Any]]:
        found = at_port(agent, "close", port)
        return found if len(found) == 2 else []

    found = wait_for(closes, "the ends are seen")
    theirs = next(one for one in found if one["sport"] == port)
    assert theirs["process_unknown"] is True
    assert theirs["user"] == "root"
    assert theirs["cgroup"]
    assert theirs.keys().isdisjoint({"pid", "ppid", "comm", "ancestors", "container"})


def test_a_process_that_renamed_itself_is_called_so(agent: Up, netns: Namespace) -> None:
    with netns.entered(), socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        child = subprocess.Popen([sys.executable, "-I", "-S", "-c", RENAMED, port])
        listener.accept()[0].close()
        child.wait()
    for kind in ("connect", "close", "exit"):
        (event,) = wait_for(lambda kind=kind: told(agent, kind, child.pid), f"its {kind} is seen")  # type: ignore[misc]
        assert (event["comm"], event["ppid"]) == ("renamed", os.getpid())
    assert agent.events(Query(kinds=frozenset({"exit"}), comms=("renamed",))) == [event]


def test_an_exit_names_the_parent_by_then_and_the_ancestors_of_the_start(agent: Up) -> None:
    command = [sys.executable, "-I", "-S", "-c", ORPHAN]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    pid, adopter = map(int, done.stdout.split())
    (ended,) = wait_for(lambda: told(agent, "exit", pid), "its exit is seen")
    (begun,) = told(agent, "fork", pid)
    assert ended["ppid"] == adopter
    assert begun["ppid"] == begun["ancestors"][0]["pid"] == ended["ancestors"][0]["pid"] != adopter


@pytest.mark.parametrize(("words", "cut"), [(1, None), (3, True)])
def test_arguments_of_100_kb_and_not_utf_8_are_told(agent: Up, words: int, cut: object) -> None:
    """Up to 256 kB of them."""
    long = [b"\xff" + b"b" * 99_999, *[b"c" * 100_000] * (words - 1)]
    pid = os.posix_spawn(TRUE, [b"true", b"\xc3", b"", *long], {})
    os.waitpid(pid, 0)
    (event,) = wait_for(lambda: told(agent, "exec", pid), "the exec is seen")
    assert event["args"][:4] == ["true", r"\xc3", "", r"\xff" + "b" * 99_999]
    kept = sum(map(len, event["args"][3:]))
    assert (event.get("cut"), kept < 3 * 100_000) == (cut, True)
    assert kept > 100_000 * words - 50_000


def with_pid(pid: int, name: str) -> bool:
    """Start a program that is to get ``pid``; whether it did (somebody else may have been first)."""
    LAST_PID.write_text(str(pid - 1))
    got = os.posix_spawn(TRUE, ["true", name], {})
    os.waitpid(got, 0)
    return got == pid


def test_a_pid_that_is_used_again_is_another_process(agent: Up) -> None:
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
        kinds = frozenset({"exec", "exit"})
        found = agent.events(Query(pids=frozenset({first}), kinds=kinds, comms=("true",)))
        return found if sum(one["kind"] == "exit" for one in found) >= 2 else []

    mine = wait_for(both, "both ends are seen")
    assert [one["args"][-1] for one in mine if one["kind"] == "exec"] == ["first-user", second]
    assert [one["kind"] for one in sorted(mine, key=lambda one: one["seq"])] == ["exec", "exit"] * 2


def program(port: int) -> bytes:
    """An ELF file for x86-64 that connects to a port of this host with its first instructions, and ends."""
    code = CONNECTS + struct.pack("=H", socket.AF_INET) + struct.pack(">H4s8x", port, b"\x7f\0\0\1")
    size = HEADERS + len(code)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, LOAD + HEADERS, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, LOAD, LOAD, size, size, 0x1000) + code


def run_at_once(paths: list[Path], netns: Namespace) -> dict[str, int]:
    """Run each program there, from several threads; pids by name."""
    pids: dict[str, int] = {}

    def spawn(mine: list[Path]) -> None:
        with netns.entered():
            for path in mine:
                pids[path.name] = os.posix_spawn(path, [path.name], {})
                os.waitpid(pids[path.name], 0)

    threads = [threading.Thread(target=spawn, args=(paths[i::SPAWNERS],)) for i in range(SPAWNERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return pids


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the program is made for x86-64")
def test_of_a_flood_of_processes_each_connect_belongs_to_its_own(
    agent: Up, tmp_path: Path, netns: Namespace, pytestconfig: pytest.Config
) -> None:
    count = FLOOD_IN_A_GUEST if pytestconfig.getoption("--guest") else FLOOD
    with netns.entered(), socket.create_server(("127.0.0.1", 0), backlog=count) as listener:
        first = tmp_path / "first"
        port = listener.getsockname()[1]
        first.write_bytes(program(port))
        first.chmod(0o700)
        paths = [tmp_path / f"w{os.getpid()}-{i}" for i in range(count)]
        for path in paths:
            os.link(first, path)
        pids = run_at_once(paths, netns)

        def all_told() -> list[dict[str, Any]] | None:
            found = [one for one in at_port(agent, "connect", port) if one["dport"] == port]
            return found if len(found) >= count else None

        found = wait_for(all_told, "each connect is seen")
    assert {one.get("comm"): one["pid"] for one in found} == pids
    assert {one["ppid"] for one in found} == {os.getpid()}
    assert {one["ancestors"][0]["pid"] for one in found} == {os.getpid()}
    assert len(found) == count
