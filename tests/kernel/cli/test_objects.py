"""Commands that show the machine's programs, maps and links, on objects of the test's own."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

import skep
from skep.cli.main import outcome
from skep.cli.main import skep as command_line
from skep.kernel import objects
from skep.kernel.bpf import DOOR
from skep.lang.maps import Declaration


class Seen(skep.Struct):
    """The value of a map, with a text in it."""

    count: skep.u64
    comm: skep.char[16]


shown_counts = skep.Hash(skep.u32, Seen, entries=64)
shown_ticks = skep.PerCpuArray(skep.u64, 2)
shown_ring = skep.Ring(Seen)


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
            "the entries of a ringbuf cannot be listed",
        ),
        (["disasm", __file__, "other"], "there are shown_program"),
        (["disasm", "99999999"], "there is none"),
    ):
        assert outcome(words) == 2
        assert said in capsys.readouterr().err
