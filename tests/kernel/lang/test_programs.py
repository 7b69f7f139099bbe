"""The same program in the kernel and as plain Python: equal verdict, packet, maps and events."""

import errno
import random
from collections.abc import Mapping
from typing import Any

import pytest

import skep
from skep.base.errors import Unsupported
from skep.lang.capture import declarations
from skep.lang.maps import Declaration, Ring
from skep.lang.programs import Program
from tests.kernel.lang import programs
from tests.kernel.lang.programs import Given, Prefix, Value

XDP = (
    programs.counts,
    programs.tallies,
    programs.powers,
    programs.structs,
    programs.big_endian,
    programs.forgets,
    programs.records,
    programs.globally,
    programs.once,
    programs.functions,
)
PROGRAMS = [one for one in vars(programs).values() if isinstance(one, Program)]
BEFORE: dict[Declaration, dict[Any, Any]] = {
    programs.prefixes: {
        Prefix(8, [10, 0, 0, 0]): 8,
        Prefix(31, [10, 0, 0, 6]): 31,
        Prefix(32, [10, 0, 0, 9]): 32,
    },
    programs.rows: {1: [1, 2, 3, 0xFFFFFFFF]},
    programs.numbers: {5: 6},
}


def given(seed: int) -> bytes:
    """A packet."""
    rng = random.Random(seed)
    made = Given(
        a=rng.choice((1, 2, 3, 5, 0xFFFFFFFF)),
        b=rng.getrandbits(32),
        c=rng.randrange(-100, 100),
        port=rng.choice((80, 443, 65535)),
        small=rng.choice((6, 7, 9, 255)),
        signed=rng.randrange(-128, 128),
        big=rng.getrandbits(64),
        name=rng.choice(("", "abc", "12345678")),
    )
    return made.to_bytes() + bytes(20)


def maps_of(program: Program) -> list[Declaration]:
    return [declared for _, declared in declarations(program)]


def before(program: Program) -> Mapping[Declaration, Mapping[Any, Any]]:
    return {declared: BEFORE[declared] for declared in maps_of(program) if declared in BEFORE}


def comparable(declared: Declaration, content: Any) -> object:  # noqa: ANN401 - of any map
    """A map's content in a form that both kinds of run share: no times, no CPUs."""
    if isinstance(declared, Ring):
        return [(type(e), [v for k, v in e if k not in ("time", "cpu")]) for e in content]
    found = dict(content)
    return {k: sum(v) for k, v in found.items()} if declared.type.per_cpu else found


def plain(program: Program, data: bytes) -> tuple[int, bytes, list[object]]:
    """What a run as plain Python leaves."""
    kernel, packet = skep.FakeKernel(), bytearray(data)
    for declared, content in before(program).items():
        for key, value in content.items():
            kernel[declared][key] = value
    verdict = program.py(packet, kernel=kernel)
    held = [
        comparable(d, kernel[d].poll() if isinstance(d, Ring) else kernel[d])
        for d in maps_of(program)
    ]
    return verdict, bytes(packet), held


def live(program: Program, data: bytes) -> tuple[int, bytes, list[object]]:
    """What a run in the kernel leaves."""
    done = skep.run(program, data, maps=before(program))
    held = [comparable(declared, done.maps[declared]) for declared in maps_of(program)]
    return done.verdict, done.packet, held


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("program", XDP, ids=lambda p: p.name)
def test_a_program_leaves_the_same_in_the_kernel_and_as_plain_python(
    program: Program, seed: int
) -> None:
    assert live(program, given(seed)) == plain(program, given(seed))


def test_an_increment_says_why_it_did_not_count() -> None:
    """Two of six find no room, and one more; index 7 is behind the end of an array."""
    verdict, packet, _ = live(programs.tallies, Given(b=7).to_bytes() + bytes(20))
    assert verdict == 2 * 100 - errno.E2BIG * 10 - errno.ENOENT
    assert Given.from_bytes(packet).small == errno.E2BIG
    assert Given.from_bytes(packet).big == 0


@pytest.mark.parametrize(
    "data",
    [bytes(14), bytes([1] * 20), bytes([3, 0, 0, 7, 2, 0, 9, 0]) + bytes(8), bytes([200] * 16)],
)
def test_a_packet_is_read_and_written_within_its_bounds(data: bytes) -> None:
    assert live(programs.parses, data) == plain(programs.parses, data)


@pytest.mark.parametrize("data", [bytes([5] * 40), bytes([5] * 30)])
def test_a_function_gives_a_part_of_a_packet(data: bytes) -> None:
    assert live(programs.views_of_a_function, data) == plain(programs.views_of_a_function, data)


@pytest.mark.parametrize("size", [14, 60, 61, 62, 63, 64])
def test_a_packet_knows_its_length(size: int) -> None:
    verdict = skep.run(programs.measures, bytes(size)).verdict
    assert verdict == programs.measures.py(bytes(size)) == (3 if size in (62, 64) else 1)


def test_a_record_that_nothing_sets_is_zero() -> None:
    done = skep.run(programs.records, given(1))
    notes = [e for e in done.maps[programs.events] if type(e).__name__ == "Note"]
    assert {note.rest == [0] * 6 for note in notes} == {True}
    assert notes[0].name == ""


def test_memory_of_any_size_is_filled_and_copied() -> None:
    page = programs.Page(text="a" * 2999, odd=[5] * 301)
    with skep.load(programs.large, attach=False) as live:
        live[programs.pages][0] = page
        assert live.programs["large"].test_run(bytes(20)).retval == 2
        assert live[programs.pages][1] == page
        event: Any
        (event,) = live[programs.long_notes].poll()
        assert (event.number, event.text) == (20, "")
        assert event.to_bytes()[-5000:] == bytes(5000)


def test_losses_are_counted_and_numbers_show_them() -> None:
    done = skep.run(programs.records, given(1))
    state = done.maps[programs.events.state][0]
    taken = [e.seq for e in done.maps[programs.events]]
    assert (state.seq, state.lost) == (60, done.verdict)
    assert taken == sorted(taken)
    assert len(taken) < 60 - done.verdict  # some were discarded


def test_a_context_is_read_and_written() -> None:
    data = given(3)
    done = skep.run(programs.marks, data)
    assert done.verdict == skep.s32(Given.from_bytes(data).a + len(data))
    assert programs.marks.py(skep.Packet(bytearray(data), mark=0)) == done.verdict


@pytest.mark.parametrize("number", [0, 59, 0x7FFFFFFE, -1, -(1 << 40)])
def test_arguments_of_a_tracepoint_keep_their_signs(number: int) -> None:
    done = skep.run(programs.calls, (0x1234, number & (1 << 64) - 1))
    kernel = skep.FakeKernel()
    assert programs.calls.py(0x1234, skep.s64(number), kernel=kernel) == done.verdict
    assert done.maps[programs.numbers] == dict(kernel[programs.numbers])
    assert done.maps[programs.total][0] == kernel[programs.total][0]


@pytest.mark.parametrize("size", [41, 42])
def test_a_verdict_of_a_cgroup_is_its_programs(size: int) -> None:
    ethernet, data = bytes(12) + b"\x08\x00", bytes([69]) + bytes(size - 1)
    assert skep.run(programs.lets_pass, ethernet + data).verdict == programs.lets_pass.py(data)


def test_a_kind_that_cannot_be_run_alone_says_so() -> None:
    with pytest.raises(Unsupported) as caught:
        skep.run(programs.attached, ())
    assert "a test run of tp_btf programs" in str(caught.value)


def test_values_outlive_their_maps() -> None:
    done = skep.run(programs.structs, given(2))
    assert all(isinstance(value, Value) for value in done.maps[programs.values].values())
