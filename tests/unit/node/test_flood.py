"""Processes that live within one batch are taken up at once: who they are is what it is one by one."""

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.node.image_store import Bounds
from skep.node.images import TICK, Row
from tests.unit.node.scripts import SECOND, START, Script

SEEDS = [Row(1, 0, 0, 1, 0, b"init"), Row(10, 1, 0, 1, 5 * TICK, b"bash")]
MANY = 50


def script(bounds: Bounds | None = None, **options: Any) -> Script:  # noqa: ANN401 - ProcessTable's
    made = Script(bounds, arrays=True, **options)
    made.table.seed([*SEEDS, Row(11, 1, 0, 1, 6 * TICK, b"make")], START)
    return made


def flood(told: Script, first: int = 1_000, begin: int = 100) -> dict[str, list[int]]:
    """MANY short processes of bash, each with an exec, 10 ns long."""
    for i in range(MANY):
        pid, start = first + i, begin + 10 * i
        told.fork(start, 10, pid, "bash")
        told.exec(start + 3, pid, "true", start, ppid=10)
        told.exit(start + 6, pid, "true", start, ppid=10)
    return told.end()


def test_each_record_of_a_flood_names_who_it_was() -> None:
    told = script()
    refs = flood(told)
    named = {kind: {told.fragment(ref)["comm"] for ref in refs[kind]} for kind in refs}
    assert named == {"fork": {"bash"}, "exec": {"true"}, "exit": {"true"}}
    ancestors = told.fragment(refs["exit"][7])["ancestors"]
    assert [one["comm"] for one in ancestors] == ["bash", "init"]


def test_a_flood_makes_no_images() -> None:
    told = script()
    before = len(told.table)
    flood(told)
    assert len(told.table) == before + MANY, "remembered, and not two images for each"


def test_an_event_that_comes_later_finds_its_process() -> None:
    told = script()
    flood(told)
    assert [told.who(1_007, t) for t in (171, 173, 175, 200)] == ["bash", "true", "true", "true"]
    assert told.who(1_007, 169, "before") == "before"
    assert told.image(1_008, 185)["ancestors"][0] == {"pid": 10, "comm": "bash"}
    assert told.table.counts.strangers == 1


def test_who_of_a_flood_ended_something_is_called_as_what_it_runs_by_then() -> None:
    told = script()
    flood(told)
    event = {"pid": [1_007], "time": [START + 178], "uid": [0], "cgroup": [1], "comm": [b"bash"]}
    (ref,) = told.table.resolve_ends(event, [START + 171])
    assert told.fragment(ref)["comm"] == "true"


def test_a_pid_of_a_flood_that_is_used_again_is_told_apart_by_time() -> None:
    told = script()
    flood(told)
    told.fork(2_000, 11, 1_007, "make")
    told.end()
    assert [told.who(1_007, t) for t in (171, 175, 2_000)] == ["bash", "true", "make"]
    assert told.table.counts.replaced == 0, "its end was known"


def test_an_exec_of_a_flood_that_comes_late_is_that_process() -> None:
    told = script()
    for i in range(MANY):
        told.fork(100 + i, 10, 1_000 + i, "bash")
        told.exit(300 + i, 1_000 + i, "late", 100 + i, ppid=10)
    told.end()
    told.exec(200, 1_005, "late", 105, ppid=10)
    told.end()
    assert [told.who(1_005, t) for t in (150, 250)] == ["bash", "late"]
    assert told.table.counts.adopted == 0


def test_a_seed_does_not_revive_one_of_a_flood() -> None:
    told = script()
    flood(told)
    told.table.seed([Row(1_007, 10, 0, 1, START + 170, b"true")], START + 2_000)
    told.fork(9 * SECOND, 10, 5_000)
    told.end()
    assert told.who(1_007, 175, "gone") == "gone"


def test_a_flood_is_forgotten_after_the_grace() -> None:
    told = script()
    before = len(told.table)
    flood(told)
    for i in range(1, 4):
        flood(told, 2_000 * i, 6 * SECOND * i)
    assert len(told.table) <= before + 2 * MANY
    assert told.who(1_007, 175, "gone") == "gone"


def test_what_is_remembered_is_bounded_in_number() -> None:
    told = script(Bounds(ended=4 * MANY))
    before = len(told.table)
    for i in range(40):
        flood(told, 1_000 + MANY * i, 1_000 * i)
        assert len(told.table) <= before + 5 * MANY
    assert told.who(1_000 + 39 * MANY, 39_103) == "true"


def test_the_same_lists_that_are_no_flood_are_taken_one_by_one() -> None:
    told = Script()
    told.table.seed(SEEDS, START)
    before = len(told.table)
    flood(told)
    assert len(told.table) == before + 2 * MANY


def test_where_each_process_is_asked_for_its_cgroup_there_is_no_flood() -> None:
    asked: list[int] = []

    def place(pid: int, cgroup: int) -> int:
        asked.append(pid)
        return cgroup

    told = script()
    told.table.place_by(place)
    flood(told)
    assert len(asked) == MANY
    told.table.place_by(None)
    flood(told, 2_000, 5_000)
    assert len(asked) == MANY


def test_a_flood_that_is_told_late_is_of_what_its_parent_was_then() -> None:
    told = script()
    told.exec(5_000, 10, "zsh", -(START - 5 * TICK), ppid=1)
    told.end()
    refs = flood(told)
    assert told.fragment(refs["fork"][0])["ancestors"][0] == {"pid": 10, "comm": "bash"}
    refs = flood(told, 2_000, 6_000)
    assert told.fragment(refs["fork"][0])["ancestors"][0] == {"pid": 10, "comm": "zsh"}


@dataclass(slots=True)
class Chance:
    """Records of processes, most of them simple, in the order of time; ``acts`` are pids and times to ask for."""

    seed: int
    records: list[tuple[str, int, Row]] = field(default_factory=list)
    acts: list[tuple[int, int]] = field(default_factory=list)

    def fill(self, processes: int) -> None:
        """Some, of a few parents; now and then one that is not simple."""
        chance = random.Random(self.seed)
        for i in range(processes):
            pid = 1_000 + (i if chance.random() < 0.9 else chance.randrange(max(1, i)))
            start = 10 * i + 100
            parent = chance.choice([10, 10, 10, 11, 77, 1_000 + max(0, i - 3)])
            row = Row(pid, parent, chance.choice([0, 0, 0, 5]), 1, START + start, b"sh")
            self._live(chance, row, start)
            if chance.random() < 0.03:
                self.records.append(("exec", start + 5, SEEDS[1]._replace(comm=b"x%d" % i)))
        self.records.sort(key=lambda record: record[1])

    def _live(self, chance: random.Random, row: Row, start: int) -> None:
        odd = chance.random()
        self.acts += [(row.pid, start + after) for after in (0, 2, 4, 7)]
        if odd > 0.02:
            self.records.append(("fork", start, row))
        runs = 0 if odd < 0.1 else 2 if odd > 0.95 else 1
        comm = row.comm
        for n in range(runs):
            comm = b"run%d" % chance.randrange(3)
            ran = row._replace(comm=comm, uid=9 if odd > 0.97 else row.uid)
            self.records.append(("exec", start + (2 + n if odd < 0.9 else 60), ran))
        if not 0.1 < odd < 0.13:
            last = row._replace(comm=b"other" if 0.16 < odd < 0.19 else comm)
            last = last._replace(cgroup=2) if 0.13 < odd < 0.16 else last
            last = last._replace(ppid=1) if 0.19 < odd < 0.22 else last
            self.records.append(("exit", start + 6 + 50 * (odd > 0.9), last))


@pytest.mark.parametrize("batch", [120, 700])
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 30))
def test_one_by_one_would_say_the_same(batch: int, seed: int) -> None:
    world = Chance(seed)
    world.fill(400)
    tables = [script(), Script()]
    tables[1].table.seed([*SEEDS, Row(11, 1, 0, 1, 6 * TICK, b"make")], START)
    for at in range(0, len(world.records), batch):
        refs = []
        for told in tables:
            for kind, time, row in world.records[at : at + batch]:
                told._tell(kind, time, row)
            refs.append(told.end())
        many, one = refs
        for kind in many:
            for left, right in zip(many[kind], one[kind], strict=True):
                assert tables[0].fragment(left) == tables[1].fragment(right)
    for pid, time in world.acts:
        assert tables[0].image(pid, time) == tables[1].image(pid, time)
    assert tables[0].table.counts == tables[1].table.counts
