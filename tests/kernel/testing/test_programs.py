"""Programs of a test: loaded for it alone, their events waited for, and a failure that tells why."""

import os
from collections.abc import Callable

import pytest

from skep.kernel import objects
from skep.kernel.bpf import DOOR
from skep.testing.programs import Captured, Loader, until
from tests.kernel.testing.programs import asked, on_call, on_packet, watched

PACKET = bytes(60)


def loaded_names() -> set[str]:
    return {program.name for program in objects.programs(DOOR)}


def test_events_are_waited_for(captured: Callable[..., Captured]) -> None:
    seen = captured(asked, on_call, maps={watched: {os.getpid(): 7}})
    assert seen.events == seen.poll() == []
    os.getppid()
    (event,) = seen.wait()
    assert (event.pid, event.code) == (os.getpid(), 7)
    os.getppid()
    seen.live[watched][os.getpid()] = 8
    os.getppid()
    assert [event.code for event in seen.wait(where=lambda event: event.code == 8)] == [8]
    assert [event.code for event in seen.wait(3)] == [7, 7, 8]


def test_runs_on_given_packets_share_maps_and_events(loaded: Loader) -> None:
    live = loaded(on_packet, maps={watched: {1: 5}})
    seen = Captured(live, asked)
    assert [live.run(on_packet, PACKET).maps[watched] for _ in range(2)] == [{1: 6}, {1: 7}]
    live.programs["on_packet"].test_run(PACKET)
    assert len(seen.wait(where=lambda event: event.pid == 1)) == 1


def test_what_was_loaded_is_gone_with_its_test() -> None:
    loader = Loader()
    loader(on_packet)
    assert "on_packet" in loaded_names()
    loader.close()
    until(lambda: "on_packet" not in loaded_names(), seconds=60)


def test_events_that_do_not_come_are_explained(loaded: Loader) -> None:
    seen = loaded.capture(asked, on_packet)
    with pytest.raises(AssertionError) as failed:
        seen.wait(2, seconds=0.01)
    assert str(failed.value) == (
        "2 events did not come within 0.01 s: 0 came\n"
        "  no program tried to send one: its hook was not met, or it returned before\n"
        "  on_packet is not attached: live.attach(on_packet, ...)"
    )
    for _ in range(200):
        seen.live.programs["on_packet"].test_run(PACKET)
    with pytest.raises(AssertionError) as failed:
        seen.wait(where=lambda event: event.code == 9, seconds=0.01)
    first, others, *events, lost, _ = str(failed.value).splitlines()
    assert first == "1 event that matches did not come within 0.01 s: 0 came"
    assert others.startswith("  other events: ")
    assert len(events) == 3
    assert all("Asked(" in event for event in events)
    assert lost.endswith("found no room: make the ring larger, or read it more often")


def test_a_condition_is_waited_for() -> None:
    found = iter((0, None, "this"))
    assert until(lambda: next(found)) == "this"
    with pytest.raises(AssertionError, match=r"did not come true within 0 s; it was \[\]"):
        until(list, seconds=0)
