"""A single event is shown as the batches' lines show it."""

import json
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.events.batch import Batch
from skep.events.json import Formatter
from skep.events.record import Record, RecordType
from skep.events.shown import readable, shown
from skep.flows.programs.records import Close, Connect, Drop
from skep.lang.forms import Address, Bytes, Form, Frames, Hex, Marks, Names, Symbol
from skep.lang.kernel_names import kernel_enum
from skep.lang.struct import Struct
from skep.lang.types import be32, char, s16, u8, u16, u32, u64
from skep.node.programs.records import Exec, Exit

FORMS: dict[str, Form] = {
    "number": Address(),
    "swapped": Address(),
    "octets": Address(),
    "wide": Address(),
    "words": Address("family"),
    "place": Hex(),
    "text": Bytes(),
    "marks": Marks(((1, "first"), (4, "third"))),
    "name": Names(((1, "one"), (2, "two"))),
}


class Pair(Struct):
    """A part of a record."""

    left: u32
    right: char[4]


class Every(Record, forms=FORMS):
    """Each form, and what has none."""

    number: u32
    swapped: be32
    octets: u8[4]
    wide: u8[16]
    words: be32[4]
    family: u16
    place: u64
    text: u8[8]
    marks: u8
    name: u8
    pair: Pair
    numbers: s16[3]
    plain: u8[2]


RECORDS = (Exec, Exit, Connect, Close, Drop, Every)


def line(event: Record) -> dict[str, Any]:
    """What its line says, without the header."""
    (text,) = Formatter(type(event)).lines(Batch.of(type(event), [event]), 0)
    found: dict[str, Any] = json.loads(text)
    return {key: found[key] for key in found if key not in ("time", "kind", "seq")}


@pytest.mark.parametrize("record", RECORDS, ids=lambda one: one.__name__)
@settings(deadline=None, max_examples=50)
@given(st.data())
def test_an_event_says_what_the_line_of_a_batch_says(
    record: RecordType, data: st.DataObject
) -> None:
    """Text in ASCII: a Struct has text as it reads it, and what is not UTF-8 does not come back from it."""
    raw = data.draw(st.binary(min_size=record.size, max_size=record.size))
    event: Any = record.from_bytes(bytes(byte & 0x7F for byte in raw))
    event.time = 0
    assert json.loads(json.dumps(shown(event))) == line(event)


def test_addresses_are_text() -> None:
    event = Every(
        number=0x0A000001,
        swapped=0x7F000001,
        octets=[192, 168, 0, 1],
        wide=[0] * 15 + [1],
        words=[0x0A000002, 0, 0, 1],
        family=2,
    )
    found = shown(event)
    assert (found["number"], found["swapped"], found["octets"]) == (
        "10.0.0.1",
        "127.0.0.1",
        "192.168.0.1",
    )
    assert (found["wide"], found["words"]) == ("::1", "10.0.0.2")
    event.family = 10
    assert shown(event)["words"] == "a00:2::1"
    event.family = 7
    assert shown(event)["words"] is None


def test_an_address_of_another_size_is_refused() -> None:
    class Wrong(Record, forms={"port": Address()}):
        port: u16

    with pytest.raises(TypeError, match="port: u16 cannot be shown as Address"):
        Formatter(Wrong)


def test_a_struct_that_is_no_record_is_shown_as_it_is() -> None:
    assert shown(Pair(7, "ab")) == {"left": 7, "right": "ab"}


class Numbers(IntEnum):
    """What an Enum calls numbers."""

    ONE = 1


@pytest.mark.parametrize(
    "names", [{1: "ONE"}, [(1, "ONE")], Numbers], ids=["dict", "pairs", "Enum"]
)
def test_names_are_given_by_a_mapping_pairs_or_an_enum(names: dict[int, str]) -> None:
    assert Names(names) == Names(((1, "ONE"),))


class Both(Struct, forms={"peer": Address(), "where": Frames("stacks", pid="pid")}):
    """Forms of a part."""

    peer: be32
    pid: u32
    where: s16


class Called(Record, forms={"by": Symbol(), "function": Symbol(pid="of")}):
    """Addresses of functions."""

    by: u64
    function: u64
    of: u32


class Seen(Record, forms={"reason": Names(kernel_enum("reasons")), "at": Frames("stacks")}):
    """Names that only a live thing has."""

    reason: u32
    at: u32
    both: Both
    more: Both[2]  # type: ignore[type-arg, valid-type] # an array to us, not a generic


class Known:
    """A kernel, as far as it names things."""

    def number(self, enum: str, number: int) -> str | int:
        return f"{enum}-{number}"

    def symbol(self, form: Symbol, address: int, pid: int) -> str:
        return f"{address:#x}-{pid}{form.pid}"

    def frames(self, form: Frames, number: int, pid: int) -> list[str]:
        return [f"{form.stacks}-{number}-{pid}"]


def test_the_parts_of_a_record_are_shown_in_their_own_forms() -> None:
    event = Seen(reason=2, at=3, both=Both(0x7F000001, 7, -14), more=[Both(1), Both(2)])
    part = {"peer": "127.0.0.1", "pid": 7, "where": -14}
    found = shown(event)
    assert found == line(event)
    assert (found["reason"], found["at"], found["both"]) == (2, 3, part)
    assert [one["peer"] for one in found["more"]] == ["0.0.0.1", "0.0.0.2"]


def test_addresses_are_functions_where_names_are_at_hand() -> None:
    event = Called(by=16, function=32, of=7)
    assert shown(event) == line(event) == {"by": "0x10", "function": "0x20", "of": 7}
    assert shown(event, Known()) == {"by": "0x10-0", "function": "0x20-7of", "of": 7}


def test_a_live_thing_names_numbers_and_stacks() -> None:
    event = Seen(reason=2, at=3, both=Both(0x7F000001, 7, 5))
    found = shown(event, Known())
    assert (found["reason"], found["at"]) == ("reasons-2", ["stacks-3-0"])
    assert found["both"]["where"] == ["stacks-5-7"]


def test_bytes_that_are_not_utf8_read_as_what_they_are() -> None:
    assert readable(b"\xff\xe6\xbc ok \xc3\xa9") == r"\xff\xe6\xbc ok é"
