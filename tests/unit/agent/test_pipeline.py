"""From rings to the agent: who did it, in the right order, with the long values of execs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from skep.agent.pipeline import Pipeline
from skep.agent.places import REFS, Places
from skep.agent.rings import CONNECTIONS, DROPS, LIFECYCLE
from skep.events.batch import Batch
from skep.events.record import Record
from skep.events.texts import TEXT_HEADER, Text
from skep.flows.programs.records import Close, Connect, Drop
from skep.node.arguments import ARGS, FILENAME
from skep.node.cohorts import Columns
from skep.node.programs.records import ARGS_GO_ON, CUT, FILENAME_GOES_ON, Exec, Exit, Oom


def batch(record: type[Record], *rows: dict[str, Any]) -> Batch:
    return Batch.of(record, [record(**row) for row in rows])


class FakeDrain:
    """A ring with some batches; notes in ``log`` when it is read."""

    def __init__(self, name: str, log: list[str], *batches: Batch) -> None:
        self._name, self._log, self._batches = name, log, batches

    def batches(self) -> Iterable[Batch]:
        self._log.append(self._name)
        return self._batches


class FakeTable:
    """Refs are pids."""

    def __init__(self, log: list[str]) -> None:
        self._log = log

    def apply(self, given: Mapping[str, Columns]) -> dict[str, list[int]]:
        self._log.append("apply")
        return {kind: given[kind]["pid"].tolist() for kind in given if kind != "oom"}

    def resolve(self, columns: Columns) -> list[int]:
        self._log.append("resolve")
        pids: list[int] = columns["pid"].tolist()
        return pids

    def resolve_ends(self, columns: Columns, begun: Any) -> list[int]:  # noqa: ANN401 - a column
        self._log.append(f"resolve since {begun.tolist()}")
        pids: list[int] = columns["pid"].tolist()
        return pids

    def definitions(self) -> list[tuple[int, bytes]]:
        return [(7, b'"pid":7')]

    def retired(self) -> list[int]:
        return [3]


class FakeNames:
    """Cgroup 5 is known."""

    def cgroup(self, place: int, pid: int) -> bytes:
        return b',"cgroup":"/five"' if (place, pid) == (5, 0) else b""


class FakeSender:
    """Keeps what is sent, in order."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def define(self, ref: int, fragment: bytes) -> None:
        self.sent.append((ref, fragment))

    def send(self, batch: Batch) -> bool:
        self.sent.append(batch)
        return True

    def flush(self) -> None:
        self.sent.append("flush")

    @property
    def batches(self) -> dict[Any, Batch]:
        return {one.record: one for one in self.sent if isinstance(one, Batch)}


class FakeRing:
    """The memory of a ring of texts."""

    tails = False

    def __init__(self, *texts: tuple[int, int, int, int, bytes]) -> None:
        data = b""
        for of, part, offset, whole, piece in texts:
            body = Text(of=of, part=part, offset=offset, whole=whole, used=len(piece)).to_bytes()
            body = body[:TEXT_HEADER] + piece
            data += len(body).to_bytes(8, "little") + body + bytes(-len(body) % 8)
        self.size = 1 << 16
        self.data = memoryview(data.ljust(2 * self.size, b"\0"))
        self._end, self.consumed = len(data), 0

    def positions(self) -> tuple[int, int]:
        return self.consumed, self._end

    def consume(self, position: int) -> None:
        self.consumed = position


def turn(
    drains: dict[str, Sequence[Batch]], texts: FakeRing | None = None
) -> tuple[FakeSender, list[str], int]:
    log: list[str] = []
    sender = FakeSender()
    pipeline = Pipeline(
        {name: FakeDrain(name, log, *batches) for name, batches in drains.items()},
        texts,
        FakeTable(log),
        Places(FakeNames()),
        sender,
    )
    return sender, log, pipeline.turn()


def test_the_ring_of_processes_is_read_after_those_that_refer_to_it() -> None:
    connects, execs = batch(Connect, {"pid": 9}), batch(Exec, {"pid": 7})
    _, log, count = turn({LIFECYCLE: [execs], CONNECTIONS: [connects]})
    assert log == [CONNECTIONS, LIFECYCLE, "apply", "resolve"]
    ends = batch(Close, {"pid": 9, "time": 70, "duration_ns": 30}, {"pid": 8, "time": 80})
    _, log, _ = turn({LIFECYCLE: [], CONNECTIONS: [ends]})
    assert log[-1] == "resolve since [40, 80]"
    assert count == 2


def test_definitions_go_before_batches_and_ends_after_them() -> None:
    sender, _, _ = turn({LIFECYCLE: [batch(Exec, {"pid": 7}), batch(Exit, {"pid": 7})]})
    kinds = [one.record if isinstance(one, Batch) else one for one in sender.sent]
    assert kinds == [(7, b'"pid":7'), Exec, Exit, (3, b""), "flush"]


def test_every_row_names_its_process() -> None:
    rows = batch(Oom, {"pid": 4}, {"pid": 5})
    sender, _, _ = turn({LIFECYCLE: [rows], CONNECTIONS: [batch(Connect, {"pid": 9})]})
    assert sender.batches[Oom]["ref"].tolist() == [4, 5]
    assert sender.batches[Connect]["ref"].tolist() == [9]
    assert sender.batches[Connect]["ref"].dtype == np.dtype("u8")


def test_batches_of_a_kind_are_joined() -> None:
    sender, _, _ = turn({LIFECYCLE: [batch(Exec, {"pid": 1}), batch(Exec, {"pid": 2})]})
    assert sender.batches[Exec]["ref"].tolist() == [1, 2]


def test_a_drop_names_the_cgroup_of_its_socket_where_it_is_known() -> None:
    rows = batch(Drop, {"cgroup": 5}, {"cgroup": 6}, {"cgroup": 0})
    sender, _, _ = turn({DROPS: [rows]})
    assert (REFS | 5, b'"cgroup":"/five"') in sender.sent
    assert sender.batches[Drop]["ref"].tolist() == [REFS | 5, 0, 0]


LONG = b"x" * 200 + b"\0"


def exec_with_long_args(seq: int = 8) -> Batch:
    row = {"pid": 7, "seq": seq, "flags": ARGS_GO_ON, "args": LONG[:112], "args_size": len(LONG)}
    return batch(Exec, row)


def test_long_values_are_put_together() -> None:
    texts = FakeRing((8, ARGS, 112, len(LONG), LONG[112:]))
    sender, _, _ = turn({LIFECYCLE: [exec_with_long_args()]}, texts)
    sent = sender.batches[Exec]
    assert sent.longer == {"args": {0: LONG}}
    assert not sent["flags"][0] & CUT
    assert texts.consumed == texts.positions()[1]


def test_both_values_of_an_exec_may_be_long() -> None:
    name = b"/" + b"n" * 100
    row = {
        "seq": 8,
        "flags": ARGS_GO_ON | FILENAME_GOES_ON,
        "args": LONG[:112],
        "args_size": len(LONG),
        "filename": name[:64],
        "filename_size": len(name),
    }
    texts = FakeRing((8, FILENAME, 0, len(name), name), (8, ARGS, 112, len(LONG), LONG[112:]))
    sender, _, _ = turn({LIFECYCLE: [batch(Exec, row)]}, texts)
    assert sender.batches[Exec].longer == {"filename": {0: name}, "args": {0: LONG}}


def test_a_value_of_which_a_piece_is_missing_is_marked_cut() -> None:
    sender, _, _ = turn({LIFECYCLE: [exec_with_long_args()]}, FakeRing())
    sent = sender.batches[Exec]
    assert sent.longer == {"args": {0: LONG[:112]}}
    assert sent["flags"][0] & CUT


def test_a_place_that_is_forgotten_is_ended_and_told_again() -> None:
    class All:
        def cgroup(self, place: int, pid: int) -> bytes:
            return b',"cgroup":"%d"' % (place + pid)

    places = Places(All(), most=2)
    assert places.resolve([1, 2, 3]) == [REFS | 1, REFS | 2, REFS | 3]
    assert places.retired() == [REFS | 1]
    assert len(places.definitions()) == 3
    assert places.resolve([1]) == [REFS | 1]
    assert places.definitions() == [(REFS | 1, b'"cgroup":"1"')]
