"""Events in words, and lines that fit."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep.cli.event_text import EventText, lineage, what, where, who
from skep.cli.terminal import Terminal, columns

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

EXEC = {
    "time": "2026-01-31T08:00:00.123456789Z",
    "kind": "exec",
    "seq": 1,
    "pid": 42,
    "comm": "ls",
    "user": "root",
    "ancestors": ["bash", "sshd"],
    "filename": "/bin/ls",
    "args": ["ls", "-l", "a b"],
}
ENDS = {"saddr": "10.0.0.1", "sport": 40000, "daddr": "2001:db8::1", "dport": 443}


def text(width: int = 0, *, colours: bool = False) -> EventText:
    return EventText(Terminal(width, colours), lambda moment: moment.astimezone(UTC))


def test_a_line_says_when_what_and_who() -> None:
    assert text().line(EXEC) == (
        "08:00:00.123 exec    ls[42]                 root     ls -l 'a b'  ← bash ← sshd"
    )


def test_the_columns_stand_below_their_names() -> None:
    head, line = text().head(), text().line(EXEC)
    for name, value in (
        ("EVENT", "exec"),
        ("PROCESS", "ls[42]"),
        ("USER", "root"),
        ("WHAT", "ls -l"),
    ):
        assert head.index(name) == line.index(value)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"kind": "exec", "filename": "/bin/true", "args": []}, "/bin/true"),
        ({"kind": "exec", "args": ["a"], "cut": True}, "a (cut)"),
        ({"kind": "fork", "ppid": 3}, "from 3"),
        ({"kind": "exit", "code": 1}, "exit 1"),
        ({"kind": "exit", "code": 0, "user_ns": 1_500_000}, "exit 0, cpu 1.5 ms"),
        ({"kind": "exit", "user_ns": 7_000, "system_ns": 2_000}, "exit ?, cpu 9 us"),
        ({"kind": "exit", "signal": "SIGKILL"}, "killed by SIGKILL"),
        ({"kind": "exit", "signal": 35}, "killed by signal 35"),
        ({"kind": "connect", **ENDS}, "10.0.0.1:40000 → [2001:db8::1]:443"),
        ({"kind": "accept", **ENDS}, "10.0.0.1:40000 ← [2001:db8::1]:443"),
        (
            {
                "kind": "close",
                **ENDS,
                "sent_bytes": 10,
                "received_bytes": 2048,
                "duration_ns": 10**9,
            },
            "10.0.0.1:40000 ↔ [2001:db8::1]:443, sent 10 B, received 2 KiB, 1 s",
        ),
        (
            {"kind": "close", "srtt_us": 45, "retransmits": 2},
            "? ↔ ?, sent 0 B, received 0 B, rtt 45 us, 2 retransmits",
        ),
        (
            {"kind": "close", **ENDS, "start_unknown": True},
            "10.0.0.1:40000 ↔ [2001:db8::1]:443, sent 0 B, received 0 B, since before the agent",
        ),
        (
            {"kind": "drop", "reason": "NO_SOCKET", "location": "tcp_v4_rcv", "length": 60},
            "NO_SOCKET at tcp_v4_rcv, 60 B",
        ),
        ({"kind": "drop", **ENDS}, "?, 10.0.0.1:40000 → [2001:db8::1]:443"),
        ({"kind": "oom", "resident_bytes": 1 << 20}, "out of memory, killed with 1 MiB resident"),
        ({"kind": "mine", "pid": 1, "size": 3, "name": "x"}, "size=3 name=x"),
    ],
)
def test_each_kind_has_its_words(event: dict[str, Any], words: str) -> None:
    assert what(event) == words


@pytest.mark.parametrize(
    ("event", "place"),
    [
        ({}, ""),
        ({"container": {"id": "ab" * 32}}, "abababababab"),
        ({"container": {"id": "ab" * 32, "name": "web"}}, "web"),
        (
            {"container": {"id": "x", "name": "web"}, "pod": {"namespace": "n", "name": "p"}},
            "n/p:web",
        ),
        ({"container": {"id": "x", "name": "web"}, "pod": {"name": "p", "uid": "u"}}, "p:web"),
        ({"container": None, "pod": None}, ""),
    ],
)
def test_a_container_and_its_pod_are_named(event: dict[str, Any], place: str) -> None:
    assert where(event) == place


def test_what_no_process_did_has_no_name() -> None:
    assert who({"kind": "drop"}) == "-"
    assert who({"pid": 3}) == "?[3]"


def test_ancestors_are_names_or_objects() -> None:
    assert lineage({"ancestors": [{"pid": 1, "comm": "init"}, "x"]}) == "← init ← x"


def test_a_hostile_name_cannot_steer_the_terminal() -> None:
    line = text().line({**EXEC, "comm": "\x1b[2J", "args": ["\r\n", "\u202e"], "user": "\t"})
    assert line.isprintable()


@pytest.mark.parametrize("width", [60, 80, 100, 132])
def test_a_line_fits_and_the_ancestors_give_way(width: int) -> None:
    event = {**EXEC, "args": ["x" * 30], "ancestors": ["y" * 15] * 9, "container": {"name": "web"}}
    line = text(width).line(event)
    assert columns(line) <= width
    assert " web " in line
    assert ("x" * 30 in line) is (width > 60)


@pytest.mark.parametrize(
    ("user", "line"),
    [
        (
            "root",
            "08:00:00 connect ls[42]             root :40000 → [2001:db8::1]:443  ← bash ← s…",
        ),
        ("web", "08:00:00 connect ls[42]             web  :40000 → [2001:db8::1]:443  ← bash ← s…"),
        (
            "www-data",
            "08:00:00 connect ls[42]             www-data :40000 → [2001:db8::1]:443  ← bash…",
        ),
    ],
)
def test_a_narrow_line_has_room_for_what_happened(user: str, line: str) -> None:
    event = {**EXEC, **ENDS, "kind": "connect", "user": user}
    assert text(80).line(event) == line
    assert text(80).head() == "TIME     EVENT   PROCESS            USER WHAT"


@pytest.mark.parametrize(
    ("comm", "who"),
    [
        ("a-longest-name1", "a-longest…[123456] "),
        ("\x1b[31mred", r"\x1b[31mr…[123456] "),
        ("漢字漢字漢字", "漢字漢字…[123456]  "),
        ("short", "short[123456]      "),
    ],
)
def test_a_name_that_is_long_gives_way_and_its_number_stays(comm: str, who: str) -> None:
    event = {**EXEC, "comm": comm, "pid": 123456}
    assert f"exec    {who}root" in text(80).line(event)


def test_a_narrow_line_keeps_the_addresses_that_are_not_this_hosts() -> None:
    drop = {**EXEC, **ENDS, "kind": "drop", "reason": "X", "pid": None}
    assert "X, 10.0.0.1:40000 → [2001:db8::1]:443" in text(80).line(drop)
    assert "10.0.0.1 → ?" in text(80).line({"kind": "connect", "saddr": "10.0.0.1"})
    failed: dict[str, object] = {"kind": "connect", "failed": True, "error": "ENETUNREACH"}
    failed |= {"daddr": "10.0.0.9", "dport": 80}
    assert (
        text(80).line(failed).endswith("-                       → 10.0.0.9:80, failed: ENETUNREACH")
    )


@PATIENT
@given(
    st.dictionaries(
        st.sampled_from(
            ["comm", "user", "args", "ancestors", "pod", "container", "time", "signal"]
        ),
        st.none() | st.text(max_size=30) | st.lists(st.text(max_size=9), max_size=3),
    ),
    st.integers(60, 120),
)
def test_no_event_of_another_release_breaks_a_line(keys: dict[str, Any], width: int) -> None:
    odd = {key: value for key, value in keys.items() if key not in ("pod", "container", "signal")}
    line = text(width).line({"kind": "exec", "pid": 1, **odd})
    assert line.isprintable()


def test_colours_are_for_terminals_that_take_them() -> None:
    assert "\x1b[32mexec" in text(80, colours=True).line(EXEC)


def test_local_time_is_shown() -> None:
    shown = EventText(Terminal()).line(EXEC)[:8]
    assert shown == datetime.fromisoformat("2026-01-31T08:00:00+00:00").astimezone().strftime("%X")
