"""The process table as transcripts: records in, who did it out."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.node.image_store import Bounds
from skep.node.images import TICK, Row
from tests.unit.node.scripts import SECOND, START, Script


@pytest.fixture
def script() -> Script:
    script = Script()
    script.table.seed([Row(1, 0, 0, 1, 0, b"init"), Row(10, 1, 0, 1, 5 * TICK, b"bash")], START)
    return script


def test_a_process_is_who_it_was_at_that_time(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    script.exec(200, 500, "curl", 100, ppid=10)
    script.exec(300, 500, "true", 100, ppid=10)
    script.end()
    assert [script.who(500, t) for t in (150, 200, 250, 300, 400)] == [
        "bash",
        "curl",
        "curl",
        "true",
        "true",
    ]


def test_a_fragment_names_user_cgroup_parent_and_ancestors(script: Script) -> None:
    script.fork(100, 10, 500, "bash", uid=3, cgroup=7)
    script.exec(200, 500, "curl", 100, ppid=10, uid=3, cgroup=7)
    script.end()
    assert script.image(500, 250, "?", 3, 7) == {
        "ppid": 10,
        "comm": "curl",
        "user": "u3",
        "cgroup": "/c7",
        "ancestors": [{"pid": 10, "comm": "bash"}, {"pid": 1, "comm": "init"}],
    }


def test_the_first_process_has_no_ancestors(script: Script) -> None:
    assert "ancestors" not in script.image(1, 5)


def test_each_record_names_its_own_image(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    script.exec(200, 500, "curl", 100)
    script.exit(300, 500, "curl", 100)
    refs = script.end()
    assert [script.fragment(refs[k][0])["comm"] for k in ("fork", "exec", "exit")] == [
        "bash",
        "curl",
        "curl",
    ]
    assert refs["exec"] == refs["exit"] != refs["fork"]


def test_an_event_that_is_judged_after_the_exit_still_finds_its_process(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    script.exec(200, 500, "curl", 100)
    script.exit(300, 500, "curl", 100)
    script.end()
    assert script.who(500, 250) == "curl"
    assert script.who(500, 310) == "curl", "sockets close after the exit is told"


def test_a_reused_pid_is_told_apart_by_time(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    script.exec(200, 500, "curl", 100)
    script.exit(300, 500, "curl", 100)
    script.fork(400, 1, 500, "init")
    script.exec(500, 500, "nginx", 400)
    script.end()
    assert [script.who(500, t) for t in (150, 250, 350, 450, 550)] == [
        "bash",
        "curl",
        "curl",
        "init",
        "nginx",
    ]
    assert script.table.counts.replaced == 0


def test_a_reused_pid_without_an_exit_ends_the_one_before(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    script.fork(400, 1, 500, "init")
    script.end()
    assert script.who(500, 450) == "init"
    assert script.who(500, 150) == "bash"
    assert script.table.counts.replaced == 1


def test_records_that_come_after_the_pid_is_used_again_are_of_whom_they_tell(
    script: Script,
) -> None:
    script.fork(100, 10, 500, "bash")
    script.fork(400, 1, 500, "init")
    script.end()
    script.exec(200, 500, "curl", 100, ppid=10)
    script.exit(300, 500, "curl", 100, ppid=10)
    script.end()
    ancestors = [one["comm"] for one in script.image(500, 250)["ancestors"]]
    assert (script.who(500, 250), ancestors) == ("curl", ["bash", "init"])
    assert script.who(500, 450) == "init"
    before = script.table.counts.replaced
    script.fork(600, 1, 500, "init")
    script.end()
    assert script.table.counts.replaced == before + 1, "the second had not ended"


def test_records_of_one_batch_may_come_in_any_order() -> None:
    told = Script()
    told.exit(500, 500, "b", 300, ppid=400)
    told.exec(400, 500, "b", 300, ppid=400)
    told.fork(300, 400, 500, "a")
    told.exec(200, 400, "a", 100, ppid=10)
    told.fork(100, 10, 400, "sh")
    told.seq = 0
    told.end()
    assert [told.who(500, t) for t in (350, 450)] == ["a", "b"]
    assert told.image(500, 450)["ancestors"] == [{"pid": 400, "comm": "a"}]
    assert told.table.counts.adopted == 0


def test_equal_times_go_by_sequence(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    script.exec(100, 500, "first", 100)
    script.exec(100, 500, "second", 100)
    script.end()
    assert script.who(500, 100) == "second"


def test_a_record_that_comes_a_batch_late_lands_at_its_time(script: Script) -> None:
    script.exec(300, 500, "late", 100, ppid=10)
    script.end()
    script.exec(200, 500, "early", 100, ppid=10)
    script.fork(100, 10, 500, "bash")
    script.end()
    assert [script.who(500, t) for t in (150, 250, 350)] == ["bash", "early", "late"]
    assert script.image(500, 150)["ancestors"][0] == {"pid": 10, "comm": "bash"}


def test_an_exec_that_comes_after_its_exit_is_that_process(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    script.exit(300, 500, "curl", 100)
    script.end()
    script.exec(200, 500, "curl", 100)
    script.end()
    assert script.who(500, 250) == "curl"
    script.fork(400, 10, 500, "bash")
    script.end()
    assert script.table.counts.replaced == 0, "its end was known"


def test_an_unknown_process_is_adopted_from_its_exec(script: Script) -> None:
    script.exec(200, 777, "curl", 100, ppid=10)
    script.exit(300, 778, "gone", 50, ppid=10)
    refs = script.end()
    assert script.image(777, 250)["ancestors"][0]["pid"] == 10
    assert script.fragment(refs["exit"][0])["ancestors"][0]["pid"] == 10
    assert script.table.counts.adopted == 2


def test_a_stranger_is_made_of_what_the_event_says() -> None:
    script = Script()
    assert script.image(9, 100, "dig", 5, 3) == {
        "ppid": 0,
        "comm": "dig",
        "user": "u5",
        "cgroup": "/c3",
    }
    assert script.ref(9, 200, "dig", 5, 3) == script.ref(9, 100, "dig", 5, 3)
    assert script.ref(9, 100, "nc", 5, 3) != script.ref(9, 100, "dig", 5, 3)
    assert script.table.counts.strangers == 2


def test_an_event_before_the_pid_began_again_is_not_its_present_owner(script: Script) -> None:
    script.fork(1_000, 10, 500, "bash")
    script.end()
    assert script.who(500, 900, "old") == "old"


def test_a_change_of_user_or_cgroup_without_an_exec_shows(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    script.exec(200, 500, "nginx", 100)
    script.end()
    plain = script.ref(500, 300)
    worker = script.ref(500, 310, "?", 33)
    moved = script.ref(500, 320, "?", 33, 8)
    assert script.fragment(worker)["user"] == "u33"
    assert script.fragment(moved)["cgroup"] == "/c8"
    assert script.fragment(moved)["comm"] == "nginx"
    assert script.image(500, 325, "?", 0, 8)["cgroup"] == "/c8"
    assert len({plain, worker, moved}) == 3
    assert script.ref(500, 330, "?", 33) == worker, "no new one for what was met before"


def test_a_process_that_called_itself_otherwise_is_called_so(script: Script) -> None:
    script.fork(100, 10, 50, "bash")
    script.exec(200, 50, "nginx", 100)
    script.end()
    assert script.image(50, 300, "worker") == script.image(50, 300) | {"comm": "worker"}
    assert script.who(50, 300) == "nginx"
    assert end(script, 400, 300, "worker") == "worker"
    script.exit(500, 50, "worker", 100)
    refs = script.end()
    assert script.fragment(refs["exit"][0])["comm"] == "worker"


def test_an_end_is_told_with_the_parent_by_then(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    script.exit(200, 500, "bash", 100, ppid=1)
    refs = script.end()
    begun, ended = script.fragment(refs["fork"][0]), script.fragment(refs["exit"][0])
    assert (begun["ppid"], ended["ppid"]) == (10, 1)
    assert begun["ancestors"] == ended["ancestors"]


def test_what_runs_another_program_by_the_end_is_called_as_that(script: Script) -> None:
    script.fork(100, 10, 50, "bash")
    script.exec(200, 50, "curl", 100)
    script.exec(300, 50, "sleep", 100)
    script.end()
    assert end(script, 400, 250, "curl") == "sleep"


def test_an_event_that_knows_only_a_pid_is_its_process(script: Script) -> None:
    script.fork(100, 10, 500, "bash", uid=33, cgroup=7)
    script.end()
    assert script.ref(500, 200, "", 0, 0) == script.ref(500, 200, "?", 33, 7)


def test_another_user_and_cgroup_go_with_their_process(script: Script) -> None:
    script.fork(100, 10, 500, "bash")
    script.exec(200, 500, "nginx", 100)
    script.end()
    before = len(script.table)
    script.ref(500, 310, "?", 33)
    script.exit(400, 500, "nginx", 100)
    script.fork(6 * SECOND, 10, 501, "x")
    script.end()
    assert len(script.table) == before - 1, "two images and a variant went"


def test_an_exit_that_is_told_twice_counts_once() -> None:
    script = Script(Bounds(ended=2))
    for pid in (500, 600):
        script.fork(pid, 10, pid, f"p{pid}")
        script.exit(pid + 10, pid, "?", pid)
        script.exit(pid + 20, pid, "?", pid)
    script.end()
    assert script.who(500, 505) == "p500"


def test_a_child_of_the_very_moment_of_an_exec_is_the_new_programs(script: Script) -> None:
    script.exec(200, 500, "make", 100)
    script.fork(200, 500, 501, "make")
    script.end()
    assert script.image(501, 300)["ancestors"][0]["comm"] == "make"


def test_strangers_are_bounded() -> None:
    script = Script()
    for pid in range(1, 5_001):
        script.ref(pid, 100)
    assert len(script.table) == 4_096
    assert len(script.table.definitions()) == 1


def test_what_no_event_named_is_not_retired() -> None:
    script = Script()
    script.table.seed([Row(500, 0, 0, 1, START, b"a")], START + 1)
    script.table.sweep([], START + 10)
    script.fork(6 * SECOND, 10, 501, "x")
    script.end()
    assert len(script.table) == 1
    assert script.table.retired() == []


def test_threads_that_alternate_between_users_make_few_images(script: Script) -> None:
    before = len(script.table)
    for i in range(1_000):
        script.ref(10, 100 + i, "?", i % 3)
    assert len(script.table) == before + 2
    for i in range(1_000):
        script.ref(10, 100 + i, "?", i)
    assert len(script.table) <= before + 66, "bounded, whatever a process does"


def flood(
    seed: int, processes: int
) -> tuple[list[tuple[str, int, Row]], list[tuple[int, int, str, int]]]:
    """Processes that fork, exec, act and exit within three pids; what acts is known by name and parent.

    Who has a pid next has another parent: the name alone, which an event has with it, does not tell them apart.
    """
    chance = random.Random(seed)
    records, acts = [], []
    time = 0
    for i in range(processes):
        pid, parent = 1_000 + i % 3, (1, 10)[i // 3 % 2]
        start = time = time + chance.randrange(1, 50)
        records.append(("fork", time, Row(pid, parent, 0, 1, START + start, b"sh")))
        acts.append((pid, time + 1, "sh", parent))
        for n in range(chance.randrange(3)):
            time += chance.randrange(2, 20)
            name = f"p{i}.{n}"
            records.append(("exec", time, Row(pid, parent, 0, 1, START + start, name.encode())))
            acts.append((pid, time, name, parent))
        time += chance.randrange(2, 20)
        records.append(("exit", time, Row(pid, parent, 0, 1, START + start, b"?")))
    return records, acts


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 40))
def test_who_is_always_right_in_a_flood(seed: int, batch_size: int) -> None:
    records, acts = flood(seed, 300)
    script = Script()
    chance = random.Random(seed)
    told = 0
    for i in range(0, len(records), batch_size):
        batch = records[i : i + batch_size]
        newest = batch[-1][1]
        for kind, time, row in chance.sample(batch, len(batch)):
            script._tell(kind, time, row)
        script.end()
        while told < len(acts) and acts[told][1] <= newest:
            pid, time, name, parent = acts[told]
            image = script.image(pid, time)
            assert (image["comm"], image["ppid"]) == (name, parent)
            told += 1
    assert told == len(acts)
    assert script.table.counts.strangers == script.table.counts.adopted == 0
    assert script.table.counts.replaced == 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fork", "exec", "exit", "who", "end", "seed", "sweep"]),
            st.integers(0, 60),
            st.integers(1, 5),
            st.integers(0, 60),
        ),
        max_size=60,
    )
)
def test_no_order_of_records_breaks_the_table(steps: list[tuple[str, int, int, int]]) -> None:
    script = Script(Bounds(alive=8, ended=3, grace=20))
    for step, time, pid, start in steps:
        match step:
            case "fork":
                script.fork(time, pid % 4 + 1, pid)
            case "exec":
                script.exec(time, pid, f"p{time}", min(start, time))
            case "exit":
                script.exit(time, pid, "x", min(start, time))
            case "who":
                assert script.image(pid, time)["comm"]
            case "end":
                script.end()
            case _:
                rows = [Row(pid, 1, 0, 1, START + start, b"row")]
                getattr(script.table, step)(rows, START + time)
    script.end()
    named = {ref for ref, _ in script.table.definitions()}
    gone = script.table.retired()
    assert len(gone) == len(set(gone))
    for ref in named - set(gone):
        assert script.fragment(ref)["comm"]


def test_pid_0_is_no_process(script: Script) -> None:
    assert script.image(0, 10, comm="", uid=3, cgroup=8) == {"user": "u3", "cgroup": "/c8"}


def end(script: Script, time: int, since: int, comm: str) -> str:
    """The name of who is told to have ended something that began at ``since``, as pid 50."""
    event = {"pid": 50, "time": START + time, "uid": 0, "cgroup": 1, "comm": comm.encode()}
    columns = {name: [value] for name, value in event.items()}
    return str(script.fragment(script.table.resolve_ends(columns, [START + since])[0])["comm"])


def test_an_end_belongs_to_who_began_though_its_pid_is_anothers(script: Script) -> None:
    script.fork(100, 10, 50, "sh")
    script.exec(110, 50, "old", 100)
    script.exit(200, 50, "old", 100)
    script.fork(300, 10, 50, "sh")
    script.exec(310, 50, "new", 300)
    script.end()
    assert script.who(50, 400) == "new", "at its moment the pid is the other's"
    assert end(script, 400, 150, "old") == "old"
    assert end(script, 400, 350, "new") == "new"
    assert end(script, 400, 150, "new") == "new", "it may begin after what it is given"
    assert end(script, 400, 150, "sh") == "new", "before its exec it was called so"
    assert end(script, 400, 50, "older") == "older", "a process that was never met"
