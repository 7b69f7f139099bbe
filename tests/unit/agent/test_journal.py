"""What clients get: of what is stored, and of what comes."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from skep.agent.journal import Journal
from skep.agent.lines import ROWS, Writer, matches
from skep.agent.store import Bounds, Pulse
from skep.api.query import Position, Query
from skep.events.batch import Batch
from skep.flows.programs.records import Drop
from skep.node.programs.records import Exit
from tests.unit.agent.followers import taking, unexpected
from tests.unit.agent.samples import FORMATTERS, execs, part

SH = b'"pid":7,"comm":"sh"'
OFFSET = 1_700_000_000 * 10**9
PLENTY = Bounds(bytes=1 << 30, events=1 << 30, age=1 << 60)


def make(bounds: Bounds = PLENTY) -> Journal:
    return Journal(bounds, Writer(FORMATTERS))


def read(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def seqs(journal: Journal, choice: Query) -> list[Any]:
    return [line.get("seq", line.get("notice")) for line in read(b"".join(journal.stored(choice)))]


class Counting:
    """Makes lines as exec's formatter does, and notes how many rows it was given."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def lines(
        self, batch: Batch, wall_offset_ns: int, who: Sequence[bytes] | None = None
    ) -> list[bytes]:
        self.rows.append(len(batch))
        return FORMATTERS["exec"].lines(batch, wall_offset_ns, who)


def test_many_rows_are_made_into_text_some_at_a_time() -> None:
    counting = Counting()
    journal = Journal(PLENTY, Writer({"exec": counting}))
    journal.take([execs(*range(2 * ROWS + 1))], OFFSET)
    lines = read(b"".join(journal.stored(Query())))
    assert [line["filename"] for line in lines] == [f"/bin/{n}" for n in range(2 * ROWS + 1)]
    assert counting.rows == [ROWS, ROWS, 1]


def test_many_rows_of_several_classes_are_merged_by_time_some_at_a_time() -> None:
    counting = Counting()
    journal = Journal(PLENTY, Writer(FORMATTERS | {"exec": counting}))
    odd = [number for number in range(4 * ROWS) if number % 5]
    rest = [{"time": number, "seq": number} for number in range(0, 4 * ROWS, 5)]
    journal.take([execs(*reversed(odd)), part(Exit, *rest, who=SH)], OFFSET)
    assert seqs(journal, Query()) == list(range(4 * ROWS))
    assert sum(counting.rows) == len(odd)
    assert max(counting.rows) <= ROWS
    assert seqs(journal, Query(last=3 * ROWS)) == list(range(ROWS, 4 * ROWS))


def test_who_falls_behind_in_a_large_pulse_goes_on_where_it_fell() -> None:
    journal = make()
    got: list[bytes] = []
    fell: list[Position] = []
    journal.follow(Query(follow=True), taking(got, 7), fell.append)
    odd = [number for number in range(4 * ROWS) if number % 5]
    rest = [{"time": number, "seq": number} for number in range(0, 4 * ROWS, 5)]
    rest += [{"time": ROWS - 2, "seq": ROWS}] * 3
    journal.take([execs(*odd), part(Exit, *rest, who=SH)], OFFSET)
    first = [line["seq"] for line in read(b"".join(got))]
    more = seqs(journal, Query())
    assert len(got) == 7
    assert [line["seq"] for line in read(b"".join(journal.stored(Query(), fell[0])))] == more[
        len(first) :
    ]
    assert first == more[: len(first)]


def test_what_is_not_taken_is_not_made_into_text() -> None:
    counting = Counting()
    journal = Journal(PLENTY, Writer({"exec": counting}))
    fell: list[Position] = []
    journal.follow(Query(follow=True), lambda _: False, fell.append)
    journal.take([execs(*range(3 * ROWS))], OFFSET)
    assert (counting.rows, fell) == ([ROWS], [Position(0, 0, 0)])


def test_a_line_has_time_kind_seq_who_and_what() -> None:
    journal = make()
    journal.take([execs(5)], OFFSET)
    (line,) = read(b"".join(journal.stored(Query())))
    assert list(line)[:5] == ["time", "kind", "seq", "pid", "comm"]
    assert line["time"] == "2023-11-14T22:13:20.000000005Z"
    assert (line["kind"], line["comm"], line["filename"]) == ("exec", "sh", "/bin/5")


def test_classes_are_merged_by_time() -> None:
    journal = make()
    exits = part(Exit, {"time": 2, "seq": 2}, {"time": 4, "seq": 4}, who=SH)
    journal.take([execs(1, 3), exits], OFFSET)
    assert seqs(journal, Query()) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Query(kinds=frozenset({"exit"})), [4]),
        (Query(pids=frozenset({8})), [3]),
        (Query(comms=("ng*",)), [3]),
        (Query(comms=("sh", "nginx")), [1, 2, 3, 4]),
        (Query(since=OFFSET + 3), [3, 4, 5]),
        (Query(until=OFFSET + 3), [1, 2, 3]),
        (Query(since=OFFSET + 2, until=OFFSET + 3), [2, 3]),
        (Query(last=1, until=OFFSET + 3), [3]),
        (Query(last=2), [4, 5]),
        (Query(last=1), [5]),
        (Query(last=4), [2, 3, 4, 5]),
        (Query(last=0), []),
        (Query(last=99), [1, 2, 3, 4, 5]),
        (Query(last=1, kinds=frozenset({"exec"})), [3]),
        (Query(kinds=frozenset({"oom"})), []),
        (Query(ports=frozenset({80})), [5]),
        (Query(ports=frozenset({80, 81}), kinds=frozenset({"exec"})), []),
        (Query(addresses=("10.0.0.0/8",)), [5]),
        (Query(addresses=("10.0.0.0/8",), ports=frozenset({81})), []),
    ],
)
def test_a_choice_lets_its_events_pass(choice: Query, expected: list[int]) -> None:
    journal = make()
    journal.take([execs(1, 2)], OFFSET)
    journal.take([execs(3, comm="nginx", pid=8)], OFFSET)
    exits = part(Exit, {"time": 4, "seq": 4}, who=SH)
    drop = {"family": 2, "dport": 80, "daddr": bytes([10, 1, 2, 3, *bytes(12)])}
    journal.take([exits, part(Drop, {"time": 5, "seq": 5} | drop)], OFFSET)
    assert seqs(journal, choice) == expected


@pytest.mark.parametrize(
    ("choice", "fits"),
    [
        (Query(containers=("abc",)), True),
        (Query(containers=("web",)), True),
        (Query(containers=("eb",)), False),
        (Query(containers=("w*",)), True),
        (Query(containers=("*c",)), False),
        (Query(pods=("web-1",)), True),
        (Query(pods=("web-*",)), True),
        (Query(pods=("shop/*",)), True),
        (Query(pods=("other/*",)), False),
        (Query(pods=("*/web-1",)), True),
        (Query(pods=("shop*",)), False),
        (Query(pods=("shop/web-1",)), True),
        (Query(pods=("other/web-1",)), False),
        (Query(pods=("web-1",), comms=("no",)), False),
        (Query(users=("app", "other")), True),
        (Query(users=("ap",)), False),
    ],
)
def test_containers_and_pods_are_known_by_id_and_name(choice: Query, fits: object) -> None:
    fragment = (
        b'"comm":"sh","user":"app","container":{"id":"abcdef","name":"web"},'
        b'"pod":{"namespace":"shop","name":"web-1"}'
    )
    assert matches(fragment, choice) is fits
    assert not matches(b'"comm":"sh"', choice)
    assert not matches(b"", choice)


@pytest.mark.parametrize("choice", [Query(containers=("*",)), Query(pods=("*",))])
def test_what_is_in_none_fits_no_pattern(choice: Query) -> None:
    assert not matches(b'"comm":"sh"', choice)
    assert matches(b'"container":{"id":"abc"},"pod":{"name":"web"}', choice)


def test_following_gets_what_comes_until_it_ends() -> None:
    journal = make()
    got: list[bytes] = []
    journal.take([execs(1)], OFFSET)
    end = journal.follow(Query(follow=True, last=3), taking(got), unexpected)
    journal.take([execs(2)], OFFSET)
    assert journal.followers == 1
    end()
    journal.take([execs(3)], OFFSET)
    assert [line["seq"] for line in read(b"".join(got))] == [2]
    assert journal.followers == 0


def test_clients_that_ask_for_the_same_share_the_work() -> None:
    made: list[int] = []

    class Counting(Writer):
        def lines(self, pulse: Pulse, choice: Query) -> Iterator[list[bytes]]:
            made.append(pulse.serial)
            return super().lines(pulse, choice)

    journal = Journal(PLENTY, Counting(FORMATTERS))
    got: list[bytes] = []
    journal.follow(Query(follow=True, last=3), taking(got), unexpected)
    journal.follow(Query(follow=True, since=OFFSET), taking(got), unexpected)
    journal.take([execs(1)], OFFSET)
    assert (made, len(got)) == ([0], 2)


def test_of_clients_that_ask_for_the_same_one_that_leaves_takes_no_other_along() -> None:
    journal = make()
    left: list[bytes] = []
    stays: list[bytes] = []
    end = journal.follow(Query(follow=True), taking(left), unexpected)
    journal.follow(Query(follow=True), taking(stays), unexpected)
    end()
    journal.take([execs(1)], OFFSET)
    assert (journal.followers, left) == (1, [])
    assert [line["seq"] for line in read(b"".join(stays))] == [1]


def test_a_notice_reaches_all_who_follow() -> None:
    journal = make()
    got: list[bytes] = []
    journal.follow(Query(follow=True), taking(got), unexpected)
    journal.follow(Query(follow=True, pids=frozenset({1})), taking(got), unexpected)
    journal.tell(b"x\n")
    assert got == [b"x\n", b"x\n"]


def test_a_large_pulse_comes_in_pieces() -> None:
    journal = make()
    got: list[bytes] = []
    journal.follow(Query(follow=True), taking(got), unexpected)
    journal.take([execs(*range(1000))], OFFSET)
    assert [piece.count(b"\n") for piece in got] == [256, 256, 256, 232]


def test_replaying_ends_with_what_was_newest_unless_it_follows() -> None:
    for follow, expected in ((False, [1]), (True, [1, 2])):
        journal = make()
        journal.take([execs(1)], OFFSET)
        lines = journal.stored(Query(follow=follow, last=9))
        first = next(lines)
        journal.take([execs(2)], OFFSET)
        assert [line["seq"] for line in read(first + b"".join(lines))] == expected


def test_a_reader_that_is_overtaken_is_told() -> None:
    journal = make(Bounds(bytes=1 << 30, events=2, age=1 << 60))
    journal.take([execs(1)], OFFSET)
    journal.take([execs(2)], OFFSET)
    lines = journal.stored(Query(follow=True, last=9))
    first = next(lines)
    for time in (3, 4, 5):
        journal.take([execs(time)], OFFSET)
    seen = [line.get("seq", line.get("notice")) for line in read(first + b"".join(lines))]
    assert seen == [1, "missed", 4, 5]
    assert journal.missed == 2


def test_a_follower_that_falls_behind_goes_on_where_it_did() -> None:
    journal = make()
    got: list[bytes] = []
    fallen: list[Position] = []
    choice = Query(follow=True, last=2)
    journal.take([execs(-1)], OFFSET)
    journal.follow(choice, taking(got, most=2), fallen.append)
    journal.take([execs(*range(1000))], OFFSET)
    journal.take([execs(1000)], OFFSET)
    assert fallen == [Position(1, 512, 1)]
    assert journal.followers == 0
    rest = b"".join(journal.stored(choice, fallen[0]))
    assert [line["seq"] for line in read(b"".join(got) + rest)] == list(range(1001))
    assert journal.missed == 0


def test_what_a_follower_missed_is_counted() -> None:
    journal = make(Bounds(bytes=1 << 30, events=3, age=1 << 60))
    journal.take([execs(1, 2)], OFFSET)
    journal.take([execs(3, 4)], OFFSET)
    journal.take([execs(5, 6)], OFFSET)
    notice, *rest = read(b"".join(journal.stored(Query(follow=True), Position(0, 0, 0))))
    assert (notice["notice"], notice["count"]) == ("missed", 4)
    assert [line["seq"] for line in rest] == [5, 6]
    assert journal.missed == 4
    journal.give_up(Position(2, 0, 4))
    assert journal.missed == 6


def test_events_are_counted_by_kind() -> None:
    journal = make()
    journal.take([execs(1, 2), part(Drop, {"time": 1})], OFFSET)
    journal.take([], OFFSET)
    assert journal.counts == {"exec": 2, "drop": 1}


def test_an_event_keeps_the_wall_time_of_its_arrival() -> None:
    journal = make()
    journal.take([execs(1)], OFFSET)
    journal.take([execs(2)], OFFSET + 3600 * 10**9)
    times = [line["time"][11:19] for line in read(b"".join(journal.stored(Query())))]
    assert times == ["22:13:20", "23:13:20"]
