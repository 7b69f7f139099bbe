"""The later examples and their twins: the same hooks, the same packets, the same of both."""

import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench._packets import ACK, SYN, opening, tcp
from skep.testing.network import Namespace
from tests.kernel.bench.conftest import Both, Loads, agree, same
from tests.kernel.bench.test_twins import WHOLE, packets, verdicts
from tests.kernel.bench.test_twins_attached import NAPS, converse, python, told
from tests.kernel.examples.devices import read_directly
from tests.kernel.examples.running import ROOT
from tests.kernel.examples.test_watching import READS, TRIES
from tests.kernel.examples.test_watching import device as device  # noqa: PLC0414 - a fixture, given on

pytestmark = pytest.mark.native("clang's objects are made for the kernel of this machine")

ASLEEP = 90_000_000
TIMES = 20


def test_opensnoop(both: Loads, tmp_path: Path) -> None:
    names = ("on_open", "on_openat", "on_opened")
    loaded = both("examples/09_opensnoop.py", *names)
    for name in names:
        loaded.attach(name)
    long = tmp_path / ("n" * 220)
    pid = python(
        f"open({str(long)!r}, 'w'); open('/dev/null')\ntry: open('/none')\nexcept OSError: pass"
    )
    ours, theirs = told(loaded, "opens", lambda one: one.pid == pid)
    same(ours, theirs, count=len(ours))
    assert {str(long)[:191], "/dev/null"} <= {one.name for one in ours if one.result > 2}
    assert [one.result for one in ours if one.name == "/none"] == [-2]


def test_tcplife(both: Loads, netns: Namespace) -> None:
    loaded = both("examples/10_tcplife.py", "on_state")
    loaded.attach("on_state")
    with netns.entered():
        found: set[int] = set()
        for address, to in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1")):
            found |= converse(address, to, lambda listener: listener.accept()[0])
    ours, theirs = told(
        loaded, "lives", lambda one: {one.port, one.peer_port} <= found and one.pid == os.getpid()
    )
    same(sorted(ours, key=by_port), sorted(theirs, key=by_port), count=6)
    assert {(one.sent, one.received) for one in ours} == {(3_000, 77), (77, 3_000)}


def by_port(one: object) -> tuple[int, int]:
    """What orders events that may come on several CPUs."""
    return one.port, one.peer_port  # type: ignore[attr-defined]


def test_off_cpu_time(both: Loads) -> None:
    """Each has its own frame in the stacks and its own clock: a process waited almost as long for both."""
    for _ in range(TRIES):
        ours, theirs = waited(both("examples/11_offcputime.py", "on_switch"))
        if min(ours, theirs) > ASLEEP:
            break  # else another stack lay in the place of the sleeper's; anew, they lie elsewhere
    assert min(ours, theirs) > ASLEEP
    assert ours == pytest.approx(theirs, rel=0.05)


def waited(loaded: Both) -> tuple[int, int]:
    """How long a process that sleeps for 100 ms waited for both, ns."""
    loaded.attach("on_switch")
    pid = python(NAPS.replace("sys.stdin.readline()", ""))
    loaded.detach()
    ours, theirs = (
        sum(ns for at, ns in times.items() if dict(at)["pid"] == pid)
        for times in loaded.maps("times")
    )
    return ours, theirs


def test_block_latency(both: Loads, device: str) -> None:
    """Many requests: those of others come in when one is attached and the other is not yet."""
    loaded = both("examples/12_biolatency.py", "on_issue", "on_complete")
    loaded.attach("on_issue")
    loaded.attach("on_complete")
    for _ in range(TIMES):
        read_directly(device, READS)
    loaded.detach()
    ours, theirs = (sum(map(sum, side.values())) for side in loaded.maps("latencies"))
    assert ours == pytest.approx(theirs, rel=0.05)
    assert min(ours, theirs) >= TIMES * READS


def test_rate_limit(both: Loads) -> None:
    """A bucket of 20, which gets one a second: when more pass, depends on how long this takes."""
    loaded = both("examples/13_rate_limit.py", "limit")
    verdicts(loaded, "limit", [one for one in packets() if len(one) < WHOLE])
    one = bytes(12) + b"\x08\x00" + bytes(12) + b"\x0a\0\0\x07" + bytes(60)
    sides = [[run(one).retval for _ in range(60)] for run in loaded.runs("limit")]
    for side in sides:
        assert side[:20] == [2] * 20
        assert 1 in side[20:]
    ours, theirs = loaded.maps("full_at")
    assert list(ours) == list(theirs)
    assert len(ours) == 1


def test_syn_counter(both: Loads) -> None:
    loaded = both("examples/14_syn_counter.py", "on_packet")
    whole = [
        *(
            tcp(flags, 80, version)
            for flags in (SYN, ACK, SYN | ACK, SYN | 0x40)
            for version in (4, 6)
        ),
        *(tcp(SYN, 443, options=words) for words in (1, 10)),
        tcp(SYN, 444, offset=1),
        tcp(SYN, 445, offset=0x4000),
    ]
    given = [*packets(), *whole, *(whole[0][:size] for size in range(len(whole[0])))]
    verdicts(loaded, "on_packet", [one for one in given if len(one) >= WHOLE])
    ours, theirs = ({at: cpus for at, cpus in m.items() if sum(cpus)} for m in loaded.maps("syns"))
    agree(ours, theirs)
    assert {at: sum(cpus) for at, cpus in ours.items()}.items() >= {443: 2, 445: 1}.items()
    assert 444 not in ours


def test_syn_cookies(both: Loads, netns: Namespace) -> None:
    """Both give the same cookie: it is made of the ends, a secret of the kernel's, and the minute."""
    loaded = both("examples/17_syn_cookies.py", "answers")
    verdicts(loaded, "answers", [one for one in packets() if len(one) >= WHOLE])
    with netns.entered(), socket.create_server(("127.0.0.1", 80)):
        Path("/proc/sys/net/ipv4/tcp_syncookies").write_text("2")
        given = [
            opening(80),
            opening(81),
            opening(80, ACK),
            opening(80, SYN | ACK),
            opening(80, SYN, 5),
        ]
        left = [[run(one).retval for one in given] for run in loaded.runs("answers")]
        assert left == [[3, 2, 2, 2, 2]] * 2
        answers = list[bytes]()
        while len(answers) < TRIES and len({*answers[-2:]}) != 1:  # a minute may begin between them
            answers += [run(given[0]).data for run in loaded.runs("answers")]
    assert answers[-2] == answers[-1]
    times = 1 + len(answers) // 2
    assert [sum(map(sum, side.values())) for side in loaded.maps("answered")] == [times] * 2


@pytest.mark.requires("link.uprobe")
def test_tls(both: Loads) -> None:
    names = ("on_call", "on_call_ex", "on_return")
    loaded = both("examples/15_tls.py", *names)
    talk = runpy.run_path(str(ROOT / "examples/15_tls.py"))["TALK"]
    command = ["sh", "-c", 'kill -STOP $$; exec "$@"', "sh", sys.executable, "-c", talk]
    child = subprocess.Popen(command)
    try:
        os.waitpid(child.pid, os.WUNTRACED)
        for way, name in enumerate(("SSL_read", "SSL_write")):
            for one, place in (("on_call", name), ("on_call_ex", f"{name}_ex")):
                loaded.attach(one, f"libssl.so.3:{place}", pid=child.pid)
                loaded.attach("on_return", f"libssl.so.3:{place}", pid=child.pid, cookie=way)
        os.kill(child.pid, signal.SIGCONT)
        assert child.wait() == 0
    finally:
        child.kill()
        child.wait()
    ours, theirs = told(loaded, "texts", lambda _: True)
    same(ours, theirs, count=4)
    assert {one.size for one in ours} == {10, 23}
