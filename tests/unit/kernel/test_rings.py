"""A ring is read in place, in order, as far as it is written. Against the fake kernel."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from skep.kernel.maps import Map
from skep.kernel.rings import BUSY, DISCARD, RingReader
from skep.lang.maps import Ring
from skep.lang.struct import Struct
from skep.lang.types import u64
from skep.testing.door import FakeDoor

SIZE = 4096


class Event(Struct):
    number: u64


class Bench:
    """A ring, its state and a reader of both."""

    def __init__(self) -> None:
        self.door, ring = FakeDoor(), Ring(Event, size=SIZE, name="events")
        self.ring = Map.create(ring.spec(), door=self.door)
        self.state = Map.create(ring.state.spec(), door=self.door)
        self.reader = RingReader.of(self.ring, self.state, ring.records, door=self.door)

    def put(self, *records: bytes, flags: int = 0) -> None:
        for record in records:
            self.door.produce(self.ring.fd, record, flags=flags)

    def get(self) -> list[bytes]:
        return [bytes(view) for view in self.reader.read_records()]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_records_come_once_and_in_order(bench: Bench) -> None:
    bench.put(b"one", b"second", b"")
    assert bench.get() == [b"one", b"second", b""]
    assert bench.get() == []
    bench.put(b"more")
    assert bench.get() == [b"more"]


def test_space_goes_back_to_the_kernel_record_by_record(bench: Bench) -> None:
    bench.put(b"12345678", b"123456789")
    records = bench.reader.read_records()
    next(records)
    assert bench.reader.positions() == (0, 40)
    next(records)
    assert bench.reader.positions() == (16, 40)
    assert list(records) == []
    assert bench.reader.positions() == (40, 40)


def test_a_record_that_is_being_written_ends_the_pass_and_comes_in_the_next(bench: Bench) -> None:
    bench.put(b"first")
    bench.put(b"slowly", flags=BUSY)
    bench.put(b"third")
    assert bench.get() == [b"first"]
    assert bench.get() == []
    bench.door.finish(bench.ring.fd, 16)
    assert bench.get() == [b"slowly", b"third"]


def test_a_discarded_record_is_passed_over(bench: Bench) -> None:
    bench.put(b"kept")
    bench.put(b"dropped", flags=DISCARD)
    bench.put(b"last")
    assert bench.get() == [b"kept", b"last"]


@given(some.lists(some.binary(max_size=300), max_size=60))
def test_the_end_of_the_memory_is_seen_by_nobody(records: list[bytes]) -> None:
    bench = Bench()
    for record in records:
        bench.put(record)
        assert bench.get() == [record]
    bench.reader.close()


def test_a_view_is_void_at_the_next_step(bench: Bench) -> None:
    bench.put(b"one", b"two")
    records = bench.reader.read_records()
    first = next(records)
    next(records)
    with pytest.raises(ValueError, match="released"):
        bytes(first)


def test_the_memory_can_be_read_by_others_who_consume_it_themselves(bench: Bench) -> None:
    bench.put(struct.pack("<Q", 7))
    tail, head = bench.reader.positions()
    assert bench.reader.data[tail + 8 : head].tobytes() == struct.pack("<Q", 7)
    bench.reader.consume(head)
    assert bench.reader.positions() == (head, head)


def test_counts_and_doorbell_are_those_of_the_state(bench: Bench) -> None:
    memory = bench.state.memory()
    memory[0:8], memory[64:72] = struct.pack("<Q", 9), struct.pack("<Q", 4)
    assert (bench.reader.attempts, bench.reader.refused) == (9, 4)
    bench.reader._bell[32] = 1
    assert memory[128] == 1
    bench.reader.disarm()
    assert memory[128] == 0


def test_a_ring_without_a_state_counts_nothing(bench: Bench) -> None:
    with RingReader(bench.ring.fd, SIZE, door=bench.door) as bare:
        assert (bare.attempts, bare.refused) == (0, 0)


def test_closing_voids_the_memory_even_while_a_part_is_held(bench: Bench) -> None:
    part = bench.reader.data[:8]
    bench.reader.close()
    with pytest.raises(ValueError, match="released"):
        bench.reader.positions()
    part.release()
