"""Batches: rows to columns and back, selecting, joining, Arrow."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.base.clock import rfc3339
from skep.events.batch import Batch, concat
from skep.events.json import Formatter
from skep.events.record import Record
from skep.lang.struct import Struct
from skep.lang.types import be16, be32, char, s16, u8, u16, u32
from tests.unit.events.synthetic import PATIENT, Note, Other, objects


class Inner(Struct):
    low: u16
    high: u16


class Rich(Record):
    small: s16
    order: be32
    comm: char[8]
    octets: u8[6]
    words: u32[2]
    ports: be16[2]
    inner: Inner


def rich(seq: int, **fields: object) -> Rich:
    return Rich(seq=seq, **fields)


@PATIENT
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**64 - 1),
            st.integers(-(2**15), 2**15 - 1),
            st.integers(0, 2**32 - 1),
            st.text("abcé", max_size=4),
            st.binary(min_size=6, max_size=6),
        ),
        max_size=5,
    )
)
def test_rows_become_columns_and_rows_again(values: list[tuple[int, int, int, str, bytes]]) -> None:
    events = [
        rich(
            seq,
            small=small,
            order=order,
            comm=comm,
            octets=list(octets),
            words=[small & 0xFF, order],
            ports=[order & 0xFFFF, 443],
            inner=Inner(low=1, high=seq & 0xFFFF),
        )
        for seq, small, order, comm, octets in values
    ]
    batch = Batch.of(Rich, events)
    assert len(batch) == len(events)
    assert list(batch.rows()) == events
    assert batch["order"].tolist() == [order for _, _, order, _, _ in values]
    assert batch["ports"].tolist() == [[order & 0xFFFF, 443] for _, _, order, _, _ in values]


def as_json(batch: Batch, offset: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Formatter(Rich).lines(batch, offset)]


@settings(PATIENT, max_examples=50)
@given(
    st.lists(
        st.builds(
            Rich,
            time=st.integers(0, 2**62),
            seq=st.integers(0, 2**64 - 1),
            small=st.integers(-(2**15), 2**15 - 1),
            order=st.integers(0, 2**32 - 1),
            comm=st.binary(max_size=8) | st.text(max_size=2),
            octets=st.binary(min_size=6, max_size=6).map(list),
            words=st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=2),
            ports=st.lists(st.integers(0, 2**16 - 1), min_size=2, max_size=2),
            inner=st.builds(Inner, low=st.integers(0, 2**16 - 1), high=st.integers(0, 2**16 - 1)),
        ),
        max_size=4,
    ),
    st.integers(-(2**40), 2**61),
)
def test_objects_columns_arrow_and_json_say_the_same(events: list[Rich], offset: int) -> None:
    """``offset`` is wall time minus boot time, ns."""
    batch = Batch.of(Rich, events)
    assert [one.to_bytes() for one in batch.rows()] == [one.to_bytes() for one in events]
    table = batch.to_arrow(offset)
    table.validate(full=True)
    table = table.set_column(0, "time", table["time"].cast(pa.int64()))
    rows, lines = table.to_pylist(), as_json(batch, offset)
    for event, row, line in zip(objects([batch]), rows, lines, strict=True):
        same = {name: getattr(event, name) for name in ("seq", "small", "order")}
        same |= {"words": list(event.words), "ports": list(event.ports), "comm": str(event.comm)}
        same |= {"inner": {"low": event.inner.low, "high": event.inner.high}}
        wall = event.time + offset
        assert row | same | {"time": wall, "octets": bytes(event.octets)} == row
        when = {"time": rfc3339(wall), "kind": Rich.kind_name, "octets": bytes(event.octets).hex()}
        assert line == same | when


def test_columns_are_contiguous_and_in_the_machines_byte_order() -> None:
    batch = Batch.of(Rich, [rich(i) for i in range(3)])
    assert all(column.flags.c_contiguous for column in batch.columns.values())
    assert batch["order"].dtype == np.dtype("=u4")
    assert batch["octets"].shape == (3, 6)
    assert batch["words"].shape == (3, 2)


@pytest.mark.parametrize("count", [1, 3])
def test_columns_do_not_share_the_memory_of_their_rows(count: int) -> None:
    raw = bytearray(b"".join(rich(i, comm="before").to_bytes() for i in range(count)))
    batch = Batch.from_rows(Rich, np.frombuffer(raw, Rich.dtype))
    raw[:] = b"\xff" * len(raw)
    assert batch["comm"].tolist() == [b"before"] * count
    assert batch["seq"].tolist() == list(range(count))
    assert batch["octets"].tolist() == [[0] * 6] * count


def test_select_takes_a_mask_or_numbers_and_keeps_long_values_with_their_rows() -> None:
    batch = Batch.of(Note, [Note(seq=i) for i in range(4)])
    batch = Batch(batch.record, batch.columns, {"comm": {1: b"one", 3: b"three"}})
    masked = batch.select(batch["seq"] >= 2)
    assert masked["seq"].tolist() == [2, 3]
    assert masked.longer == {"comm": {1: b"three"}}
    turned = batch.select(np.array([3, 0, 1]))
    assert turned["seq"].tolist() == [3, 0, 1]
    assert turned.longer == {"comm": {0: b"three", 2: b"one"}}
    assert batch.select(np.array([], int)).longer == {}
    assert batch.part(1, 3).longer == {"comm": {0: b"one"}}


def test_joined_batches_keep_order_and_long_values() -> None:
    first = Batch.of(Note, [Note(seq=1), Note(seq=2)])
    second = Batch(Note, Batch.of(Note, [Note(seq=3)]).columns, {"comm": {0: b"long"}})
    joined = concat([first, second])
    assert joined["seq"].tolist() == [1, 2, 3]
    assert joined.longer == {"comm": {2: b"long"}}
    assert [event.comm for event in objects([joined])] == ["", "", "long"]


def test_batches_of_two_classes_or_other_columns_are_not_joined() -> None:
    note, other = Batch.of(Note, [Note()]), Batch.of(Other, [Other()])
    with pytest.raises(ValueError, match="one record class"):
        concat([note, other])
    with pytest.raises(ValueError, match="same columns"):
        concat([note, note.extended(ref=np.zeros(1))])


def test_sorted_orders_by_sequence() -> None:
    batch = Batch.of(Note, [Note(seq=s, pid=p) for s, p in ((3, 0), (1, 1), (2, 2))])
    assert batch.sorted()["pid"].tolist() == [1, 2, 0]


def test_a_stage_adds_columns_of_the_same_length() -> None:
    batch = Batch.of(Note, [Note(), Note()])
    assert batch.extended(ref=np.array([4, 5]))["ref"].tolist() == [4, 5]
    with pytest.raises(ValueError, match="ref has 1 rows, the batch 2"):
        batch.extended(ref=np.array([4]))


def test_text_ends_at_the_first_nul_whatever_lies_behind() -> None:
    raw = bytearray(rich(1, comm="abc").to_bytes())
    comm = Rich.field("comm")
    assert comm is not None
    raw[comm.offset + 4 : comm.offset + 7] = b"old"
    (event,) = objects([Batch.from_rows(Rich, np.frombuffer(raw, Rich.dtype))])
    assert event.comm == "abc"


def test_text_that_is_no_utf8_reads_alike_in_events_json_and_arrow() -> None:
    batch = Batch.of(Rich, [rich(1, comm=b"a\xff")])
    (event,) = batch.rows()
    assert isinstance(event, Rich)
    assert event.to_bytes() == rich(1, comm=b"a\xff").to_bytes()
    shown = json.loads(Formatter(Rich).lines(batch, 0)[0])["comm"]
    assert str(event.comm) == shown == batch.to_arrow(0)["comm"].to_pylist()[0] == "a\\xff"


def test_arrow_has_wall_time_text_and_binary() -> None:
    events = [
        rich(1, time=5, comm="ok", octets=[1] * 6, words=[7, 8], inner=Inner(low=1, high=2)),
        rich(2, time=6, comm="x", ports=[80, 443]),
    ]
    batch = Batch.of(Rich, events)
    batch["comm"][1] = b"\xff"
    table = batch.to_arrow(1_000_000_000)
    assert table.schema == Rich.arrow_schema()
    table.validate(full=True)
    assert table["time"].cast(pa.int64()).to_pylist() == [1_000_000_005, 1_000_000_006]
    assert table["comm"].to_pylist() == ["ok", "\\xff"]
    assert table["octets"].to_pylist()[0] == b"\1" * 6
    assert table["words"].to_pylist()[0] == [7, 8]
    assert table["ports"].to_pylist()[1] == [80, 443]
    assert table["inner"].to_pylist()[0] == {"low": 1, "high": 2}
