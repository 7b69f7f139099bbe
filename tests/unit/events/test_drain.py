"""Draining: every complete record once, in order, whatever else lies in the ring."""

import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.events.batch import Batch
from skep.events.drain import Drain
from skep.events.record import Record
from skep.lang.scatter import slot_bytes
from skep.lang.struct import Struct
from skep.lang.types import u32, u64
from tests.unit.events.synthetic import PATIENT, Note, Other, SyntheticRing, note, objects, other

BOTH = (Note, Other)
Rows = np.ndarray[Any, Any]


def seqs(batches: list[Batch]) -> list[int]:
    """The sequence numbers of some batches, in order."""
    return sorted(int(seq) for batch in batches for seq in batch["seq"])


def test_an_empty_ring_gives_nothing() -> None:
    assert list(Drain(SyntheticRing(), [Note]).batches()) == []


def test_records_come_whole_and_their_space_is_given_back_before_they_are_handed_on() -> None:
    ring = SyntheticRing()
    ring.put(note(1, pid=5, port=443, comm="curl", address=[10] * 16))
    drain = Drain(ring, [Note])
    for batch in drain.batches():
        assert ring.consumer == ring.producer
        (event,) = batch.rows()
    assert event == Note(seq=1, pid=5, port=443, comm="curl", address=[10] * 16)
    assert drain.delivered == 1


def test_classes_that_share_a_ring_come_apart_and_keep_their_order_by_seq() -> None:
    ring = SyntheticRing()
    for seq in range(6):
        ring.put(note(seq) if seq % 3 else other(seq, amount=seq * 10))
    batches = {batch.record: batch for batch in Drain(ring, BOTH).batches()}
    assert batches[Note]["seq"].tolist() == [1, 2, 4, 5]
    assert batches[Other]["seq"].tolist() == [0, 3]
    assert batches[Other]["amount"].tolist() == [0, 30]


def test_a_record_that_is_being_written_holds_back_what_comes_after() -> None:
    ring = SyntheticRing()
    ring.put(note(1))
    held = ring.busy(note(2))
    ring.put(note(3))
    drain = Drain(ring, [Note])
    assert seqs(list(drain.batches())) == [1]
    assert list(drain.batches()) == []
    assert held is not None
    ring.submit(held, Note.size)
    assert seqs(list(drain.batches())) == [2, 3]


class LateRing(SyntheticRing):
    """A ring whose first busy record is finished right after the reader has looked at the lengths."""

    late: int | None = None
    looks = 0

    @property
    def data(self) -> memoryview:
        self.looks += 1
        if self.looks == 2 and self.late is not None:
            self.submit(self.late, Note.size)
        return self._data

    @data.setter
    def data(self, value: memoryview) -> None:
        self._data = value


def test_a_record_that_is_finished_while_it_is_looked_at_is_not_foreign() -> None:
    ring = LateRing()
    ring.late = ring.busy(note(7))
    drain = Drain(ring, [Note])
    assert seqs(list(drain.batches())) == [7]
    assert drain.foreign == 0


def test_discarded_records_are_passed_over_and_counted() -> None:
    ring = SyntheticRing()
    for seq in range(6):
        (ring.discard if seq % 2 else ring.put)(note(seq))
    drain = Drain(ring, [Note])
    (batch,) = drain.batches()
    assert batch["seq"].tolist() == [0, 2, 4]
    assert drain.discarded == 3


def test_records_of_another_size_are_counted_and_the_rest_is_read() -> None:
    ring = SyntheticRing()
    for seq, record in enumerate((note(0), b"x" * 5, b"y" * 125, note(3), b"z" * 300, note(5))):
        assert ring.put(record) is not None, seq
    drain = Drain(ring, [Note])
    assert seqs(list(drain.batches())) == [0, 3, 5]
    assert drain.foreign == 3


def test_a_kind_that_the_ring_does_not_carry_is_counted() -> None:
    ring = SyntheticRing()
    ring.put(note(1))
    ring.put(Note(seq=2, kind=999).to_bytes())
    drain = Drain(ring, BOTH)
    assert seqs(list(drain.batches())) == [1]
    assert drain.foreign == 1


@pytest.mark.parametrize("start", [0, 4096 - 8, 3 * 4096 - 136, 2**40 - 64])
def test_records_that_wrap_around_are_whole(start: int) -> None:
    ring = SyntheticRing(start=start)
    drain = Drain(ring, [Note])
    seen = []
    for turn in range(5):
        for i in range(20):
            assert ring.put(note(turn * 20 + i, comm=f"{turn}.{i}")) is not None
        seen += [(e.seq, e.comm) for e in objects(drain.batches())]
    assert seen == [(n, f"{n // 20}.{n % 20}") for n in range(100)]


def test_a_large_window_that_wraps_around_is_one_batch() -> None:
    ring = SyntheticRing(1 << 17, start=(1 << 17) - 136 * 20 - 8)
    count = (1 << 17) // 136
    for seq in range(count):
        assert ring.put(note(seq, pid=seq * 3)) is not None
    (batch,) = Drain(ring, [Note]).batches()
    assert batch["seq"].tolist() == list(range(count))
    assert (batch["pid"] == batch["seq"] * 3).all()


def test_a_batch_that_was_let_go_of_is_gone_before_the_next_is_made() -> None:
    ring = SyntheticRing()
    for seq in range(9):
        ring.put(note(seq) if seq % 2 else other(seq))
    alive: list[weakref.ref[Any]] = []
    seen: list[int] = []

    def keep(record: object, rows: Rows) -> Rows:
        seen.append(sum(column() is not None for column in alive))
        return np.ones(len(rows), "?")

    for batch in Drain(ring, BOTH, keep=keep, chunk=3).batches():
        alive.append(weakref.ref(batch["seq"]))
        del batch
    assert len(alive) == 6
    assert seen == [0] * 6


def test_a_pass_reads_one_snapshot_and_does_not_chase_the_producer() -> None:
    ring = SyntheticRing()
    ring.put(note(0))
    ring.put(note(1))
    drain = Drain(ring, [Note], chunk=1)
    seen = []
    for batch in drain.batches():
        ring.put(note(int(batch["seq"][0]) + 10))
        seen += batch["seq"].tolist()
    assert seen == [0, 1]
    assert seqs(list(drain.batches())) == [10, 11]


def test_a_chunk_bounds_a_batch() -> None:
    ring = SyntheticRing()
    for seq in range(25):
        ring.put(note(seq))
    assert [len(b) for b in Drain(ring, [Note], chunk=10).batches()] == [10, 10, 5]


def test_keep_decides_on_the_rows_in_the_ring_and_what_it_drops_is_counted_as_read() -> None:
    ring = SyntheticRing()
    for seq in range(8):
        ring.put(note(seq, pid=seq % 2) if seq > 1 else other(seq, pid=1))
    drain = Drain(ring, BOTH, keep=lambda record, rows: (rows["pid"] == 1) & (record is Note))
    assert seqs(list(drain.batches())) == [3, 5, 7]
    account = drain.account("notes", ring.attempts, ring.refused)
    assert (drain.delivered, drain.filtered) == (3, 5)
    assert (account.delivered, account.pending) == (8, 0)


def test_a_ring_of_one_plain_struct_needs_no_header() -> None:
    class Pair(Struct):
        key: u64
        value: u32

    ring = SyntheticRing()
    ring.put(Pair(key=1, value=2).to_bytes())
    (batch,) = Drain(ring, [Pair]).batches()
    assert batch["value"].tolist() == [2]


def test_a_plain_struct_cannot_share_a_ring() -> None:
    class Pair(Struct, size=128):
        key: u64

    with pytest.raises(TypeError, match="only a Record"):
        Drain(SyntheticRing(), [Note, Pair])


def test_two_classes_of_one_number_or_two_sizes_cannot_share_a_ring() -> None:
    class Twin(Record, kind="note", size=128):
        pid: u32

    class Small(Record):
        pid: u32

    with pytest.raises(ValueError, match="one kind number"):
        Drain(SyntheticRing(), [Note, Twin])
    with pytest.raises(ValueError, match="differ in size"):
        Drain(SyntheticRing(), [Note, Small])


def test_losses_are_what_found_no_room_exactly() -> None:
    ring = SyntheticRing()
    drain = Drain(ring, BOTH)
    for seq in range(100):
        ring.put(note(seq))
        if seq == 60:
            assert seqs(list(drain.batches())) == list(range(30))
    account = drain.account("notes", ring.attempts, ring.refused, misses=2)
    assert (account.refused, account.pending, account.delivered) == (40, 30, 30)
    assert account.losses().lost == 42
    list(drain.batches())
    assert drain.account("notes", ring.attempts, ring.refused).pending == 0


FULL = st.sampled_from(["note", "other", "busy", "discard", "odd", "drain"])


@PATIENT
@given(st.lists(FULL, max_size=60), st.integers(0, 511), st.integers(1, 9))
def test_any_history_is_read_once_in_order_and_accounted_for(
    steps: list[str], start: int, chunk: int
) -> None:
    ring = SyntheticRing(2048, start * 8)
    drain = Drain(ring, BOTH, chunk=chunk)
    accepted: list[int] = []
    odd = discarded = 0
    held: list[int] = []
    seen: list[int] = []
    for seq, step in enumerate(steps):
        match step:
            case "note" | "other" | "busy":
                record = other(seq, pid=seq) if step == "other" else note(seq, pid=seq)
                at = ring.busy(record) if step == "busy" else ring.put(record)
                if at is not None:
                    accepted.append(seq)
                    held += [at] if step == "busy" else []
            case "discard":
                discarded += ring.discard(note(seq)) is not None
            case "odd":
                odd += ring.put(bytes(seq % 40 * 8 + 1)) is not None
            case "drain":
                batches = list(drain.batches())
                assert all((b["seq"] == b["pid"]).all() for b in batches)
                seen += seqs(batches)
    for at in held:
        if ring.consumer <= at:
            ring.submit(at, Note.size)
    seen += seqs(list(drain.batches()))
    assert seen == accepted
    assert (drain.discarded, drain.foreign) == (discarded, odd)
    assert drain.account("any", ring.attempts, ring.refused).pending == 0


def test_a_slot_is_8_aligned() -> None:
    assert [slot_bytes(n) for n in (0, 1, 8, 128, 125 | 1 << 31)] == [8, 16, 16, 136, 136]


def test_batches_stay_when_the_ring_is_written_again() -> None:
    ring = SyntheticRing()
    ring.put(note(1, comm="kept"))
    (batch,) = Drain(ring, [Note]).batches()
    for seq in range(2, 32):
        ring.put(note(seq, comm="new"))
    assert batch["comm"].tolist() == [b"kept"]
    assert not np.shares_memory(batch["seq"], np.frombuffer(ring.data, "u1"))


def test_a_position_within_a_record_ends_the_pass() -> None:
    ring = SyntheticRing()
    ring.put(note(1))
    ring.producer -= 8  # no kernel does this: the reader must not spin
    drain = Drain(ring, [Note])
    assert list(drain.batches()) == []
    assert drain.foreign == 1
