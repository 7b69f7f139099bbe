"""Rings of the running kernel: every record once and whole, and what is lost counted exactly."""

import os
import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from skep.events.batch import Batch
from skep.events.drain import Drain
from skep.events.losses import LossCounter
from skep.events.pace import BULK, MS, Pace
from skep.events.texts import Assembler, Whole, pieces
from skep.kernel.programs import Program
from skep.kernel.rings import RingReader
from skep.program.live import Live
from skep.program.load import load
from tests.kernel.events.programs import (
    SIZE,
    Even,
    Nested,
    Odd,
    Old,
    Partly,
    count_faults,
    discard_some,
    fault,
    faults,
    fill,
    fill_partly,
    leave_old,
    on_fault,
    plain,
    reused,
    samples,
    send_pieces,
    texts,
    told,
)

SLOT = 136


def run(program: Program, count: int) -> None:
    """Runs a program that takes a number as the result of a system call."""
    program.test_run(ctx=np.array([0, count] + [0] * 10, "<u8").tobytes())


@pytest.fixture
def live() -> Iterator[Live]:
    with load(fill, discard_some, attach=False) as loaded:
        yield loaded


@pytest.fixture
def reader(live: Live) -> RingReader:
    made: RingReader = live[samples].reader
    return made


@pytest.fixture(
    params=[
        "by numpy",
        pytest.param("by a function", marks=pytest.mark.native("it is compiled")),
    ]
)
def drain(request: pytest.FixtureRequest, live: Live, reader: RingReader) -> Drain:
    if request.param == "by numpy":
        return Drain(reader, [Even, Odd])
    made = live.drain(samples)
    assert made.native
    return made


def checked(batches: Iterator[Batch]) -> list[int]:
    """The sequence numbers of batches, all of whose records are as the program wrote them."""
    seen: list[int] = []
    for batch in batches:
        index = batch["index"].astype("u8")
        if batch.record is Even:
            assert (batch["twice"] == index * 2).all()
        else:
            assert (batch["square"] == index * index).all()
        assert (batch["time"] > 0).all()
        assert (batch["cpu"] < (os.cpu_count() or 1)).all()
        seen += batch["seq"].tolist()
    return sorted(seen)


def test_every_record_comes_once_and_whole_while_the_ring_wraps_around(
    live: Live, reader: RingReader, drain: Drain
) -> None:
    seen = []
    for _ in range(40):
        run(live.programs["fill"], 401)
        seen += checked(drain.batches())
    assert seen == list(range(40 * 401))
    assert drain.account("samples", reader.attempts, reader.refused).pending == 0


def test_a_full_ring_loses_exactly_what_it_says(
    live: Live, reader: RingReader, drain: Drain
) -> None:
    room = SIZE // SLOT
    for _ in range(10):
        run(live.programs["fill"], 600)
    account = drain.account("samples", reader.attempts, reader.refused)
    assert (account.attempts, account.refused, account.pending) == (6000, 6000 - room, room)
    assert checked(drain.batches()) == list(range(room))
    run(live.programs["fill"], 5)
    assert checked(drain.batches()) == list(range(6000, 6005))
    account = drain.account("samples", reader.attempts, reader.refused)
    assert account.pending == 0
    assert account.losses() == LossCounter("samples", room + 5, 6000 - room)


def test_a_reader_beside_a_busy_writer_misses_nothing_that_is_not_counted(
    live: Live, reader: RingReader, drain: Drain
) -> None:
    def write() -> None:
        for _ in range(300):
            run(live.programs["fill"], 600)

    seen = []
    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        seen += checked(drain.batches())
    writer.join()
    seen += checked(drain.batches())
    account = drain.account("samples", reader.attempts, reader.refused)
    assert account.attempts == 300 * 600
    assert len(seen) == len(set(seen)) == account.delivered == 300 * 600 - account.refused
    assert (account.pending, account.foreign) == (0, 0)


@pytest.mark.parametrize(
    "drained", [lambda live: Drain(live[plain].reader, [Even]), lambda live: live.drain(plain)]
)
def test_discarded_records_are_no_loss(live: Live, drained: Callable[[Live], Drain]) -> None:
    reader: RingReader = live[plain].reader
    run(live.programs["discard_some"], 300)
    drain = drained(live)
    (batch,) = drain.batches()
    assert batch["index"].tolist() == [i for i in range(300) if i % 3]
    account = drain.account("plain", reader.attempts, reader.refused)
    assert (account.discarded, account.pending, account.losses().lost) == (100, 0, 0)


def test_an_armed_doorbell_rings_once_and_a_disarmed_one_never(
    live: Live, reader: RingReader
) -> None:
    poll = select.epoll()
    poll.register(reader.fileno(), select.EPOLLIN)
    pace, drain = Pace(BULK, 0), Drain(reader, [Even, Odd])
    run(live.programs["fill"], 3)
    assert poll.poll(0.05) == [], "nobody asked to be woken"
    pace.passed(0, len(checked(drain.batches())), 0.01)
    assert not pace.armed
    pace.passed(10 * MS, len(checked(drain.batches())), 0.0)
    assert pace.armed
    reader.arm()
    assert reader.positions()[0] == reader.positions()[1]
    run(live.programs["fill"], 600)
    assert [fd for fd, _ in poll.poll(60)] == [reader.fileno()]
    pace.rung(12 * MS)
    assert pace.deadline == 14 * MS
    assert len(checked(drain.batches())) == SIZE // SLOT
    reader.arm()  # takes up the bell that rang
    reader.disarm()
    run(live.programs["fill"], 1)
    assert poll.poll(0.05) == []
    poll.close()


def test_runs_that_the_kernel_skips_for_recursion_are_counted() -> None:
    with load(on_fault, count_faults, fault, attach=False) as live:
        live.attach(on_fault)
        live.attach(count_faults)
        reader: RingReader = live[faults].reader
        drain = Drain(reader, [Even])
        memory = live[told].memory()
        memory.cast("I")[0] = os.getpid()
        for _ in range(3):
            run(live.programs["fault"], 10)
            list(drain.batches())
        memory.cast("I")[0] = 0
        list(drain.batches())
        misses = live.programs["on_fault"].info().recursion_misses
        account = drain.account("faults", reader.attempts, reader.refused, misses)
        counted = Nested.from_bytes(bytes(memory[: Nested.size])).faults
    assert account.delivered + account.losses().lost == counted
    assert min(account.delivered, misses) >= 30
    assert account.pending == 0


def test_no_byte_of_an_older_record_comes_back_in_what_a_helper_fills_in_part() -> None:
    text = np.frombuffer(b"ab\0cd".ljust(24, b"\xdd"), "u1")
    with load(leave_old, fill_partly, attach=False) as live:
        drain = Drain(live[reused].reader, [Old, Partly])
        run(live.programs["leave_old"], 0)
        (old,) = drain.batches()
        assert (old["words"] == 0xEEEEEEEEEEEEEEEE).all()
        assert len(old) == (1 << 12) // (256 + 8)
        for _ in range(8):
            run(live.programs["fill_partly"], text.ctypes.data)
        (batch,) = drain.batches()
    assert batch["user"].view("u1").reshape(8, 32).tolist() == [[97, 98, *bytes(30)]] * 8
    names = batch["kernel"].view("u1").reshape(8, 32)
    comm = Path("/proc/self/comm").read_bytes().strip()
    assert names.tolist() == [[*comm, *bytes(32 - len(comm))]] * 8
    for seq, copied in zip(batch["seq"].tolist(), batch["copied"].tolist(), strict=True):
        size = 3 + (seq & 1)
        assert copied == [*text[:size].tolist(), *bytes(24 - size)]
    assert not (batch["stack"] == 0xEEEEEEEEEEEEEEEE).any()
    assert (batch["stack"][:, 0] != 0).all()
    assert (batch["stack"][:, -1] == 0).all()


def test_a_long_value_comes_whole_in_pieces_of_its_own_size() -> None:
    with load(send_pieces, attach=False) as live:
        run(live.programs["send_pieces"], 20)
        reader: RingReader = live[texts].reader
        assembler = Assembler(patience=0)
        assembler.want(77, 0, b"A", 20_000)
        for piece in pieces(reader):
            assembler.add(piece)
        (whole,) = assembler.finish()
        expected = b"".join(bytes([65 + i]) + bytes(999) for i in range(20))
        assert whole == Whole(77, 0, expected, cut=False)
        assert (reader.attempts, reader.refused) == (20, 0)
