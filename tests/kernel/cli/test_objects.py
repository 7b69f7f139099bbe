"""Commands that show the machine's programs, maps and links, on objects of the test's own."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

import skep
from skep.base.errors import BadInput
from skep.cli.objects import opened
from skep.cli.outcome import outcome
from skep.cli.outcome import skep as command_line
from skep.kernel import commands, objects, perf
from skep.kernel.bpf import DOOR
from skep.kernel.link import Link
from skep.kernel.probes import probe
from skep.kernel.tracefs import Tracefs
from skep.lang.maps import Declaration
from skep.program.machine import Machine
from skep.testing.cgroups import Cgroup
from skep.testing.network import Namespace


class Seen(skep.Struct):
    """The value of a map, with a text in it."""

    count: skep.u64
    comm: skep.char[16]


SLOW = "each command takes seconds there"
SECONDS = 60.0
SET_BPF = 0x40042408
"""PERF_EVENT_IOC_SET_BPF: a program on an event, without a link."""

shown_counts = skep.Hash(skep.u32, Seen, entries=64)
shown_ticks = skep.PerCpuArray(skep.u64, 2)
shown_ring = skep.Ring(Seen)
inner_counts = skep.Hash(skep.u32, skep.u64, 4)
outer_counts = skep.HashOfMaps(skep.u32, inner_counts, 4)
next_programs = skep.ProgArray(4)
shown_stacks = skep.StackTraces(8, 64)


shown_queue = skep.Queue(skep.u32, 4)
shown_visits = skep.TaskStorage(skep.u32)


@skep.tp_btf("sched_process_exit")
def shown_waiting(task):  # type: ignore[no-untyped-def]
    """Use a queue and a storage."""
    shown_queue.push(1)
    shown_visits.get(task)


@skep.tracepoint("syscalls/sys_enter_sethostname")
def shown_event(ctx):  # type: ignore[no-untyped-def]
    """Nothing."""
    return 0


@skep.raw_tp("sys_enter")
def shown_program(regs, number):  # type: ignore[no-untyped-def]
    """Keep the maps in use, and do nothing that costs."""
    if number == 0xFFFF:
        slot = shown_ticks.lookup(1)
        if slot is not None:
            slot += 1
        known = shown_counts.lookup(7)
        if known is not None:
            known.count += 1
        record = shown_ring.reserve()
        if record is not None:
            record.count = 1
            record.submit()


@skep.perf_event("cpu-clock", frequency=9)
def shown_sample(ctx):  # type: ignore[no-untyped-def]
    """Keep a stack, and use a map of maps."""
    skep.get_stackid(shown_stacks, 0)
    inner = outer_counts.lookup(1)
    if inner is not None:
        inner.increment(1)
    next_programs.call(ctx, 0)


@skep.tc("ingress")
def shown_packet(ctx):  # type: ignore[no-untyped-def]
    """Let it go on."""
    return -1


@skep.netfilter("input", priority=-7)
def shown_filter(ctx):  # type: ignore[no-untyped-def]
    """Let it pass."""
    return 1


@skep.cgroup("skb_ingress")
def shown_skb(ctx):  # type: ignore[no-untyped-def]
    """Let it pass."""
    return 1


@pytest.fixture
def live() -> Iterator[skep.Live]:
    with skep.load(shown_program) as found:
        yield found


def number(live: skep.Live) -> str:
    """The id of the program: its name is that of programs that other tests left a moment ago, too."""
    return str(objects.program_info(DOOR, live.programs["shown_program"].fd).id)


def map_number(live: skep.Live, declared: Declaration) -> str:
    return str(objects.map_info(DOOR, live[declared].fd).id)


def run(*words: str) -> str:
    result = CliRunner().invoke(command_line, words, prog_name="skep")
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def rows(key: str, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*words, "--json"))[key]
    return found


def test_a_program_is_shown_with_its_links_and_who_holds_it(live: skep.Live) -> None:
    (one,) = rows("programs", "prog", number(live))
    assert one["name"] == "shown_program"
    assert one["kind"] == "raw_tracepoint"
    assert os.getpid() in one["pids"]
    (link,) = [row for row in rows("links", "link") if row["program"]["id"] == one["id"]]
    assert one["links"] == [link["id"]]
    assert link["target"] == {"kind": "tracepoint", "name": "sys_enter"}
    assert os.getpid() in link["pids"]
    assert "shown_program" in run("prog")
    assert "tracepoint sys_enter" in run("link")


def test_the_entries_of_a_map_are_shown_by_the_types_that_the_kernel_knows(live: skep.Live) -> None:
    live[shown_counts][7] = Seen(count=3, comm=b"bash")
    live[shown_counts][9] = Seen(count=1 << 40, comm=b"")
    which = map_number(live, shown_counts)
    found = rows("entries", "map", which)
    assert sorted(found, key=lambda one: one["key"]) == [
        {"key": 7, "value": {"count": 3, "comm": "bash"}},
        {"key": 9, "value": {"count": 1 << 40, "comm": ""}},
    ]
    assert "7: count=3 comm=bash" in run("map", which)
    assert json.loads(run("map", which, "--most", "1", "--json"))["more"] is True


def test_a_per_cpu_map_shows_the_value_of_each_cpu(live: skep.Live) -> None:
    for one in rows("entries", "map", map_number(live, shown_ticks)):
        assert len(one["value"]) >= (os.cpu_count() or 1)
        assert set(one["value"]) == {0}


def refused(*words: str) -> str:
    """What is said of words that are refused."""
    result = CliRunner().invoke(command_line, words, prog_name="skep")
    assert isinstance(result.exception, BadInput), (result.output, result.exception)
    return str(result.exception)


def test_an_entry_is_found_set_and_deleted_by_its_key(live: skep.Live) -> None:
    which = map_number(live, shown_counts)
    assert run("map", which, "7", "--set", "count=3 comm=bash") == "7: count=3 comm=bash\n"
    assert live[shown_counts][7] == Seen(count=3, comm=b"bash")
    assert run("map", which, "7", "--set", '{"count": 4}') == "7: count=4 comm=\n"
    assert rows("entries", "map", which, "0x7") == [{"key": 7, "value": {"count": 4, "comm": ""}}]
    assert run("map", which, "7", "--delete") == ""
    assert refused("map", which, "7") == f"map {which}: it has no entry '7'"
    assert refused("map", which, "7", "--delete") == f"map {which}: it has no entry '7'"
    assert "key is a u32, from 0" in refused("map", which, "--set", "1", "--", "-1")
    assert "has no field 'cont'; did you mean 'count'?" in refused(
        "map", which, "7", "--set", "cont=1"
    )
    assert "give its KEY" in refused("map", which, "--delete")


def test_a_value_of_each_cpu_is_set_at_once_or_one_by_one(live: skep.Live) -> None:
    which, cpus = map_number(live, shown_ticks), len(live[shown_ticks][0])
    run("map", which, "1", "--set", "5")
    assert live[shown_ticks][1] == [5] * cpus
    run("map", which, "1", "--set", str([*range(cpus)]))
    assert live[shown_ticks][1] == [*range(cpus)]
    assert "set them to zero" in refused("map", which, "1", "--delete")
    live[shown_ticks].freeze()
    assert "it is frozen" in refused("map", which, "1", "--set", "5")
    (row,) = [one for one in rows("maps", "map") if one["id"] == int(which)]
    assert row["frozen"]
    assert row["memory"] >= 16 * cpus


def test_what_an_entry_holds_of_a_process_is_not_set_by_another() -> None:
    with skep.load(shown_sample, attach=False) as live:
        live[outer_counts][1] = {5: 50}
        which = map_number(live, outer_counts)
        assert "objects of the process that sets them" in refused("map", which, "1", "--set", "3")
        run("map", which, "1", "--delete")
        assert 1 not in live[outer_counts]


@pytest.mark.parametrize("kind", ["prog", "map", "link"])
def test_an_object_that_is_gone_since_it_was_listed_is_said_to_be(kind: str) -> None:
    with pytest.raises(BadInput, match=f"{kind} mine: it is gone"), opened(kind, "mine", 1 << 31):
        pass


def test_a_queue_shows_its_next_value_and_keeps_it() -> None:
    with skep.load(shown_waiting, attach=False) as live:
        which = map_number(live, shown_queue)
        assert rows("entries", "map", which) == []
        live[shown_queue].push(0x1234)
        live[shown_queue].push(2)
        assert run("map", which) == "next: 34 12 00 00\n"
        assert list(live[shown_queue]) == [0x1234, 2]
        assert "has no keys" in refused("map", which, "1")
        assert "whose entries cannot be listed" in refused("map", map_number(live, shown_visits))


@pytest.mark.native(SLOW)
def test_all_that_is_known_of_one_program_is_shown(live: skep.Live) -> None:
    text = run("prog", number(live))
    told = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert told["program"].startswith(f"shown_program ({number(live)}), raw_tracepoint, tag ")
    assert f"shown_counts ({map_number(live, shown_counts)})" in told["maps"]
    assert f"[{os.getpid()}]" in told["held"]


@pytest.mark.requires("run.streams")
def test_a_stream_of_one_program_is_shown(
    live: skep.Live, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("prog", number(live), "--stream", "stderr") == ""
    assert outcome(["prog", "--stream", "stdout"]) == 2
    assert "it is that of one program" in capsys.readouterr().err


@pytest.mark.native("compiles a file")
def test_instructions_are_json_when_asked(live: skep.Live) -> None:
    for word in (number(live), __file__):
        found = json.loads(run("disasm", word, "--json"))["programs"]
        one = next(one for one in found if one["name"] == "shown_program")
        first = one["instructions"][0]
        assert (first["at"], first["function"]) == (0, "shown_program")
        assert first["source"].startswith("def shown_program")
        assert one["instructions"][-1]["text"] == "exit"


@pytest.mark.native(SLOW)
def test_a_link_is_shown_and_detached_where_the_kernel_does_that(
    live: skep.Live, cgroup: Cgroup
) -> None:
    (tracing,) = [
        row["id"] for row in rows("links", "link") if row["program"]["id"] == int(number(live))
    ]
    assert "shown_program" in run("link", str(tracing))
    assert "no link of this kind" in refused("link", str(tracing), "--detach")
    with skep.load(shown_skb) as other:
        link = other.attach(shown_skb, cgroup.path)
        assert isinstance(link, Link)
        (row,) = rows("links", "link", str(link.info().id))
        assert cgroup.path.endswith(row["target"]["name"])
        assert run("link", str(link.info().id), "--detach") == ""
        (row,) = rows("links", "link", str(link.info().id))
        assert row["target"] == {"kind": "nothing", "name": ""}
    assert "there is none" in refused("link", "4000000000")
    assert "there is none" in refused("link", "4000000000", "--detach")
    assert "give its ID" in refused("link", "--detach")


@pytest.mark.native(SLOW)
def test_a_program_on_an_event_is_shown_without_a_link() -> None:
    """As bpftrace and older tools attach one."""
    with skep.load(shown_event, attach=False) as live, Tracefs.open() as tracefs:
        program = objects.program_info(DOOR, live.programs["shown_event"].fd).id
        event = perf.open_tracepoint(DOOR, tracefs.event_id("syscalls/sys_enter_sethostname"))
        try:
            DOOR.ioctl(event, SET_BPF, live.programs["shown_event"].fd)
            found = [row for row in rows("links", "link") if row["program"]["id"] == program]
        finally:
            DOOR.close(event)
        (row,) = found
        assert (row["id"], row["pids"]) == (None, [os.getpid()])
        assert row["target"] == {"kind": "tracepoint", "name": "sys_enter_sethostname"}
        live.attach(shown_event)
        (row,) = [row for row in rows("links", "link") if row["program"]["id"] == program]
        assert row["id"]


@pytest.mark.native(SLOW)
def test_names_of_objects_are_completed(live: skep.Live) -> None:
    for command, name in (("prog", "shown_program"), ("map", "shown_counts")):
        complete = ShellComplete(command_line, {}, "skep", "_SKEP_COMPLETE")
        offered = {one.value for one in complete.get_completions([command], "shown_")}
        assert name in offered
        assert all(one.startswith("shown_") for one in offered)


@pytest.mark.native(SLOW)
def test_a_map_shows_the_programs_that_use_it(live: skep.Live) -> None:
    number_of_map = int(map_number(live, shown_counts))
    (row,) = [one for one in rows("maps", "map") if one["id"] == number_of_map]
    assert row["programs"] == [int(number(live))]
    assert (row["kind"], row["pins"]) == ("hash", [])
    (program,) = rows("programs", "prog", number(live))
    assert number_of_map in program["maps"]
    assert program["loaded"].endswith("Z")


@pytest.mark.native(SLOW)
@pytest.mark.parametrize("as_json", [True, False])
def test_what_programs_cost_is_shown_for_a_time(live: skep.Live, *, as_json: bool) -> None:
    words = ("prog", number(live), "--for", "0.2s")
    if as_json:
        (row,) = rows("programs", *words)
        assert row["runs"] > 0
        assert row["run_ns"] > 0
        assert row["seconds"] >= 0.2
    else:
        head, line = run(*words).splitlines()
        assert "RUNS/S" in head
        assert "shown_program" in line


@pytest.mark.native(SLOW)
def test_a_map_of_maps_shows_which_maps_and_an_empty_one_that_it_is_empty() -> None:
    with skep.load(shown_sample) as live:
        which = map_number(live, outer_counts)
        assert run("map", which) == "it has no entries\n"
        live[outer_counts][1] = {5: 6}
        inner = live[outer_counts][1].info().id
        key = "01 00 00 00"  # the kernel takes no types for maps of maps
        assert rows("entries", "map", which) == [{"key": key, "value": {"map": inner}}]
        assert run("map", which) == f"{key}: map={inner}\n"
        live[next_programs][2] = shown_sample
        program = objects.program_info(DOOR, live.programs["shown_sample"].fd).id
        programs = str(objects.map_info(DOOR, live[next_programs]._live.fd).id)
        assert rows("entries", "map", programs) == [{"key": 2, "value": {"prog": program}}]


@pytest.mark.native(SLOW)
def test_an_event_is_named_by_the_link_to_it_and_stacks_have_functions() -> None:
    with skep.load(shown_sample) as live:
        program = objects.program_info(DOOR, live.programs["shown_sample"].fd).id
        links = [row for row in rows("links", "link") if row["program"]["id"] == program]
        assert {row["target"]["kind"] for row in links} == {"perf event"}
        if probe("link.tcx", Machine().btf).on:  # of the release that tells events, 6.6
            assert {row["target"]["name"] for row in links} == {"cpu-clock"}
        deadline = time.monotonic() + SECONDS
        while not (found := rows("entries", "map", map_number(live, shown_stacks))):
            assert time.monotonic() < deadline
            os.urandom(1 << 22)  # in the kernel, where there is a stack of it to keep
        assert isinstance(found[0]["key"], int)
        frames = [frame for one in found for frame in one["value"]]
        assert any("+0x" in frame for frame in frames)


@pytest.mark.native(SLOW)
@pytest.mark.requires("link.tcx", "kind.netfilter")
def test_links_of_packets_say_which_way(netns: Namespace) -> None:
    with netns.entered(), skep.load(shown_packet, shown_filter) as live:
        live.attach(shown_packet, "lo")
        live.attach(shown_filter)
        found = {row["program"]["name"]: row["target"] for row in rows("links", "link")}
    assert found["shown_packet"] == {"kind": "device", "name": "1", "attach": "ingress"}
    assert found["shown_filter"] == {"kind": "netfilter", "name": "ipv4 input, priority -7"}


@pytest.mark.native(SLOW)
def test_what_is_attached_without_a_link_is_shown_too(netns: Namespace, cgroup: Cgroup) -> None:
    ingress = 0  # BPF_CGROUP_INET_INGRESS
    with netns.entered(), skep.load(shown_packet, shown_skb) as live:
        live.attach(shown_packet, "lo", mode="clsact")
        commands.prog_attach(DOOR, live.programs["shown_skb"].fd, cgroup.fd, ingress)
        try:
            found = {row["program"]["name"]: row for row in rows("links", "link")}
            text = run("link")
        finally:
            commands.prog_detach(DOOR, live.programs["shown_skb"].fd, cgroup.fd, ingress)
        live.attach(shown_skb, cgroup.path)
        linked = [one for one in rows("links", "link") if one["program"]["name"] == "shown_skb"]
    filter_, skb = found["shown_packet"], found["shown_skb"]
    assert (filter_["id"], filter_["kind"], skb["id"], skb["kind"]) == (None, "tc", None, "cgroup")
    assert filter_["target"] == {"kind": "device", "name": "1", "attach": "ingress"}
    assert skb["target"]["attach"] == "cgroup_inet_ingress"
    assert cgroup.path.endswith(skb["target"]["name"])
    assert "device 1 ingress" in text
    assert len(linked) == 1
    assert linked[0]["id"] is not None
    assert linked[0]["target"] == skb["target"]


def test_instructions_are_shown_below_their_lines(live: skep.Live) -> None:
    for text in (run("disasm", number(live)), run("disasm", __file__, "shown_program")):
        assert text.startswith("shown_program:\n")
        assert "; if number == 0xFFFF: @ " in text
        assert "= shown_counts" in text
        assert "ringbuf_submit" in text
        assert text.rstrip().endswith("exit")


def test_what_is_not_there_and_what_cannot_be_listed_is_said(
    live: skep.Live, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, said in (
        (["prog", "shown_progam"], "did you mean 'shown_program'?"),
        (
            ["map", str(objects.map_info(DOOR, live[shown_ring].reader.fd).id)],
            "it is of kind ringbuf, whose entries cannot be listed",
        ),
        (["disasm", __file__, "other"], "there are shown_waiting, shown_event"),
        (["disasm", "99999999"], "there is none"),
    ):
        assert outcome(words) == 2
        assert said in capsys.readouterr().err
