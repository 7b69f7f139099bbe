"""The process table over time: definitions, bounds, sweeps, seeds and ancestors."""

import numpy as np
import pytest

from skep.node.image_store import Bounds
from skep.node.images import TICK, Row
from tests.unit.node.scripts import SECOND, START, Script


@pytest.fixture
def script() -> Script:
    script = Script()
    script.table.seed([Row(1, 0, 0, 1, 0, b"init"), Row(10, 1, 0, 1, 5 * TICK, b"bash")], START)
    return script


def test_a_definition_is_sent_once_when_an_event_first_names_it(script: Script) -> None:
    assert script.table.definitions() == []
    script.fork(100, 10, 500, "bash")
    refs = script.end()
    script.ref(10, 200)
    sent = script.table.definitions()
    assert [ref for ref, _ in sent] == [refs["fork"][0], script.ref(10, 210)]
    assert dict(sent)[refs["fork"][0]] == script.table.describe(refs["fork"][0])
    script.ref(500, 300)
    assert script.table.definitions() == []


def test_refs_are_never_given_twice_and_a_successor_begins_higher(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    first = script.end()["fork"][0]
    successor = Script(first_ref=1 << 32)
    successor.fork(100, 10, 500, "bash")
    assert successor.end()["fork"][0] >= 1 << 32 > first


def test_ended_processes_go_after_the_grace(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    script.exec(200, 500, "curl", 100)
    script.exit(300, 500, "curl", 100)
    script.end()
    before = len(script.table)
    script.fork(300 + 5 * SECOND, 10, 501, "bash")
    script.end()
    assert script.who(500, 250) == "curl", "still within the grace"
    script.fork(302 + 5 * SECOND, 10, 502, "bash")
    script.end()
    assert len(script.table) == before, "two images went, two came"
    assert script.who(500, 250, "late") == "late", "made up of the event itself"


def test_what_differs_in_the_pid_alone_has_one_definition(script: Script) -> None:
    for pid in range(500, 600):
        script.fork(pid, 10, pid, "bash")
        script.exec(pid, pid, "true", pid, ppid=10)
    refs = script.end()
    assert len({*refs["fork"]}) == len({*refs["exec"]}) == 1
    assert [ref for ref, _ in script.table.definitions()] == [refs["fork"][0], refs["exec"][0]]


def test_a_definition_that_is_not_used_for_long_is_retired_and_told_again(script: Script) -> None:
    first = script.ref(501, 100, "again")
    for pid in range(1_024):
        script.ref(10_000 + pid, 100, f"p{pid}")
    assert script.ref(502, 100, "again") == first, "used lately"
    for pid in range(2 * 1_024):
        script.ref(10_000 + pid, 100, f"q{pid}")
    assert first in script.table.retired()
    with pytest.raises(KeyError):
        script.table.describe(first)
    again = script.ref(503, 100, "again")
    assert script.fragment(again)["comm"] == "again"
    assert again in dict(script.table.definitions())


def test_a_pid_that_lives_again_keeps_its_present_process_when_the_old_one_goes() -> None:
    script = Script()
    script.fork(100, 10, 500, "old")
    script.exit(300, 500, "old", 100)
    script.fork(400, 10, 500, "new")
    script.fork(6 * SECOND, 10, 501, "x")
    script.end()
    assert script.who(500, 450) == "new"
    assert script.who(500, 150, "forgotten") == "forgotten"
    assert len(script.table) == 3, "new, x and the stranger"


def test_ended_processes_are_bounded_in_number() -> None:
    script = Script(Bounds(ended=100))
    for i in range(10_000):
        script.fork(3 * i, 10, 1_000 + i, "a")
        script.exec(3 * i + 1, 1_000 + i, "b", 3 * i)
        script.exit(3 * i + 2, 1_000 + i, "b", 3 * i)
        if i % 50 == 0:
            script.end()
    script.end()
    assert len(script.table) == 200


def test_live_processes_are_bounded_and_a_sweep_is_asked_for() -> None:
    script = Script(Bounds(alive=800, ended=100))
    for i in range(3_000):
        script.fork(i, 10, 1_000 + i, "a")
        script.end()
        assert len(script.table) <= 1_001
    assert script.table.crowded
    assert script.table.counts.forgotten >= 1_999
    assert script.who(3_999, 5_000) == "a", "the newest are kept"


def test_a_sweep_ends_those_whose_exit_was_lost(script: Script) -> None:
    script.fork(100, 10, 500, "lost")
    script.fork(110, 10, 501, "lives")
    script.end()
    script.fork(200, 10, 502, "newer than the sweep")
    script.end()
    alive = [
        Row(1, 0, 0, 1, 0, b"init"),
        Row(10, 1, 0, 1, 5 * TICK, b"bash"),
        Row(501, 10, 0, 1, START + 110, b"lives"),
    ]
    script.table.sweep(alive, START + 150)
    assert script.table.counts.swept == 1
    script.fork(6 * SECOND, 10, 503, "x")
    script.end()
    assert script.who(500, 120, "gone") == "gone"
    assert script.who(501, 120) == "lives"
    assert script.who(502, 220) == "newer than the sweep"


def test_a_sweep_sees_a_pid_that_was_reused_unseen(script: Script) -> None:
    script.fork(100, 10, 500, "before")
    script.end()
    script.table.sweep([Row(500, 10, 0, 1, START + 300, b"after")], START + 400)
    assert script.who(500, 350) == "after"
    assert script.who(500, 150) == "before"
    assert script.table.counts.replaced == 1


def test_what_is_seeded_in_ticks_is_the_process_that_records_tell_of() -> None:
    script = Script()
    start = 3 * TICK + 123
    script.table.seed([Row(500, 0, 0, 1, START + 3 * TICK, b"seeded")], START + 9 * TICK)
    script.exec(10 * TICK, 500, "curl", start)
    script.exit(11 * TICK, 500, "curl", start)
    script.end()
    assert script.who(500, 5 * TICK) == "seeded"
    assert script.who(500, 10 * TICK) == "curl"
    assert script.table.counts.adopted == script.table.counts.replaced == 0


def test_a_seed_after_records_changes_nothing_but_gives_ancestors() -> None:
    script = Script()
    script.exec(200, 500, "curl", 100, ppid=10)
    script.end()
    rows = [
        Row(500, 10, 0, 1, START + 100, b"curl"),
        Row(10, 1, 0, 1, TICK, b"bash"),
        Row(1, 0, 0, 1, 0, b"init"),
    ]
    script.table.seed(rows, START + 1_000)
    image = script.image(500, 300)
    assert image["comm"] == "curl"
    assert [a["comm"] for a in image["ancestors"]] == ["bash", "init"]


def test_a_seed_does_not_revive_the_dead_or_undo_the_newer(script: Script) -> None:
    script.fork(100, 10, 500, "a")
    script.exit(200, 500, "a", 100)
    script.fork(300, 10, 600, "newer")
    script.end()
    rows = [Row(500, 10, 0, 1, START + 100, b"a"), Row(600, 10, 0, 1, START + 50, b"older")]
    script.table.seed(rows, START + 400)
    script.fork(6 * SECOND, 10, 700, "x")
    script.end()
    assert script.who(500, 150, "gone") == "gone"
    assert script.who(600, 350) == "newer"


def test_a_seed_that_contradicts_itself_ends() -> None:
    script = Script()
    rows = [Row(2, 3, 0, 1, TICK, b"a"), Row(3, 2, 0, 1, TICK, b"b"), Row(4, 4, 0, 1, TICK, b"c")]
    script.table.seed(rows, START)
    assert script.who(2, 0) == "a"


def test_ancestors_are_bounded_and_those_who_began_it_although_they_ended() -> None:
    script = Script(Bounds(ancestors=3))
    for i in range(20):
        script.fork(10 * i, 99 + i, 100 + i, f"p{i}")
        script.exit(10 * i + 5, 99 + i, "x", 10 * i - 10)
    script.end()
    assert [a["comm"] for a in script.image(119, 191)["ancestors"]] == ["p18", "p17", "p16"]


def test_no_ancestors_are_named_where_none_are_wanted() -> None:
    script = Script(Bounds(ancestors=0))
    script.fork(100, 10, 500, "a")
    script.fork(200, 500, 501, "b")
    script.end()
    assert "ancestors" not in script.image(501, 300)


@pytest.mark.parametrize(
    ("comm", "reads"),
    [
        (b'a"b\\', 'a"b\\'),
        (b"a) (b", "a) (b"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("naïve".encode(), "naïve"),
        (b"tab\t\x1b[31m", "tab\t\x1b[31m"),
        (b"cut\0garbage", "cut"),
        (b"", ""),
    ],
)
def test_any_comm_makes_valid_json(comm: bytes, reads: str) -> None:
    script = Script()
    event = {"pid": [5], "time": [START], "uid": [0], "cgroup": [1], "comm": [comm]}
    (ref,) = script.table.resolve(event)
    assert script.fragment(ref)["comm"] == reads


def test_numpy_columns_do_as_lists_do() -> None:
    script = Script()
    script.fork(100, 10, 500, "bash", uid=4)
    columns = script.rows.pop("fork")[0]
    fields = ("time", "seq", *Row._fields)
    arrays = {
        name: np.array([value], "S16" if name == "comm" else "u8")
        for name, value in zip(fields, columns, strict=True)
    }
    script.table.apply({"fork": arrays, "oom": {}})
    events = {n: np.repeat(a, 3) for n, a in arrays.items()}
    assert [type(ref) for ref in script.table.resolve(events)] == [int] * 3
    assert script.image(500, 100, "?", 4)["comm"] == "bash"


def test_an_empty_batch_is_one(script: Script) -> None:
    assert script.table.apply({}) == {}
    empty: dict[str, list[int]] = {name: [] for name in ("time", "seq", *Row._fields)}
    assert script.table.apply({"exec": empty}) == {"exec": []}
    assert script.table.resolve(empty) == []


def test_a_place_is_asked_for_at_an_exec_and_inherited_at_a_fork() -> None:
    asked: list[tuple[int, int]] = []

    def place(pid: int, cgroup: int) -> int:
        asked.append((pid, cgroup))
        return 1_000 + pid

    script = Script(place=place)
    script.exec(100, 500, "runc", 50)
    script.fork(200, 500, 501, "runc")
    script.fork(300, 500, 502, "runc", cgroup=9)
    script.end()
    assert script.image(501, 250)["cgroup"] == "/c1500"
    assert asked == [(500, 1), (502, 9)]
