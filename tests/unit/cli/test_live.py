"""What goes on: the end of a command, events as they come, an agent that starts."""

import json
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue

import pytest

from skep.agent.order import Order
from skep.api.query import Query
from skep.base.clock import boot_ns, rfc3339, wall_offset_ns
from skep.cli import agent_process, stream
from skep.cli.agent_process import AgentProcess, NotStarted
from skep.cli.ending import Ending
from skep.cli.run_programs import _json, _text
from skep.cli.terminal import Terminal
from skep.cli.watch import Watch
from skep.events.record import Record
from skep.events.shown import shown
from skep.lang.types import char, u32


def ready(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def test_the_end_is_a_signal_or_the_time() -> None:
    with Ending() as ending:
        assert not ready(ending.fd)
        os.kill(os.getpid(), signal.SIGTERM)
        assert ready(ending.fd)
        assert (ending.come, ending.signal) == (True, signal.SIGTERM)
    with Ending(0.0) as ending:
        select.select([ending.fd], [], [], 10)
        assert (ending.come, ending.signal) == (True, 0)


def test_a_second_interrupt_interrupts() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Ending():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


class FakeClient:
    """Gives streams, one after the other; keeps what it was asked."""

    def __init__(self, *streams: list[bytes]) -> None:
        self._streams = list(streams)
        self.asked: list[Query] = []

    def pieces(self, choice: Query, _: int) -> Iterator[bytes]:
        self.asked.append(choice)
        yield from self._streams.pop(0)


HINT = "what it said is above; `skep agent` runs it alone"
EVENT = b'{"time":"2026-01-31T08:00:00.000000001Z","kind":"exec","pid":1,"comm":"a","args":["a"]}\n'
DROPPED = b'{"notice":"dropped","reason":"slow"}\n'


def test_json_passes_as_it_came_and_notices_go_aside(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    client = FakeClient([EVENT + b'{"notice":"lost","count":3}\n' + EVENT, EVENT])
    with Ending() as ending:
        stream.show(client, Query(last=5), ending)  # type: ignore[arg-type]
    said = capfdbinary.readouterr()
    assert said.out == EVENT * 3
    assert said.err == b"skep: lost: count 3\n"


@pytest.mark.parametrize("follow", [True, False])
def test_an_agent_that_ends_while_it_is_followed_is_told(
    capsys: pytest.CaptureFixture[str], *, follow: bool
) -> None:
    with Ending() as ending:
        stream.show(FakeClient([EVENT]), Query(follow=follow), ending)  # type: ignore[arg-type]
    told = "skep: the agent was ended from elsewhere\n" if follow else ""
    assert capsys.readouterr().err == told


def test_text_is_a_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    with Ending() as ending:
        client = FakeClient([EVENT * 2])
        stream.show(client, Query(), ending, Terminal())  # type: ignore[arg-type]
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:3] for line in lines] == [["exec", "a[1]"]] * 2


def at(moment: datetime) -> bytes:
    """An event of that time."""
    return b'{"time":"%s.5Z","kind":"oom"}\n' % moment.astimezone(UTC).isoformat()[:19].encode()


def test_where_another_day_begins_its_date_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.fromisoformat(rfc3339(boot_ns() + wall_offset_ns())[:19] + "+00:00").astimezone()
    before = now - timedelta(days=2)
    events = [at(now), at(before), at(before), b'{"kind":"oom"}\n', at(now)]
    with Ending() as ending:
        stream.show(FakeClient(events), Query(), ending, Terminal())  # type: ignore[arg-type]
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "oom" not in line] == [str(before.date()), str(now.date())]
    assert [lines.index(str(one.date())) for one in (before, now)] == [1, 5]


def test_a_terminal_that_became_another_since_the_head_gets_a_new_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Ending() as ending:
        client = FakeClient([EVENT, EVENT])
        stream.show(client, Query(), ending, Terminal(80))  # type: ignore[arg-type]
    head, _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in (head, *lines)] == ["EVENT", "exec", "exec"]


def test_a_reader_that_was_too_slow_goes_on_with_what_comes(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    client = FakeClient([EVENT, DROPPED], [EVENT])
    with Ending() as ending:
        stream.show(client, Query(follow=True, last=9), ending)  # type: ignore[arg-type]
    assert client.asked == [Query(follow=True, last=9), Query(follow=True)]
    said = capfdbinary.readouterr()
    assert (said.out, b"slow" in said.err) == (EVENT * 2, True)


def start(monkeypatch: pytest.MonkeyPatch, program: str) -> AgentProcess:
    """An agent that is only ``program``, which has the face's socket as ``face``."""
    head = (
        "import json, socket, sys\n"
        "order = json.loads(sys.argv[1])\n"
        "face = socket.socket(fileno=order['face'])\n"
        "say = lambda **m: face.sendall(json.dumps(m).encode() + b'\\n')\n"
    )
    monkeypatch.setattr(
        Order,
        "command",
        lambda self: [sys.executable, "-c", head + program, json.dumps({"face": self.face})],
    )
    return AgentProcess(Order())


def test_the_face_hears_of_the_start_and_the_agent_of_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = "say(doing='a')\nsay(doing='b')\nsay(ready=True)\nface.recv(1) or sys.exit(3)"
    heard: list[str] = []
    with start(monkeypatch, program) as agent, Ending() as ending:
        assert agent.wait_ready(heard.append, ending)
        assert agent.end() == 3
    assert heard == ["a", "b"]


@pytest.mark.parametrize(
    ("program", "name", "text"),
    [
        ("say(error='Conflict', text='held')", "Conflict", "held"),
        ("sys.exit(7)", "", "the agent ended at its start (exit code 7); " + HINT),
        (
            "import os; os.kill(os.getpid(), 9)",
            "",
            "the agent ended at its start (SIGKILL); " + HINT,
        ),
    ],
)
def test_a_start_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, program: str, name: str, text: str
) -> None:
    with start(monkeypatch, program) as agent, Ending() as ending:
        with pytest.raises(NotStarted) as caught:
            agent.wait_ready(lambda _: None, ending)
        assert (caught.value.name, str(caught.value)) == (name, text)


def test_the_end_may_come_before_the_agent_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    with start(monkeypatch, "face.recv(1)") as agent, Ending(0.0) as ending:
        assert not agent.wait_ready(lambda _: None, ending)


def said_by(path: Path) -> str:
    """A line of a program: wait until somebody has opened ``path``, a pipe, to write."""
    os.mkfifo(path)
    return f"open({str(path)!r}).read()\n"


def test_a_start_without_a_word_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(agent_process, "SILENCE_SECONDS", 0.05)
    heard: list[float] = []

    def late(seconds: float) -> None:
        heard.append(seconds)
        (tmp_path / "pipe").write_text("")

    program = said_by(tmp_path / "pipe") + "say(ready=True)\nface.recv(1)"
    with start(monkeypatch, program) as agent, Ending() as ending:
        assert agent.wait_ready(lambda _: None, ending, late)
    assert heard == [0.05]


def test_an_agent_that_gives_no_answer_is_told_of_and_that_it_answers_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers = "while face.recv(9): say(alive=True)"
    program = "say(ready=True)\n" + said_by(tmp_path / "pipe") + answers
    heard = Queue[str]()
    with start(monkeypatch, program) as agent, Ending() as ending:
        assert agent.wait_ready(lambda _: None, ending)
        with Watch(agent, heard.put, every=0.01, patience=0.05):
            who = f"the agent (pid {agent.pid})"
            assert heard.get(timeout=60) == f"{who} gives no answer for 0.05 s; Ctrl-C ends it"
            (tmp_path / "pipe").write_text("")
            assert heard.get(timeout=60) == f"{who} answers again"


def test_of_an_agent_that_answers_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    third = f"open({str(tmp_path / 'pipe')!r}, 'w').close()"
    program = (
        f"say(ready=True)\nfor n in range(3): face.recv(1), say(alive=True)\n{third}\nface.recv(1)"
    )
    heard = Queue[str]()
    with start(monkeypatch, program) as agent, Ending() as ending:
        assert agent.wait_ready(lambda _: None, ending)
        with Watch(agent, heard.put, every=0.01, patience=60):
            assert (tmp_path / "pipe").read_text() == ""
    assert heard.empty()


def test_who_interrupts_the_end_of_an_agent_that_hangs_leaves_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    agent = start(monkeypatch, "say(ready=True)\n" + said_by(tmp_path / "pipe"))
    with Ending() as ending:
        assert agent.wait_ready(lambda _: None, ending)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        agent.end()
    with pytest.raises(ProcessLookupError):
        os.kill(agent.pid, 0)


class Mine(Record, kind="mine"):
    """A user's record."""

    pid: u32
    name: char[8]


def test_events_of_a_users_ring_are_text_or_json() -> None:
    event = Mine(time=0, seq=3, pid=7, name="\x1bx")
    assert _text(shown, event) == "mine pid=7 name=\\x1bx"
    found = json.loads(_json(shown, event))
    assert {key: found[key] for key in found if key != "time"} == {
        "kind": "mine",
        "seq": 3,
        "pid": 7,
        "name": "\x1bx",
    }


def test_an_end_that_came_early_is_not_lost_when_the_time_begins() -> None:
    with Ending() as ending:
        os.kill(os.getpid(), signal.SIGTERM)
        ending.limit(1000.0)
        assert ready(ending.fd)
        assert ending.signal == signal.SIGTERM
        ending.limit(None)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
