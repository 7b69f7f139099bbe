"""A ring of the running kernel, filled by test runs of a raw tracepoint program."""

import select
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from skep.kernel.maps import Map
from skep.kernel.programs import Program
from skep.kernel.rings import RingReader
from skep.lang.maps import Ring
from skep.lang.spec import MapReference
from skep.lang.struct import Struct
from skep.lang.types import u64
from tests.kernel.kernel.samples import OUTPUT, OUTPUT_MAP, program

SIZE = 4096
SLOT = 24


class Pair(Struct):
    one: u64
    two: u64


RING = Ring(Pair, size=SIZE, name="skep_probe")


class Bench:
    """A ring, a program that puts pairs into it, and a reader."""

    def __init__(self, made: Program, reader: RingReader, state: Map) -> None:
        self.program, self.reader, self.state = made, reader, state

    def put(self, one: int, two: int) -> None:
        self.program.test_run(ctx=struct.pack("<QQ", one, two))

    def get(self) -> list[tuple[int, int]]:
        pairs = (Pair.from_bytes(view) for view in self.reader.read_records())
        return [(pair.one, pair.two) for pair in pairs]


@pytest.fixture
def bench() -> Iterator[Bench]:
    spec = RING.spec()
    code = program(
        "raw_tp", "sys_enter", OUTPUT, references=(MapReference(OUTPUT_MAP, 0),), maps=(spec,)
    )
    with ExitStack() as stack:
        ring = stack.enter_context(Map.create(spec))
        state = stack.enter_context(Map.create(RING.state.spec()))
        made = stack.enter_context(Program.load(code, [ring]))
        reader = stack.enter_context(RingReader.of(ring, state, RING.records))
        yield Bench(made, reader, state)


def test_records_come_as_they_were_put_in(bench: Bench) -> None:
    for number in range(5):
        bench.put(number, number * number)
    assert bench.reader.positions() == (0, 5 * SLOT)
    assert bench.get() == [(n, n * n) for n in range(5)]
    assert bench.get() == []
    assert bench.reader.positions() == (5 * SLOT, 5 * SLOT)


def test_nothing_is_lost_while_the_ring_goes_round(bench: Bench) -> None:
    seen = []
    for start in range(0, 1000, 50):
        for number in range(start, start + 50):
            bench.put(number, 0)
        seen += [one for one, _ in bench.get()]
    assert seen == list(range(1000))
    assert bench.reader.positions()[1] > 5 * SIZE


def test_a_full_ring_takes_no_more_and_goes_on_when_it_is_read(bench: Bench) -> None:
    room = SIZE // SLOT
    for number in range(room + 10):
        bench.put(number, 0)
    seen = bench.get()
    assert [one for one, _ in seen] == list(range(len(seen)))
    assert room - 1 <= len(seen) <= room
    bench.put(7, 8)
    assert bench.get() == [(7, 8)]


def test_waiting_ends_when_a_record_comes(bench: Bench) -> None:
    def later() -> None:
        time.sleep(0.05)
        bench.put(1, 2)

    thread = threading.Thread(target=later)
    thread.start()
    assert bench.reader.wait(60.0)
    thread.join()
    assert bench.get() == [(1, 2)]


def test_waiting_does_not_sleep_over_what_is_there_and_ends_without_it(bench: Bench) -> None:
    bench.put(1, 2)
    assert bench.reader.wait(60.0)
    bench.get()
    assert not bench.reader.wait(0.0)


def test_the_doorbell_is_armed_while_waiting_and_silent_after(bench: Bench) -> None:
    memory = bench.state.memory()
    bench.reader.arm()
    assert memory[128] == 1
    bench.reader.disarm()
    assert memory[128] == 0


def test_the_descriptor_to_wait_on_rests_when_armed(bench: Bench) -> None:
    bench.reader.arm()
    outer = select.poll()
    outer.register(bench.reader.fileno(), select.POLLIN)
    assert outer.poll(0) == []
    for _ in range(2):
        bench.put(1, 2)
        assert outer.poll(60_000)
        bench.reader.arm()  # though the record is still there, as one that is being written would be
        assert outer.poll(0) == []
    assert len(bench.get()) == 2
