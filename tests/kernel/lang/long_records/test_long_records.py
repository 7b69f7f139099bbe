"""Records have a tail as long as each needs: in the kernel, as plain Python, and to who reads them."""

import os
import struct
import subprocess
from collections.abc import Iterable
from dataclasses import replace

import pytest

import skep
from skep.events.drain import Drain
from skep.lang.declared.streams import VariableRing
from skep.lang.programs import Program
from skep.lang.struct import Struct
from skep.testing.programs import Captured, Loader
from tests.kernel.lang.both import Given, compiled_so, packets
from tests.kernel.lang.long_records import programs
from tests.kernel.lang.long_records.programs import lines, notes, said

RECORDS = {
    programs.tells: (lines,),
    programs.masked: (lines,),
    programs.parts: (lines, notes),
    programs.many: (lines,),
}
SIZES = (10, 1 << 13, 1 << 24, (1 << 32) - 8, (1 << 64) - 8)
Left = tuple[list[int], list[object], int]


def content(event: tuple[Struct, bytes]) -> object:
    """What a program put into a record."""
    record, tail = event
    fields = [getattr(record, f.name) for f in type(record).fields if f.name not in ("time", "cpu")]
    return fields, tail


def in_the_kernel(program: Program, rings: Iterable[VariableRing], given: list[bytes]) -> Left:
    """Verdicts, records of each ring, and how many found no room."""
    with skep.load(program, attach=False) as live:
        verdicts = [live.programs[program.name].test_run(one).retval for one in given]
        events = [content(event) for ring in rings for event in live[ring].poll()]
        return verdicts, events, sum(live[ring].lost for ring in rings)


def as_plain_python(program: Program, rings: Iterable[VariableRing], given: list[bytes]) -> Left:
    """The same without a kernel."""
    kernel = skep.FakeKernel()
    verdicts = [program.py(one, kernel=kernel) for one in given]
    events = [content(event) for ring in rings for event in kernel[ring].poll()]
    return verdicts, events, sum(kernel[ring].lost for ring in rings)


@pytest.mark.parametrize("program", RECORDS, ids=lambda one: one.name)
def test_the_same_in_the_kernel_as_in_plain_python(program: Program) -> None:
    given = [one for seed in (3, 7) for one in packets(seed)]
    left = in_the_kernel(program, RECORDS[program], given)
    assert left == as_plain_python(program, RECORDS[program], given)
    assert 2 in left[0]
    assert left[1]


@pytest.mark.native("compiles for kernels without iterators")
@pytest.mark.parametrize("program", [programs.parts, programs.many], ids=lambda one: one.name)
def test_a_loop_that_the_kernel_calls_writes_a_tail(program: Program) -> None:
    target = replace(skep.Machine().target, callbacks=True)
    given = list(packets(3))
    kernel = skep.FakeKernel()
    verdicts = [program.py(one, kernel=kernel) for one in given]
    assert [verdict for verdict, _ in compiled_so(program, target, given)] == verdicts


def test_a_tail_is_as_long_as_was_reserved_and_no_longer() -> None:
    data = list(b"path/of/a/file".ljust(44, b"\0"))
    done = skep.run(programs.tells, Given(b=14, data=data).to_bytes())
    ((record, tail),) = done.changes[lines]
    assert (record.length, record.first, tail) == (14, ord("p"), b"path/of/a/file")
    assert done.maps[said][0].past == done.maps[said][0].at_end == (1 << 64) - 7  # E2BIG


def test_what_does_not_fit_is_counted() -> None:
    done = skep.run(programs.too_much, Given(a=1 << 13).to_bytes())
    assert (done.verdict, done.changes.get(notes)) == (3, None)
    kernel, given = skep.FakeKernel(), [Given(a=size).to_bytes() for size in SIZES]
    with skep.load(programs.too_much, attach=False) as live:
        verdicts = [live.programs["too_much"].test_run(one).retval for one in given]
        assert verdicts == [programs.too_much.py(one, kernel=kernel) for one in given]
        assert (kernel[notes].attempts, kernel[notes].lost) == (5, 4)
        assert (live[notes].attempts, live[notes].lost) == (5, 4)
        assert [len(tail) for _, tail in live[notes].poll()] == [10]


def test_pieces_stand_one_behind_the_other() -> None:
    done = skep.run(programs.parts, Given(a=5, d=3).to_bytes())
    assert [tail for _, tail in done.changes[lines]] == [struct.pack("<3Q", 5, 6, 7)]
    assert [(note.number, tail) for note, tail in done.changes[notes]] == [(3, b"")]


def test_events_come_with_their_bytes(loaded: Loader) -> None:
    live = loaded(programs.execs, maps={programs.watched: {os.getpid(): 1}})
    seen = Captured(live, lines)
    program = "/usr/bin/env"
    subprocess.run([program, "true"], check=True)
    ((record, tail), *_) = seen.wait(where=lambda event: event[1].startswith(b"/usr/bin/env"))
    assert tail == program.encode() + b"\0"
    assert record.length == len(tail)


def test_records_with_tails_are_no_rows_of_batches() -> None:
    with skep.load(programs.tells, attach=False) as live, pytest.raises(TypeError) as caught:
        Drain(live[lines].reader, lines.records)
    assert "iterate over it (live[ring])" in str(caught.value)
