"""Loading: what is attached, what is found in maps and rings, and what is gone afterwards."""

import os
import socket
import time
from collections.abc import Callable, Iterator

import pytest

import skep
from skep.base.errors import BadInput, SkepError, VerifierError
from skep.kernel import objects
from skep.kernel.bpf import DOOR
from skep.lang.programs import Program
from skep.testing.network import Wire
from tests.kernel.program import programs
from tests.kernel.program.programs import Call, Mark

PROGRAMS = [one for one in vars(programs).values() if isinstance(one, Program)]
SECONDS = 60.0


def until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def held() -> Iterator[Callable[[], set[int]]]:
    """The ids of programs of these names that are in the kernel since the test began; at its end, of none."""
    names = {one.name[:15] for one in PROGRAMS}

    def now() -> set[int]:
        return {p.id for p in objects.programs(DOOR) if p.name in names}

    before = now()
    yield lambda: now() - before
    until(lambda: not now() - before)


def test_events_are_records_of_their_classes(held: Callable[[], set[int]]) -> None:
    with skep.load(programs.on_call) as live:
        live[programs.mine][os.getpid()] = 1
        os.getppid()
        call, mark = (e for e, _ in zip(live[programs.calls].poll(SECONDS), range(2), strict=False))
        assert isinstance(call, Call)
        assert (call.pid, call.number) == (os.getpid(), programs.GETPPID)
        assert isinstance(mark, Mark)
        assert (mark.value, mark.more, mark.seq) == (7, 0, 1)
        assert held()


def test_iterating_waits_for_the_next_event() -> None:
    with skep.load(programs.on_call) as live:
        live[programs.mine][os.getpid()] = 1
        seen = []
        os.getppid()
        for event in live[programs.calls]:
            seen.append(event.seq)  # type: ignore[attr-defined]
            if len(seen) == 6:
                break
            if len(seen) % 2 == 0:
                os.getppid()
        assert seen == list(range(6))


def test_what_finds_no_room_is_counted() -> None:
    with skep.load(programs.floods) as live:
        live[programs.mine][os.getpid()] = 1
        os.getppid()
        ring = live[programs.small]
        taken = list(ring.poll())
        assert (ring.attempts, ring.lost + len(taken)) == (200, 200)
        assert ring.lost > 0
        assert [e.n for e in taken] == list(range(len(taken)))  # type: ignore[attr-defined]


def test_nothing_runs_once_it_is_left() -> None:
    with skep.load(programs.on_enter) as live:
        entered = live[programs.entered]
        live[programs.mine][os.getpid()] = 1
        os.getppid()
        assert entered[0] == 1
        (link,) = live.links["counts_entry"]
        link.close()
        os.getppid()
        assert entered[0] == 1


def test_one_function_may_be_on_two_hooks() -> None:
    with skep.load(programs.on_enter, programs.on_raw) as live:
        live[programs.mine][os.getpid()] = 1
        os.getppid()
        assert live[programs.entered][0] == 2
        assert set(live.programs) == set(live.links) == {"counts_entry", "counts_entry.1"}


def test_programs_that_share_a_declaration_share_a_map() -> None:
    with skep.load(programs.on_call, programs.on_enter) as live:
        live[programs.mine][os.getpid()] = 1
        os.getppid()
        assert live[programs.entered][0] == 1
        assert len(list(live[programs.calls].poll(SECONDS))) == 2


def test_an_iterator_is_read() -> None:
    with skep.load(programs.tasks) as live:
        assert live.read(programs.tasks).count(b"\n") > 1
    with skep.load(programs.on_enter) as live, pytest.raises(BadInput, match="only an iterator"):
        live.read(programs.on_enter)


def test_what_is_attached_to_a_device_is_attached_on_request(wire: Wire) -> None:
    with skep.load(programs.drops) as live:
        assert live.links == {}
        live.attach(programs.drops, wire.device, netns=wire.right.path)
        with wire.left.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"hello", (wire.addresses[1], 9))
        until(lambda: live[programs.entered][1] > 0)
    assert "xdp" not in wire.right.run("ip", "link", "show", wire.device)


def test_a_map_that_no_program_uses_is_not_there() -> None:
    with (
        skep.load(programs.on_enter) as live,
        pytest.raises(KeyError, match=r"no program .* uses this Hash"),
    ):
        live[programs.unused]


def test_a_program_that_was_not_loaded_is_not_attached() -> None:
    with skep.load(programs.on_enter) as live, pytest.raises(BadInput, match="was not loaded here"):
        live.attach(programs.on_call)


@pytest.mark.parametrize("wanted", [(), (programs.counts_entry,), (5,)])
def test_only_programs_are_loaded(wanted: tuple[Program, ...]) -> None:
    with pytest.raises(TypeError, match="takes programs"):
        skep.load(*wanted)


def test_a_program_that_the_verifier_refuses_leaves_nothing(held: Callable[[], set[int]]) -> None:
    with pytest.raises(VerifierError) as caught:
        skep.load(programs.on_enter, programs.refused_by_the_verifier)
    assert caught.value.log
    assert programs.__file__ in str(caught.value)
    until(lambda: not held())


def test_a_hook_that_is_not_there_leaves_nothing(held: Callable[[], set[int]]) -> None:
    with pytest.raises(SkepError), skep.load(programs.on_enter, programs.drops) as live:
        live.attach(programs.drops, "no-such-device")
    until(lambda: not held())
