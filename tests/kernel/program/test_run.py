"""``skep.run``: one run in the kernel, attached to nothing."""

from functools import partial

import pytest

import skep
from skep.base.errors import BadInput, Unsupported
from skep.kernel import objects
from skep.kernel.bpf import DOOR
from skep.lang.programs import Program
from skep.testing.programs import until
from tests.kernel.program import programs

PROGRAMS = [one for one in vars(programs).values() if isinstance(one, Program)]
PACKET = bytes(60)


def test_a_run_gives_verdict_packet_and_maps() -> None:
    done = skep.run(programs.drops, PACKET)
    assert (done.verdict, done.packet) == (1, PACKET)
    assert done.maps == {programs.entered: {0: 0, 1: 1}}


def test_maps_hold_what_they_are_given_before_the_run() -> None:
    done = skep.run(programs.drops, PACKET, maps={programs.entered: {0: 5, 1: 6}})
    assert done.maps[programs.entered] == {0: 5, 1: 7}


def test_runs_share_nothing() -> None:
    for _ in range(2):
        assert skep.run(programs.drops, PACKET).maps[programs.entered][1] == 1


def test_a_run_tells_what_changed() -> None:
    done = skep.run(programs.tallies, PACKET, maps={programs.mine: {1: 5, 2: 6, 3: 7}})
    assert done.maps[programs.mine] == {1: 6, 3: 7, 4: 1}
    assert done.changes[programs.mine] == {1: 6, 2: None, 4: 1}
    assert set(done.changes) == {programs.mine, programs.todo, programs.settings, programs.small}
    assert done.changes[programs.settings] == {0: programs.Settings(limit=0, hits=1)}
    assert [event.n for event in done.changes[programs.small]] == [6]


def test_runs_of_one_load_share_their_maps() -> None:
    with skep.load(programs.tallies, attach=False, pins=None) as live:
        first = live.run(programs.tallies, PACKET, maps={programs.settings: programs.Settings(3)})
        second = live.run(programs.tallies, PACKET)
    assert first.maps[programs.mine] == {1: 1, 4: 1}
    assert second.changes[programs.mine] == {1: 2, 4: 2}
    assert second.maps[programs.settings] == {0: programs.Settings(limit=3, hits=2)}
    assert second.maps[programs.todo] == [1, 2]
    assert [event.n for event in second.maps[programs.small]] == [2]


def test_a_program_that_was_not_loaded_does_not_run() -> None:
    with (
        skep.load(programs.drops, attach=False) as live,
        pytest.raises(BadInput, match="not loaded"),
    ):
        live.run(programs.tallies, PACKET)


def test_a_map_that_the_program_does_not_use_cannot_be_filled() -> None:
    with pytest.raises(KeyError, match="no program"):
        skep.run(programs.drops, PACKET, maps={programs.unused: {1: 1}})


def test_a_packet_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="at least the 14 bytes of Ethernet, not 5"):
        skep.run(programs.drops, bytes(5))


def test_a_kind_that_the_kernel_does_not_run_is_told() -> None:
    with pytest.raises(Unsupported, match=r"test run of tp_btf programs.*where they are attached"):
        skep.run(programs.on_call, (0, 0))


def test_fields_beside_a_packet_are_given_and_come_back() -> None:
    packet = skep.Packet(PACKET, priority=5, cb=[1, 2, 3, 4, 5])
    done = skep.run(programs.marks, packet)
    assert (done.verdict, done.packet) == (5, PACKET)
    assert done.fields["mark"] == 7
    assert done.fields["cb"] == [1, 2, 3, 4, 6]
    assert programs.marks.py(packet) == 5
    assert (packet.fields["mark"], packet.fields["cb"]) == (7, [1, 2, 3, 4, 6])


def test_metadata_before_a_packet_is_given_and_comes_back() -> None:
    packet = skep.Packet(PACKET, told=b"\5\0\0\0")
    done = skep.run(programs.counts_up, packet)
    assert (done.verdict, done.told, done.packet) == (2, b"\6\0\0\0", PACKET)
    assert programs.counts_up.py(packet) == 2
    assert packet.told == b"\6\0\0\0"


def test_a_field_that_a_run_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="__sk_buff has no field 'marc'"):
        skep.run(programs.marks, skep.Packet(PACKET, marc=5))
    with pytest.raises(ValueError, match="mark has 4 bytes, which 4294967296 does not fit"):
        skep.run(programs.marks, skep.Packet(PACKET, mark=1 << 32))
    with pytest.raises(ValueError, match="metadata before a packet is given to XDP programs"):
        skep.run(programs.marks, skep.Packet(PACKET, told=bytes(4)))
    with pytest.raises(BadInput, match="it takes mark, priority, "):
        skep.run(programs.marks, skep.Packet(PACKET, hash=5))


def test_maps_are_filled_alike_in_the_kernel_and_in_plain_python() -> None:
    maps = {programs.mine: {1: 5}, programs.settings: programs.Settings(limit=3)}
    assert (
        programs.tallies.py(PACKET, maps=maps)
        == skep.run(programs.tallies, PACKET, maps=maps).verdict
    )
    kernel = skep.FakeKernel()
    programs.tallies.py(PACKET, kernel=kernel, maps=maps)
    assert kernel[programs.mine][1] == 6
    assert kernel[programs.settings].limit == 3
    for run in (programs.tallies.py, partial(skep.run, programs.tallies)):
        with pytest.raises(
            TypeError, match=r"a Hash is filled by a dict of its entries, not by \[1\]"
        ):
            run(PACKET, maps={programs.mine: [1]})


def test_nothing_is_left_of_a_run() -> None:
    skep.run(programs.drops, PACKET)
    until(lambda: "drops" not in {p.name for p in objects.programs(DOOR)}, seconds=60)
