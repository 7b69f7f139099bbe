"""Columns by a function in the machine's own code: the same as by numpy, whatever lies in the ring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.events.batch import Batch
from skep.events.drain import Drain
from skep.kernel.native import Function
from skep.lang.scatter import BUSY, DISCARD, slot_bytes
from tests.unit.events.functions import RINGS, Call, Carried, ending, functions, kinds
from tests.unit.events.synthetic import PATIENT, Note, Other, SyntheticRing, note, other

NOTES, BOTH = 0, 1
RING = 4096


def drained(
    ring: SyntheticRing, carried: Carried, native: Function | None, chunk: int
) -> tuple[object, ...]:
    """Everything that can be seen of one pass."""
    drain = Drain(ring, carried, chunk=chunk, native=native)
    batches = list(drain.batches())
    counts = drain.delivered, drain.discarded, drain.foreign, drain.filtered
    return [contents(batch) for batch in batches], counts, ring.consumer


def contents(batch: Batch) -> tuple[object, ...]:
    return batch.record, [
        (name, column.dtype, column.shape, column.flags.c_contiguous, column.tobytes())
        for name, column in batch.columns.items()
    ]


SLOT = st.tuples(
    st.sampled_from(["row"] * 6 + ["discard", "odd", "unknown", "busy"]), st.integers(0, 2**32)
)


def filled(
    slots: list[tuple[str, int]], carried: Carried, start: int, room: int = 16384
) -> SyntheticRing:
    ring, size = SyntheticRing(room, start), carried[0].size
    numbers = kinds(carried)
    for what, seed in slots:
        record = bytearray(np.random.default_rng(seed).bytes(size))
        if len(carried) > 1:
            number = numbers[seed % len(numbers)] if what != "unknown" else 0xFFFF
            record[18:20] = number.to_bytes(2, "little")
        flags = {"busy": BUSY, "discard": DISCARD}.get(what, 0)
        ring.put(bytes(record[: seed % size] if what == "odd" else record), flags)
    return ring


@PATIENT
@given(
    st.integers(0, len(RINGS) - 1),
    st.lists(SLOT, max_size=14),
    st.integers(0, 2047),
    st.integers(1, 9),
)
def test_columns_and_counts_are_those_of_numpy(
    index: int, slots: list[tuple[str, int]], start: int, chunk: int
) -> None:
    carried = RINGS[index]
    by_numpy, native = (
        drained(filled(slots, carried, start * 8), carried, way, chunk)
        for way in (None, functions()[index])
    )
    assert native == by_numpy


@PATIENT
@given(
    st.integers(0, len(RINGS) - 1),
    st.binary(min_size=64, max_size=512),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1) | st.none(),
    st.integers(1, 40),
)
def test_garbage_is_neither_read_beyond_the_ring_nor_written_beyond_the_columns(
    index: int, garbage: bytes, position: int, end: int | None, rows: int
) -> None:
    """Behind the ring, the first byte that is read ends the process."""
    carried = RINGS[index]
    with ending(RING) as pages:
        pages[:] = (garbage * (2 * RING // len(garbage) + 1))[: 2 * RING]
        for at in range(0, 2 * RING, 8):
            pages[at : at + 4] = carried[0].size.to_bytes(4, "little")
        call = Call(carried, pages, rows)
        slots = call.made(functions()[index], position, position if end is None else end)
    assert slots <= min(rows, RING // slot_bytes(carried[0].size))
    assert call.stray() == 0


@pytest.mark.parametrize("position", [0, 8, RING - 8, RING - 3, 2**64 - 8])
def test_a_ring_that_says_that_it_is_over_full_is_read_once_around(position: int) -> None:
    for carried, function in zip(RINGS, functions(), strict=True):
        stride = slot_bytes(carried[0].size)
        with ending(RING) as pages:
            at = position % RING // 8 * 8
            for slot in range(at, 2 * RING - 3, stride):
                pages[slot : slot + 4] = carried[0].size.to_bytes(4, "little")
            call = Call(carried, pages, 1000)
            slots = call.made(function, position, (position + 10 * RING) % 2**64)
        assert slots == RING // stride
        assert call.stray() == 0


def test_all_rows_of_a_large_window_come_in_order() -> None:
    ring = SyntheticRing(1 << 20, start=(1 << 20) - 136 * 20 - 8)
    count = (1 << 20) // 136
    for seq in range(count):
        assert ring.put(note(seq, pid=seq * 3)) is not None
    (batch,) = Drain(ring, [Note], native=functions()[NOTES]).batches()
    assert batch["seq"].tolist() == list(range(count))
    assert (batch["pid"] == batch["seq"] * 3).all()


def test_a_batch_of_few_rows_holds_no_memory_for_many() -> None:
    ring, rows = SyntheticRing(1 << 19), [note(1)] * 3000
    for row in (*rows, other(7), *rows[:10]):
        assert ring.put(row) is not None
    batches = {b.record: b for b in Drain(ring, (Note, Other), native=functions()[BOTH]).batches()}
    assert batches[Other]["seq"].tolist() == [7]
    assert batches[Other]["seq"].base is None
    assert len(batches[Note]) == 3010


@pytest.mark.parametrize("index", range(len(RINGS)))
def test_columns_that_leave_their_block_are_whole(index: int) -> None:
    """Also between the members of a Struct."""
    slots = [("row", 5), *[("discard", 3)] * 300, *(("row", seed) for seed in range(9))]
    by_numpy, native = (
        drained(filled(slots, RINGS[index], 8, 1 << 19), RINGS[index], way, 400)
        for way in (None, functions()[index])
    )
    assert native == by_numpy
    assert native[1] == (10, 300, 0, 0)


def test_batches_stay_when_the_ring_is_written_again() -> None:
    ring = SyntheticRing()
    ring.put(note(1, comm="kept"))
    (batch,) = Drain(ring, [Note], native=functions()[NOTES]).batches()
    for seq in range(2, 32):
        ring.put(note(seq, comm="new"))
    assert batch["comm"].tolist() == [b"kept"]


def test_a_function_for_other_records_is_refused() -> None:
    with pytest.raises(ValueError, match="other layouts"):
        Drain(SyntheticRing(), [Other], native=functions()[NOTES])


def test_a_ring_that_is_not_mapped_twice_is_refused() -> None:
    ring = SyntheticRing()
    ring.data = ring.data[:4096]
    with pytest.raises(ValueError, match="mapped twice"):
        Drain(ring, [Note], native=functions()[NOTES])


def test_rows_that_a_filter_is_to_see_come_by_numpy() -> None:
    ring = SyntheticRing()
    for seq in range(4):
        ring.put(note(seq))
    drain = Drain(
        ring, [Note], keep=lambda _, rows: rows["seq"] % 2 == 1, native=functions()[NOTES]
    )
    assert [batch["seq"].tolist() for batch in drain.batches()] == [[1, 3]]
    assert drain.filtered == 2
