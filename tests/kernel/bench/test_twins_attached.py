"""Programs and their twins on the same hooks tell of the same events: those of children and namespaces of the tests."""

import ctypes  # noqa: TID251 - accept(2), which Python does not call, and add_key(2)
import errno
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skep.events.texts import pieces
from skep.flows import connections
from skep.node.programs.records import Exec
from skep.node.programs.tasks import Process
from skep.program.machine import Machine
from skep.testing.cgroups import Cgroup
from skep.testing.network import Namespace
from tests.kernel.bench.conftest import Both, Loads, agree, plain, same
from tests.kernel.trace.conftest import starve

pytestmark = pytest.mark.native("clang's objects are made for the kernel of this machine")

TRUE = "/bin/true"
LIBC = ctypes.CDLL(None, use_errno=True)
ADD_KEY = 248
STRANGE = struct.pack(
    ">BBHHHBBH4s4sI", 0x46, 0, 0, 1, 0, 64, 200, 0, *[b"\x7f\0\0\1"] * 2, 0x01010101
)
"""An IPv4 packet with options, of a protocol that nobody knows."""
THREADS = """
import threading
for _ in range(3): threading.Thread(target=lambda: None).start()
"""
LEADER_FIRST = """
import ctypes, os, threading, time
def last():
    while open('/proc/self/stat').read().rpartition(')')[2].split()[0] != 'Z': time.sleep(0.01)
    os._exit(5)
threading.Thread(target=last).start()
ctypes.CDLL(None).syscall(60, 3)
"""
NAPS = "import sys, time\nsys.stdin.readline()\nfor _ in range(100): time.sleep(0.001)"


def run(*arguments: str | bytes, **how: Any) -> int:  # noqa: ANN401 - as Popen takes
    """Runs a program to its end; its pid."""
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    child = subprocess.Popen(arguments, **quiet, **how)  # type: ignore[call-overload]
    child.wait()
    return int(child.pid)


def python(code: str) -> int:
    return run(sys.executable, "-I", "-S", "-c", code)


def told(both: Both, ring: str, wanted: Callable[[Any], bool]) -> tuple[list[Any], list[Any]]:
    """The events of both that are wanted."""
    ours, theirs = ([one for one in side if wanted(one)] for side in both.records(ring))
    return ours, theirs


# --- processes -------------------------------------------------------------------------------------


def processes(folder: Path) -> list[int]:
    """Children that begin, run programs and end in many ways; their pids."""
    long = folder / ("x" * 200)
    long.symlink_to(TRUE)
    return [
        run(TRUE, "a b", "c"),
        run(TRUE, "x" * 90),
        run(TRUE, "x" * 5_000),
        run(b"/bin/true", *(bytes([97 + i]) * 100_000 for i in range(3)), b"\xff\xfe"),
        run("x", "y", executable=str(long)),
        run("sh", "-c", "exit 7"),
        run("sh", "-c", "kill -TERM $$"),
        run(TRUE, user=65534, group=65533, extra_groups=[]),
        python(THREADS),
        python(LEADER_FIRST),
    ]


def cut(event: Any) -> Any:  # noqa: ANN401 - an event of whatever kind
    """An event without the bytes behind its arguments, which are of an older record."""
    if isinstance(event, Exec):
        event.args = [*event.args[: event.args_size], *bytes(112)][:112]
    return event


@pytest.mark.parametrize("end", ["on_exit", "on_last_exit"])
def test_lifecycle(both: Loads, tmp_path: Path, end: str) -> None:
    loaded = both("node.programs.lifecycle", "on_exec", "on_fork", end)
    for name in ("on_exec", "on_fork", end):
        loaded.attach(name)
    pids = processes(tmp_path)
    ours, theirs = told(loaded, "lifecycle", lambda one: one.pid in pids)
    same([cut(one) for one in ours], [cut(one) for one in theirs], count=3 * len(pids))
    texts, others = (longer(loaded, side, events) for side, events in enumerate((ours, theirs)))
    assert texts == others
    assert len({pid for pid, *_ in texts}) >= 4
    if end == "on_last_exit":
        once, other = (
            {at for at in entries if dict(at)["pid"] in pids} for entries in loaded.maps("told")
        )
        assert once == other != set()


def longer(both: Both, side: int, events: list[Any]) -> list[tuple[int, int, int, int, bytes]]:
    """The pieces of what did not fit into Exec events of a side: pid, part, offset, whole size, bytes."""
    pids = {one.seq: one.pid for one in events}
    found = [one for one in pieces(both.rings("texts")[side].reader) if one.of in pids]
    return [(pids[one.of], one.part, one.offset, one.whole, one.data) for one in found]


def test_tasks(both: Loads, cgroup: Cgroup) -> None:
    loaded = both("node.programs.tasks", "processes")
    loaded.attach("processes")
    commands = (["sleep", "60"], cgroup.command("sleep", "60"))
    children = [subprocess.Popen(command) for command in commands]
    children.append(subprocess.Popen(["sleep", "60"], user=65534, group=65533, extra_groups=[]))
    try:
        while any(_comm(child.pid) != "sleep" for child in children):
            pass
        ours, theirs = (_rows(side.read(loaded.programs["processes"])) for side in loaded.sides)
    finally:
        for child in children:
            child.kill()
            child.wait()
    for pid in (os.getpid(), *(child.pid for child in children)):
        assert plain(ours[pid]) == plain(theirs[pid])
    assert len({ours[child.pid].cgroup for child in children}) == 2
    assert len({ours[child.pid].gid for child in children}) == 2


def _comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()


def _rows(data: bytes) -> dict[int, Any]:
    size = Process.size
    found = (Process.from_bytes(data[at : at + size]) for at in range(0, len(data), size))
    return {row.pid: row for row in found}


def test_oom(both: Loads, memory: Path) -> None:
    loaded = both("trace.programs.oom", "on_victim")
    loaded.attach("on_victim")
    child = starve(memory)
    assert child.wait() == -signal.SIGKILL
    same(*told(loaded, "lifecycle", lambda one: one.pid == child.pid), count=1)


# --- connections and packets -----------------------------------------------------------------------


def accept(listener: socket.socket) -> socket.socket:
    """By accept(2): Python's own is accept4(2)."""
    return socket.socket(fileno=LIBC.accept(listener.fileno(), None, None))


def converse(address: str, to: str, take: Callable[[socket.socket], socket.socket]) -> set[int]:
    """A connection from its begin to its end; the ports."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 0), family=family, dualstack_ipv6=address == "::")
    client = socket.create_connection((to, listener.getsockname()[1]))
    server = take(listener)
    ports = {client.getsockname()[1], listener.getsockname()[1]}
    client.sendall(b"x" * 3_000)
    while len(server.recv(65536, socket.MSG_PEEK)) < 3_000:
        pass
    server.recv(65536)
    server.sendall(b"y" * 77)
    client.recv(100)
    client.shutdown(socket.SHUT_WR)
    server.recv(1)
    server.close()
    client.recv(1)
    client.close()
    listener.close()
    return ports


def refused(address: str) -> int:
    """A connection that is refused; the port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as one:
        one.bind((address, 0))
        port = int(one.getsockname()[1])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, port))
    return port


def ends(one: Any) -> tuple[Any, ...]:  # noqa: ANN401 - an event with ports
    """What orders events that may come on several CPUs."""
    return type(one).__name__, one.sport, one.dport


@pytest.mark.parametrize(
    "accepts",
    [("on_accept", "on_accept4"), ("on_accept_plain", "on_accept4_plain")],
    ids=["multipath", "plain"],
)
def test_connections(both: Loads, netns: Namespace, accepts: tuple[str, str]) -> None:
    names = ("on_state", *accepts)
    loaded = both("flows.programs.connections", *names)
    for name in names:
        loaded.attach(name)
    with netns.entered():
        ports: set[int] = set()
        ways = (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1"))
        for address, to in ways:
            ports |= converse(address, to, lambda listener: listener.accept()[0])
            ports |= converse(address, to, accept)
        ports |= {refused("127.0.0.1"), refused("::1")}
        ours, theirs = told(loaded, "connections", lambda one: bool({one.sport, one.dport} & ports))
        same(sorted(ours, key=ends), sorted(theirs, key=ends), count=4 * 6 + 2)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            server, _ = listener.accept()
            left, right = (
                {at: one for at, one in entries.items() if one["pid"] == os.getpid()}
                for entries in loaded.maps("open_now")
            )
            client.close()
            server.close()
    agree(left, right)
    assert len(left) == 2
    assert {one["opened"] for one in left.values()} == {0, 1}


@pytest.mark.parametrize("way", ["one", "many", "direct"])
def test_connections_by_io_uring(both: Loads, netns: Namespace, machine: Machine, way: str) -> None:
    name = connections.programs(machine.btf)[-1].name
    assert name in ("on_io_uring", "on_io_uring_before")
    loaded = both("flows.programs.connections", "on_state", name)
    for one in ("on_state", name):
        loaded.attach(one)
    calls = Path(__file__).parent.parent / "flows/calls.py"
    with netns.entered():
        command = [sys.executable, "-I", "-S", str(calls), way]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            port = int(child.stdout.readline())
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.shutdown(socket.SHUT_WR)
                client.recv(1)
    ours, theirs = told(loaded, "connections", lambda one: port in (one.sport, one.dport))
    same(sorted(ours, key=ends), sorted(theirs, key=ends), count=3 if way == "direct" else 4)


def test_attempts(both: Loads, netns: Namespace) -> None:
    loaded = both("flows.programs.attempts", "on_connect")
    loaded.attach("on_connect")
    with netns.entered():
        for address in ("240.0.0.1", "2001:db8::1", "::ffff:240.0.0.1"):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                with socket.socket(family, kind) as one:
                    assert one.connect_ex((address, 443)) == errno.ENETUNREACH
        refused("127.0.0.1")
    same(*told(loaded, "connections", lambda one: one.pid == os.getpid()), count=3)


@pytest.mark.parametrize("name", ["on_drop", "on_drop_alone"])
def test_drops(both: Loads, netns: Namespace, name: str) -> None:
    loaded = both("flows.programs.drops", name)
    loaded.attach(name)
    with netns.entered():
        for address in ("127.0.0.1", "::1"):
            refused(address)
            datagram(address)
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(STRANGE, ("127.0.0.1", 0))
    inode = os.stat(netns.path).st_ino
    ours, theirs = told(loaded, "drops", lambda one: one.netns == inode)
    same(sorted(ours, key=plain_text), sorted(theirs, key=plain_text), count=len(ours))
    assert {one.family for one in ours} == {2, 10}
    assert {one.protocol for one in ours} >= {6, 17, 200}
    places = {(one.location, one.reason) for one in ours}
    counts, others = (
        {at: one for at, one in entries.items() if (at[0][1], at[1][1]) in places}
        for entries in loaded.maps("sites")
    )
    agree(counts, others)
    assert len(counts) == len(places)


def plain_text(one: Any) -> str:  # noqa: ANN401 - an event
    """What orders events, whatever CPU they come on."""
    return str({name: value for name, value in plain(one).items() if name != "time"})


def datagram(address: str) -> None:
    """A datagram to a port where nobody is."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.sendto(b"hello", (address, 9))


def test_refuse(both: Loads, cgroups: Callable[[], Cgroup]) -> None:
    loaded = both("examples/06_refuse.py", "on_connect")
    code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])))"
    outcomes = []
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = str(server.getsockname()[1])
        for side in loaded.sides:
            group = cgroups()
            side.attach(loaded.programs["on_connect"], group.path)
            done = [
                group.run(sys.executable, "-c", code, f"127.0.0.{last}", port)
                for last in (1, 2, 3, 2)
            ]
            outcomes.append([one.returncode for one in done])
    assert outcomes[0] == outcomes[1] == [0, 1, 0, 1]
    ours, theirs = loaded.maps("attempts")
    assert ours == theirs == {0: 2, 1: 2}


# --- other examples --------------------------------------------------------------------------------


def test_hello(both: Loads) -> None:
    loaded = both("examples/01_hello.py", "on_exec")
    loaded.attach("on_exec")
    pids = [run(TRUE), run("sh", "-c", "true")]
    same(*told(loaded, "ring", lambda one: one.pid in pids), count=2)


def test_syscalls(both: Loads) -> None:
    loaded = both("examples/02_syscalls.py", "on_call")
    loaded.attach("on_call")
    pid = python("import os\nfor _ in range(1000): os.getppid()")
    ours, theirs = loaded.maps("calls")
    assert ours[pid] == theirs[pid]
    assert ours[pid]["count"] > 1000


def test_counts_of_another_call(both: Loads) -> None:
    loaded = both("bench.programs", "count_other")
    loaded.attach("count_other")
    for _ in range(5):
        LIBC.syscall(ADD_KEY, 0, 0, 0, 0, 0)
    ours, theirs = loaded.maps("others")
    assert ours == theirs
    assert sum(ours[0]) == 5


def test_counts_of_calls_by_number(both: Loads) -> None:
    loaded = both("kernel.dispatch.programs.gates", "sys_enter_count")
    loaded.attach("sys_enter_count")
    for _ in range(5):
        LIBC.syscall(ADD_KEY, 0, 0, 0, 0, 0)
    ours, theirs = (one[ADD_KEY] for one in loaded.maps("called"))
    assert sum(ours) == sum(theirs) == 5


def test_the_jobs_of_peers(both: Loads) -> None:
    """Durations decide into which slot a call is counted, so the sums are compared; others call getpid too."""
    names = ("count", "keyed", "begin", "end")
    loaded = both("bench._peer_programs", *names)
    for name in names:
        loaded.attach(name)
    pid = python("import os\nfor _ in range(20_000): os.getpid()")
    loaded.detach()
    ours, theirs = (side[pid] for side in loaded.maps("by_process"))
    assert sum(ours) == sum(theirs) >= 20_000
    for name in ("calls", "took"):
        ours, theirs = (sum(map(sum, side.values())) for side in loaded.maps(name))
        assert ours == pytest.approx(theirs, rel=0.05)
        assert ours >= 20_000


def test_opens(both: Loads, tmp_path: Path) -> None:
    loaded = both("examples/07_opens.py", "on_open")
    loaded.attach("on_open")
    long = tmp_path / ("n" * 120)
    pid = python(f"open({str(long)!r}, 'w'); open('/dev/null')")
    ours, theirs = told(loaded, "opens", lambda one: one.pid == pid)
    same(ours, theirs, count=len(ours))
    assert {str(long)[:95], "/dev/null"} <= {one.name for one in ours}


def test_run_queue(both: Loads) -> None:
    """Times decide what is counted, so the sums are compared: how often tasks waited at all."""
    names = ("on_wakeup", "on_new", "on_switch")
    loaded = both("examples/03_runqueue.py", *names)
    for name in names:
        loaded.attach(name)
    pid = python(NAPS.replace("sys.stdin.readline()", ""))
    for name in names:  # as they were attached: what happens while one goes is counted by the other
        for side in loaded.sides:
            side.links[name][0].close()
    ours, theirs = (sum(map(sum, side.values())) for side in loaded.maps("waits"))
    assert ours == pytest.approx(theirs, rel=0.05, abs=20)
    assert ours > 100
    assert all(pid not in side for side in loaded.maps("ready"))


def test_profile(both: Loads) -> None:
    """On switches of context, which are the same for both: the example's clock ticks when it will."""
    loaded = both("examples/08_profile.py", "on_sample")
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", NAPS], stdin=subprocess.PIPE, text=True
    )
    for side in loaded.sides:
        one = side.programs["on_sample"]
        one.spec = replace(one.spec, options=(("event", "context-switches"), ("period", 1)))
    loaded.attach("on_sample", pid=child.pid)
    child.communicate("go\n")
    ours, theirs = (
        {
            tuple(side[loaded.named("stacks")][stack]): count
            for stack, count in side[loaded.named("samples")].items()
        }
        for side in loaded.sides
    )
    assert ours == theirs
    assert sum(ours.values()) >= 100
