"""Batches and definitions from process to process: in order, whole, bounded, whoever dies."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.events import blocks
from skep.events.batch import Batch
from skep.events.blocks import Receiver, Sender
from skep.events.frames import Definitions, Note, batch_bytes, batch_of
from skep.lang.struct import Struct
from skep.lang.types import u32
from skep.node.programs.records import Exec
from tests.unit.events import synthetic, test_batch
from tests.unit.events.synthetic import PATIENT, Other

RECORDS = (synthetic.Note, Other, test_batch.Rich)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(RECORDS, 64 << 10)
    yield made
    made.close()


@pytest.fixture
def sender(receiver: Receiver) -> Iterator[Sender]:
    made = Sender(receiver.memory, receiver.connect())
    yield made
    made.close()


def notes(*seqs: int, **fields: object) -> Batch:
    row = np.frombuffer(synthetic.Note(**fields).to_bytes(), synthetic.Note.dtype)
    rows = np.repeat(row, len(seqs))
    rows["seq"] = seqs
    return Batch.from_rows(synthetic.Note, rows)


def lost(receiver: Receiver, name: str) -> tuple[int, int]:
    """Passed and lost of a queue."""
    return next((c.passed, c.lost) for c in receiver.losses() if c.name == name)


def same(left: Batch, right: Batch) -> bool:
    return (
        left.record is right.record
        and left.columns.keys() == right.columns.keys()
        and all((left[name] == right[name]).all() for name in left.columns)
        and {k: v for k, v in left.longer.items() if v}
        == {k: v for k, v in right.longer.items() if v}
    )


@PATIENT
@given(
    st.integers(0, 5),
    st.dictionaries(
        st.sampled_from(["comm", "octets"]), st.dictionaries(st.integers(0, 4), st.binary())
    ),
)
def test_a_batch_survives_bytes(count: int, longer: dict[str, dict[int, bytes]]) -> None:
    events = [test_batch.rich(n, comm=f"c{n}", order=n, ports=[n, 443]) for n in range(count)]
    batch = Batch.of(test_batch.Rich, events).extended(ref=np.arange(count) * 7)
    longer = {k: {row: v for row, v in rows.items() if row < count} for k, rows in longer.items()}
    batch = Batch(batch.record, batch.columns, longer)
    again = batch_of(batch_bytes(batch), {test_batch.Rich.kind_number: test_batch.Rich})
    assert same(batch, again)
    assert [vars(event) for event in again.rows()] == [vars(event) for event in batch.rows()]
    assert again["ref"].tolist() == [n * 7 for n in range(count)]
    assert all(column.flags.aligned for column in again.columns.values())


def test_messages_come_in_the_order_in_which_they_were_sent(
    receiver: Receiver, sender: Sender
) -> None:
    first, second = notes(1, 2, comm="a"), Batch.of(Other, [Other(seq=3)])
    assert sender.send(first)
    sender.define(7, b'"pid":1')
    sender.define(8, b"")
    assert sender.send(second)
    assert sender.note(b"hello")
    sender.flush()
    one, definitions, two, note = receiver.receive()
    assert isinstance(one, Batch)
    assert isinstance(two, Batch)
    assert same(one, first)
    assert same(two, second)
    assert definitions == Definitions((7, 8), (b'"pid":1', b""))
    assert note == Note(b"hello")
    assert lost(receiver, "blocks") == (3, 0)
    assert lost(receiver, "definitions") == (2, 0)


def test_flush_wakes_the_receiver_and_sends_definitions(receiver: Receiver, sender: Sender) -> None:
    sender.flush()
    assert select.select([receiver], [], [], 0)[0] == []
    sender.define(1, b"x")
    sender.flush()
    assert select.select([receiver], [], [], 5)[0] == [receiver]
    assert list(receiver.receive()) == [Definitions((1,), (b"x",))]
    assert select.select([receiver], [], [], 0)[0] == []


def test_what_comes_while_it_receives_is_told_and_received_the_next_time(
    receiver: Receiver, sender: Sender
) -> None:
    sender.send(notes(0))
    sender.flush()
    for seq in range(1, 4):
        for message in receiver.receive():
            assert isinstance(message, Batch)
            assert message["seq"].tolist() == [seq - 1]
            sender.send(notes(seq))
            sender.flush()
        assert select.select([receiver], [], [], 0)[0] == [receiver]


def test_a_receiver_that_does_not_read_costs_batches_and_never_blocks(
    receiver: Receiver, sender: Sender
) -> None:
    sent = sum(sender.send(notes(*range(20), pid=n)) for n in range(100))
    assert 0 < sent < 100
    assert lost(receiver, "blocks") == (sent * 20, (100 - sent) * 20)
    batches = [m for m in receiver.receive() if isinstance(m, Batch)]
    assert [int(b["pid"][0]) for b in batches] == list(range(sent))
    assert sender.send(notes(1))


def test_definitions_wait_for_room_and_come_before_the_batch_that_needs_them(
    receiver: Receiver, sender: Sender
) -> None:
    while sender.send(notes(*range(20))):
        pass
    while sender.note(b""):
        pass
    sender.define(5, b"five")
    assert not sender.send(notes(1))
    list(receiver.receive())
    assert sender.send(notes(2))
    definitions, batch = receiver.receive()
    assert definitions == Definitions((5,), (b"five",))
    assert isinstance(batch, Batch)
    assert batch["seq"].tolist() == [2]


def test_a_batch_does_not_overtake_a_definition_that_finds_no_room(
    receiver: Receiver, sender: Sender
) -> None:
    while sender.note(bytes(4000)):
        pass
    assert next(iter(receiver.receive())) == Note(bytes(4000))
    sender.define(5, bytes(6000))
    assert not sender.send(notes(1))
    assert lost(receiver, "blocks") == (0, 1)
    list(receiver.receive())
    assert sender.send(notes(2))
    definitions, batch = receiver.receive()
    assert definitions == Definitions((5,), (bytes(6000),))
    assert isinstance(batch, Batch)


def test_waiting_definitions_are_bounded_and_the_oldest_are_lost(
    receiver: Receiver, sender: Sender
) -> None:
    for ref in range(blocks.WAITING + 3):
        sender.define(ref, b"")
    refs: list[int] = []
    while len(refs) < blocks.WAITING:
        sender.flush()
        refs += [r for m in receiver.receive() if isinstance(m, Definitions) for r in m.refs]
    assert refs == list(range(3, blocks.WAITING + 3))
    assert lost(receiver, "definitions") == (blocks.WAITING, 3)


def test_a_definition_that_fits_in_no_message_is_lost_alone(
    receiver: Receiver, sender: Sender
) -> None:
    sender.define(1, b"x" * (1 << 20))
    sender.define(2, b"two")
    sender.flush()
    assert list(receiver.receive()) == [Definitions((2,), (b"two",))]
    assert lost(receiver, "definitions") == (1, 1)


def test_a_large_batch_is_sent_in_parts(receiver: Receiver, sender: Sender) -> None:
    batch = notes(*range(300))
    batch = Batch(batch.record, batch.columns, {"comm": {0: b"first", 299: b"last"}})
    assert sender.send(batch)
    parts = [m for m in receiver.receive() if isinstance(m, Batch)]
    assert len(parts) > 1
    assert [seq for p in parts for seq in p["seq"].tolist()] == list(range(300))
    assert parts[0].longer == {"comm": {0: b"first"}}
    assert parts[-1].longer == {"comm": {len(parts[-1]) - 1: b"last"}}


def test_a_long_value_that_fits_in_no_message_is_cut_and_counted(
    receiver: Receiver, sender: Sender
) -> None:
    batch = Batch(synthetic.Note, notes(1, 2).columns, {"comm": {1: b"x" * (1 << 20)}})
    assert sender.send(batch)
    seqs = [s for m in receiver.receive() if isinstance(m, Batch) for s in m["seq"].tolist()]
    assert seqs == [1, 2]
    assert lost(receiver, "long values") == (0, 1)


def test_a_struct_without_a_kind_is_refused(sender: Sender) -> None:
    class Pair(Struct):
        key: u32

    with pytest.raises(TypeError, match="not a Record"):
        sender.send(Batch.of(Pair, [Pair(key=1)]))


def test_messages_that_make_no_sense_are_counted_and_passed_over(
    receiver: Receiver, sender: Sender
) -> None:
    sender.send(Batch.of(Exec, [Exec()]))  # a class that the receiver was not told of
    for kind, body in ((1, b"\0" * 8), (1, b"\xff" * 64), (2, b"\xff" * 32), (9, b"")):
        assert sender._arena.write(kind, body)
    sender.send(notes(1))
    (batch,) = receiver.receive()
    assert isinstance(batch, Batch)
    assert receiver.broken == 5


def test_each_side_notices_that_the_other_is_gone(receiver: Receiver) -> None:
    sender = Sender(receiver.memory, receiver.connect())
    sender.send(notes(1))
    sender.close()
    assert len(list(receiver.receive())) == 1
    assert receiver.closed
    sender = Sender(receiver.memory, receiver.connect())
    assert not receiver.closed
    os.close(receiver.connect())
    sender.send(notes(1))
    sender.flush()
    assert sender.gone
    sender.close()


SENDING = """
import sys
from skep.events.batch import Batch
from skep.events.blocks import Sender
from tests.unit.events.synthetic import Note
sender = Sender(int(sys.argv[1]), int(sys.argv[2]))
seq = int(sys.argv[3])
while True:
    sender.define(seq, b"%d" % seq)
    if sender.send(Batch.of(Note, [Note(seq=seq, pid=seq & 0xFFFF, comm=str(seq))] * 40)):
        seq += 1
    sender.flush()
"""


def start_sender(receiver: Receiver, first: int) -> subprocess.Popen[bytes]:
    theirs = receiver.connect()
    process = subprocess.Popen(
        [sys.executable, "-c", SENDING, str(receiver.memory), str(theirs), str(first)],
        pass_fds=(receiver.memory, theirs),
        cwd=Path(__file__).parents[3],
    )
    os.close(theirs)
    return process


def check(batch: Batch) -> int:
    """The sequence number of a batch of the sending process, all of whose rows are as it wrote them."""
    (seq,) = set(batch["seq"].tolist())
    assert len(batch) == 40
    assert set(batch["comm"].tolist()) == {str(seq).encode()}
    assert set(batch["pid"].tolist()) == {seq & 0xFFFF}
    return int(seq)


def read_until(receiver: Receiver, wanted: int) -> list[int]:
    """At least ``wanted`` batches of the sending process."""
    seen: list[int] = []
    while len(seen) < wanted:
        assert select.select([receiver], [], [], 100)[0], "the sender is silent"
        seen += [check(m) for m in receiver.receive() if isinstance(m, Batch)]
        assert not receiver.closed
    return seen


def test_a_killed_sender_leaves_whole_batches_and_is_replaced(receiver: Receiver) -> None:
    seen: list[int] = []
    for _ in range(3):
        process = start_sender(receiver, len(seen))
        seen += read_until(receiver, 50)
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen += [check(m) for m in receiver.receive() if isinstance(m, Batch)]
        assert receiver.closed
        assert seen == list(range(len(seen)))
    assert receiver.broken == 0
    assert lost(receiver, "blocks")[0] in (40 * len(seen), 40 * len(seen) - 40)


def test_nothing_is_left_of_a_closed_pair() -> None:
    before = set(os.listdir("/proc/self/fd"))
    receiver = Receiver(RECORDS, 4096)
    theirs = receiver.connect()
    sender = Sender(receiver.memory, theirs)
    sender.send(notes(1))
    sender.close()
    receiver.close()
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert "skep-events" not in Path("/proc/self/maps").read_text(encoding="utf-8")
