"""Events as JSON: what a line holds, and that it is always JSON."""

import errno
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.events import shows
from skep.events.batch import Batch
from skep.events.json import WHO, Formatter, as_dict, line
from skep.events.record import Record
from skep.flows.programs.records import Close, Connect, Drop
from skep.lang.forms import Address, Bytes, Form, Hex, Marks, Names
from skep.lang.struct import Struct
from skep.lang.types import char, s32, u8, u16, u32
from skep.node.programs.records import CUT, Exec, Exit
from tests.unit.events.synthetic import PATIENT

WALL = 1_700_000_000 * 10**9


def vector(*words: str | bytes) -> dict[str, Any]:
    """The fields of an Exec for an argument vector, as far as it fits."""
    raw = b"".join((w.encode() if isinstance(w, str) else w) + b"\0" for w in words)
    return {"args": list(raw[:112].ljust(112, b"\xaa")), "args_size": len(raw)}


def shown(event: Record, names: Mapping[str, Callable[[int], str]] | None = None) -> dict[str, Any]:
    """What the line of one event means."""
    batch = Batch.of(type(event), [event])
    value: dict[str, Any] = json.loads(Formatter(type(event), names=names).lines(batch, WALL)[0])
    return value


def test_a_line_has_time_kind_and_seq_first_then_the_fields_of_its_own() -> None:
    event = Exec(time=5, seq=7, pid=9, comm="ls", filename="/bin/ls", **vector("ls", "-l"))
    text = line(event, WALL)
    assert text.startswith(b'{"time":"2023-11-14T22:13:20.000000005Z","kind":"exec","seq":7,')
    assert as_dict(event, WALL) == {
        "time": "2023-11-14T22:13:20.000000005Z",
        "kind": "exec",
        "seq": 7,
        "pid": 9,
        "ppid": 0,
        "uid": 0,
        "gid": 0,
        "cgroup": 0,
        "start": 0,
        "comm": "ls",
        "filename": "/bin/ls",
        "args": ["ls", "-l"],
    }


def test_who_did_it_stands_in_place_of_the_records_own_fields() -> None:
    batch = Batch.of(Exit, [Exit(pid=1, code=2), Exit(pid=3, code=-1)])
    lines = Formatter(Exit, omit=WHO).lines(batch, WALL, [b'"pid":1,"ancestors":["init"]', b""])
    own = {"code": 2, "user_ns": 0, "system_ns": 0}
    first, second = (json.loads(one) for one in lines)
    assert {k: first[k] for k in first if k not in ("time", "kind", "seq")} == {
        "pid": 1,
        "ancestors": ["init"],
        **own,
    }
    assert "pid" not in second
    assert second["code"] == -1


def test_what_processes_share_stands_behind_the_pid_of_each() -> None:
    batch = Batch.of(Exit, [Exit(pid=1), Exit(pid=3), Exit(pid=4)])
    alike = Formatter(Exit, omit=WHO).lines(batch, WALL, [b',"comm":"a"'] * 3)
    assert [(one["pid"], one["comm"]) for one in map(json.loads, alike)] == [
        (1, "a"),
        (3, "a"),
        (4, "a"),
    ]
    mixed = Formatter(Exit, omit=WHO).lines(batch, WALL, [b',"comm":"a"', b'"user":"u"', b""])
    found = [json.loads(one) for one in mixed]
    assert (found[0]["pid"], found[1]["user"]) == (1, "u")
    assert "pid" not in found[1] | found[2]


def test_each_line_ends() -> None:
    lines = Formatter(Exit).lines(Batch.of(Exit, [Exit(), Exit()]), WALL)
    assert [one.count(b"\n") for one in lines] == [1, 1]
    assert all(one.endswith(b"}\n") for one in lines)
    assert not line(Exit(), WALL).endswith(b"\n")


def test_addresses_are_text_by_their_family() -> None:
    v4 = Connect(family=2, saddr=[10, 0, 0, 1] + [9] * 12, daddr=[0] * 16, sport=1, dport=443)
    assert (shown(v4)["saddr"], shown(v4)["daddr"]) == ("10.0.0.1", "0.0.0.0")
    v6 = Connect(family=10, saddr=[0] * 15 + [1], daddr=[0xFE, 0x80] + [0] * 13 + [2])
    assert (shown(v6)["saddr"], shown(v6)["daddr"]) == ("::1", "fe80::2")
    assert shown(Connect(family=77))["daddr"] is None
    assert "saddr" not in shown(Connect(family=10, daddr=[1] * 16))


def test_a_cut_event_says_so_and_another_does_not() -> None:
    assert shown(Exec(flags=CUT))["cut"] is True
    assert "cut" not in shown(Exec(flags=1))


def test_names_are_given_by_whoever_knows_them() -> None:
    drop = Drop(reason=6, location=0xFFFFFFFF81000010)
    assert shown(drop)["location"] == "0xffffffff81000010"
    named = shown(drop, names={"reason": {6: "NO_SOCKET"}.__getitem__, "location": hex})
    assert (named["reason"], named["location"]) == ("NO_SOCKET", "0xffffffff81000010")


@pytest.mark.parametrize(
    ("words", "args"),
    [
        ((), []),
        (("",), [""]),
        (("a", "", "b"), ["a", "", "b"]),
        ((b"\xff\xfe", '"\\\n'), ["\\xff\\xfe", '"\\\n']),
        (("x" * 200,), ["x" * 112]),
        (("snow☃", "\\u0000"), ["snow☃", "\\u0000"]),
    ],
)
def test_an_argument_vector_is_a_list_of_texts(words: tuple[str, ...], args: list[str]) -> None:
    assert shown(Exec(**vector(*words)))["args"] == args


def test_whole_values_replace_what_fitted() -> None:
    batch = Batch.of(Exec, [Exec(filename="/start"), Exec(filename="/other")])
    longer = {"filename": {0: b"/start/and/end"}, "args": {1: b"a\0" + b"b" * 100_000 + b"\0"}}
    first, second = map(json.loads, Formatter(Exec).lines(Batch(Exec, batch.columns, longer), WALL))
    assert (first["filename"], second["filename"]) == ("/start/and/end", "/other")
    assert second["args"] == ["a", "b" * 100_000]


def test_text_ends_at_the_first_nul() -> None:
    raw = bytearray(Exec(comm="sh").to_bytes())
    raw[64 + 3 : 64 + 6] = b"old"
    batch = Batch.from_rows(Exec, np.frombuffer(raw, Exec.dtype))
    assert json.loads(Formatter(Exec).lines(batch, WALL)[0])["comm"] == "sh"


def test_time_runs_over_seconds_and_before_the_epoch() -> None:
    times = [0, 999_999_999, 1_000_000_000, 86_400 * 10**9]
    lines = Formatter(Exit).lines(Batch.of(Exit, [Exit(time=t) for t in times]), 0)
    assert [json.loads(one)["time"] for one in lines] == [
        "1970-01-01T00:00:00.000000000Z",
        "1970-01-01T00:00:00.999999999Z",
        "1970-01-01T00:00:01.000000000Z",
        "1970-01-02T00:00:00.000000000Z",
    ]
    (early,) = Formatter(Exit).lines(Batch.of(Exit, [Exit(time=0)]), -1)
    assert json.loads(early)["time"] == "1969-12-31T23:59:59.999999999Z"


class Point(Struct):
    x: u16
    y: u16


class Odd(
    Record,
    kind='odd "kind"',
    forms={
        "state": Names(((1, "on"), (2, "off"))),
        "bits": Marks(((1, "one"), (4, "four"))),
        "path": Bytes(),
    },
):
    state: u32
    bits: u32
    path: u8[8]
    raw: u8[4]
    numbers: u32[2]
    point: Point
    signed: s32
    letter: char[4]


def test_other_fields_have_a_form_too() -> None:
    event = Odd(
        state=2,
        bits=5,
        path=list(b"/a\0zzzzz"),
        raw=[1, 2, 3, 255],
        numbers=[7, 8],
        point=Point(x=1, y=2),
        signed=-5,
    )
    value = shown(event)
    del value["time"], value["seq"]
    assert value == {
        "kind": 'odd "kind"',
        "state": "off",
        "one": True,
        "four": True,
        "path": "/a",
        "raw": "010203ff",
        "numbers": [7, 8],
        "point": {"x": 1, "y": 2},
        "signed": -5,
        "letter": "",
    }
    assert shown(Odd(state=9))["state"] == 9


@pytest.mark.parametrize("form", [Hex(), Address(), Bytes(), Marks(())])
def test_a_form_that_does_not_go_with_the_type_is_refused(form: Form) -> None:
    class Wrong(Record, forms={"field": form}):
        field: char[16]

    with pytest.raises(
        TypeError, match=rf"field: char\[16\] cannot be shown as {type(form).__name__}"
    ):
        Formatter(Wrong)


def test_an_empty_batch_has_no_lines() -> None:
    assert Formatter(Exec).lines(Batch.of(Exec, []), WALL) == []


def test_lines_take_no_more_of_numpy_than_numpy_itself() -> None:
    code = (
        "import sys, numpy; before = set(sys.modules);"
        "from skep.events.batch import Batch; from skep.events.json import Formatter;"
        "from skep.node.programs.records import Exit;"
        "lines = Formatter(Exit).lines(Batch.of(Exit, [Exit(time=1), Exit(time=2**40)]), 0);"
        "print(len(lines), [m for m in set(sys.modules) - before if m.startswith('numpy.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2 []\n", "20 ms before the first event, and a megabyte"


def test_what_is_remembered_is_bounded() -> None:
    memo = shows.Memo(lambda key: b"%d" % key)
    assert [memo[n] for n in range(3 * shows.REMEMBERED)][-1] == b"%d" % (3 * shows.REMEMBERED - 1)
    assert len(memo) <= shows.REMEMBERED


@PATIENT
@given(
    st.lists(
        st.tuples(st.binary(max_size=16), st.binary(max_size=64), st.binary(max_size=112)),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 300),
    st.integers(0, 2**62),
)
def test_whatever_bytes_come_a_line_is_json(
    raw: list[tuple[bytes, bytes, bytes]], size: int, time: int
) -> None:
    rows = np.zeros(len(raw), Exec.dtype)
    for row, (comm, filename, args) in zip(rows, raw, strict=True):
        row["comm"], row["filename"], row["time"] = comm, filename, time
        row["args"][: len(args)] = list(args)
        row["args_size"] = size
    lines = Formatter(Exec).lines(Batch.from_rows(Exec, rows), WALL)
    for one, (comm, _, args) in zip(lines, raw, strict=True):
        assert one.index(b"\n") == len(one) - 1
        value = json.loads(one)
        assert value["comm"] == comm.split(b"\0")[0].decode("utf-8", "backslashreplace")
        vector = args.ljust(112, b"\0")[:size]
        want = vector.removesuffix(b"\0").split(b"\0") if vector else []
        assert value["args"] == [w.decode("utf-8", "backslashreplace") for w in want]


def test_a_close_shows_its_figures() -> None:
    figures = {"sent_bytes": 10, "received_bytes": 20, "duration_ns": 30, "srtt_us": 40}
    value = shown(Close(family=2, **figures, retransmits=1))
    assert {key: value[key] for key in figures} == figures
    assert value["retransmits"] == 1


def test_what_is_not_known_or_not_there_has_no_key() -> None:
    value = shown(Close(family=2))
    assert value.keys().isdisjoint({"error", "failed", "duration_ns", "srtt_us"})
    assert (value["sent_bytes"], value["retransmits"]) == (0, 0)
    assert shown(Close(family=2, error=errno.ECONNRESET))["error"] == "ECONNRESET"
    assert shown(Close(family=2, error=4711))["error"] == 4711


def test_a_process_exits_with_a_code_or_is_killed_by_a_signal() -> None:
    exited, killed = shown(Exit(code=0)), shown(Exit(signal=9))
    assert (exited["code"], "signal" in exited) == (0, False)
    assert (killed["signal"], "code" in killed) == ("SIGKILL", False)


def test_rows_with_and_without_a_key_stand_beside_each_other() -> None:
    batch = Batch.of(Exit, [Exit(code=3), Exit(signal=15), Exit(code=0)])
    lines = [json.loads(one) for one in Formatter(Exit, omit=WHO).lines(batch, WALL)]
    assert [(one.get("code"), one.get("signal")) for one in lines] == [
        (3, None),
        (None, "SIGTERM"),
        (0, None),
    ]
