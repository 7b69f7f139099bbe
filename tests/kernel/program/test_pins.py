"""Pinned maps outlive their programs; the next version finds what is in them, in its own layout."""

import os
from collections.abc import Iterator

import pytest

import skep
from skep.base.errors import Conflict
from skep.kernel import pins
from skep.kernel.bpf import DOOR
from tests.kernel.program import map_programs as p

PACKET = bytes(20)


@pytest.fixture
def bpffs() -> Iterator[str]:
    """A bpffs that nobody else sees, gone with the test."""
    fd = DOOR.mount_detached("bpf")
    yield f"/proc/self/fd/{fd}"
    os.close(fd)


def runs(live: skep.Live, name: str, times: int) -> None:
    for _ in range(times):
        assert live.programs[name].test_run(PACKET).retval == 0


def test_what_is_pinned_is_found_again(bpffs: str) -> None:
    with skep.load(p.first, attach=False, pins=bpffs) as live:
        runs(live, "first", 3)
    with skep.load(p.first, attach=False, pins=bpffs) as live:
        assert live[p.seen][1] == p.Before(3)
        assert list(live[p.todo]) == [2, 3]
        assert [event.n for event in live[p.ticks].poll()] == [2, 3]  # type: ignore[attr-defined]
        assert (live[p.ticks].attempts, live[p.ticks].lost) == (2, 0)
    names = set(pins.Pins(bpffs).names())
    assert {"seen", "todo", "ticks", "ticks_state"} <= names


def test_the_next_version_takes_over_what_its_map_held(bpffs: str) -> None:
    with skep.load(p.first, attach=False, pins=bpffs) as before:
        runs(before, "first", 3)
        with skep.load(p.second, attach=False, pins=bpffs) as live:
            runs(live, "second", 1)
            assert live[p.seen_after][1] == p.After(4, 0)
            assert before[p.seen][1] == p.Before(3)
    with skep.load(p.second, attach=False, pins=bpffs) as live:
        assert live[p.seen_after][1] == p.After(4, 0)


def test_another_layout_without_migration_is_refused_and_changes_nothing(bpffs: str) -> None:
    with skep.load(p.first, attach=False, pins=bpffs) as live:
        runs(live, "first", 2)
    with pytest.raises(
        Conflict, match=r"value.packets is u32 instead of u64, value lacks the field 'bytes'"
    ):
        skep.load(p.wrong, attach=False, pins=bpffs)
    with skep.load(p.first, attach=False, pins=bpffs) as live:
        assert live[p.seen][1] == p.Before(2)


def test_a_pinned_variable_keeps_what_it_has(bpffs: str) -> None:
    with skep.load(p.counts, attach=False, pins=bpffs) as live:
        runs(live, "counts", 1)
        live[p.settings].limit = 5
    with skep.load(p.counts, attach=False, pins=bpffs) as live:
        runs(live, "counts", 1)
        assert live[p.settings][0] == p.Settings(limit=5, hits=8)


def test_a_pin_is_taken_away(bpffs: str) -> None:
    with skep.load(p.first, attach=False, pins=bpffs) as live:
        runs(live, "first", 2)
        assert (live.unpin(p.seen), live.unpin(p.seen), live.unpin(p.ticks)) == (True, False, True)
        assert live[p.seen][1] == p.Before(2)
    assert {"todo"} == {"seen", "todo", "ticks", "ticks_state"} & set(pins.Pins(bpffs).names())
    with skep.load(p.first, attach=False, pins=bpffs) as live:
        assert len(live[p.seen]) == 0


def test_nothing_is_pinned_by_a_run_or_where_it_is_not_wanted(bpffs: str) -> None:
    before = pins.Pins(bpffs).names()
    assert skep.run(p.first, PACKET).maps[p.seen] == {1: p.Before(1)}
    with skep.load(p.first, attach=False, pins=None) as live:
        runs(live, "first", 1)
    assert pins.Pins(bpffs).names() == before


@pytest.mark.parametrize("name", ["a.b", "../x", "-x", "ä"])
def test_a_name_that_no_pin_can_have_is_refused_at_once(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a pin"):
        skep.Hash(skep.u32, skep.u32, 4, pin=name)
