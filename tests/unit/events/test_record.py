"""A Record class: its header, layout, kind, stamps, schema and documentation."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from skep.events import kinds
from skep.events.record import FieldDoc, Record
from skep.flows.programs.records import Accept, Close, Connect, Drop
from skep.lang.forms import Hex, Words
from skep.lang.maps import Ring
from skep.lang.types import char, u8, u32, u64
from skep.node.programs.records import Exec, Exit, Fork
from skep.trace.programs.records import Oom

OURS = {Exec: 256, Fork: 256, Exit: 256, Oom: 256, Connect: 128, Accept: 128, Close: 128, Drop: 128}


class Hello(Record):
    """Somebody said hello.

    pid: who it was
    took: how long it took,
        from start to end [ns]
    """

    pid: u32
    took: u64
    comm: char[16]


def test_the_header_comes_first_and_has_24_bytes() -> None:
    offsets = {f.name: f.offset for f in Hello.fields}
    assert offsets == {
        "time": 0,
        "seq": 8,
        "cpu": 16,
        "kind": 18,
        "flags": 20,
        "pid": 24,
        "took": 32,
        "comm": 40,
    }
    assert Record.size == 24


def test_a_record_is_padded_to_8_bytes_and_to_the_size_it_asks_for() -> None:
    class Odd(Record):
        letter: char[3]

    class Padded(Record, size=64):
        letter: char[3]

    assert (Odd.size, Padded.size, Hello.size) == (32, 64, 56)


@pytest.mark.parametrize("size", [44, 16])
def test_a_size_that_a_ring_cannot_take_is_refused(size: int) -> None:
    with pytest.raises(TypeError, match="Wrong"):

        class Wrong(Record, size=size):
            pid: u32


def test_a_field_of_the_header_cannot_be_declared_again() -> None:
    with pytest.raises(TypeError, match=r"Twice\.time is declared twice \(the header has it\)"):

        class Twice(Record):
            time: u64


def test_a_form_of_no_field_is_refused() -> None:
    with pytest.raises(TypeError, match="no field 'adress'"):

        class Wrong(Record, forms={"adress": Hex()}):
            address: u64


def test_kinds_of_ours_are_those_of_the_table() -> None:
    for record in OURS:
        kind = getattr(kinds, record.kind_name.upper())
        assert (record.kind_name, record.kind_number) == (kind.name, kind.number)
        assert kind.number < kinds.FIRST_OF_USERS


def test_the_number_of_a_users_kind_depends_on_its_name_alone() -> None:
    class DiskWrite(Record):
        sector: u64

    assert DiskWrite.kind_name == "disk_write"
    assert Hello.kind_number == 23174
    assert DiskWrite.kind_number == kinds.of_user("disk_write").number >= 1024


@pytest.mark.parametrize("name", ["text", "exec", "close"])
def test_a_users_kind_that_is_called_as_one_of_ours_has_a_number_of_its_own(name: str) -> None:
    class Mine(Record, kind=name):
        size: u64

    assert (Mine.kind_name, Mine.kind_number) == (name, kinds.of_user(name).number)
    assert Mine.kind_number >= kinds.FIRST_OF_USERS


def test_two_classes_of_one_kind_cannot_share_a_ring() -> None:
    class Mine(Record, kind="hello"):
        number: u32
        took: u64
        comm: char[16]

    assert Mine.size == Hello.size
    with pytest.raises(
        TypeError, match="Hello and Mine of a ring have one kind number, 23174; give"
    ):
        Ring(Hello, Mine)


def test_stamps_tell_the_compiler_what_to_store() -> None:
    assert dict(Hello.stamps) == {
        "time": "boot_ns",
        "seq": "sequence",
        "cpu": "cpu",
        "kind": 23174,
        "flags": 0,
    }


@pytest.mark.parametrize(("record", "size"), OURS.items(), ids=repr)
def test_our_records_have_the_size_of_their_ring(record: type[Record], size: int) -> None:
    assert record.size == size
    assert record.dtype.itemsize == size


def test_fields_lie_where_the_dtype_says() -> None:
    data = Close(
        pid=7, sport=443, saddr=[10, 0, 0, 1] + [0] * 12, comm="curl", srtt_us=9
    ).to_bytes()
    row = np.frombuffer(data, Close.dtype)[0]
    assert (row["pid"], row["sport"], row["comm"], row["srtt_us"]) == (7, 443, b"curl", 9)
    assert row["kind"] == kinds.CLOSE.number
    assert row["saddr"].tolist() == [10, 0, 0, 1] + [0] * 12


def test_an_instance_knows_its_kind_and_survives_bytes() -> None:
    event = Hello(pid=3, took=5, comm="x")
    assert event.kind == Hello.kind_number
    assert Hello.from_bytes(event.to_bytes()) == event


def test_documentation_has_a_row_for_each_field_with_unit_and_comment() -> None:
    rows = {row.name: row for row in Hello.describe()}
    assert rows["took"] == FieldDoc("took", "u64", 32, "ns", "how long it took, from start to end")
    assert rows["pid"] == FieldDoc("pid", "u32", 24, "", "who it was")
    assert rows["comm"].comment == ""
    assert rows["time"].unit == "ns"


@pytest.mark.parametrize("record", OURS, ids=repr)
def test_every_field_of_ours_is_documented(record: type[Record]) -> None:
    assert [row.name for row in record.describe() if not row.comment] == []


def test_docs_given_as_a_mapping_win() -> None:
    class Told(Record, docs={"pid": "the one [number]"}):
        """Told.

        pid: another
        """

        pid: u32

    assert Told.describe()[-1] == FieldDoc("pid", "u32", 24, "number", "the one")


def test_the_arrow_schema_has_types_that_others_read() -> None:
    class Wide(Record):
        pid: u32
        comm: char[16]
        address: u8[16]
        numbers: u32[3]

    schema = Wide.arrow_schema()
    assert schema.field("time").type == pa.timestamp("ns", tz="UTC")
    assert schema.field("pid").type == pa.uint32()
    assert schema.field("comm").type == pa.utf8()
    assert schema.field("address").type == pa.binary(16)
    assert schema.field("numbers").type.list_size == 3
    assert schema.names == [f.name for f in Wide.fields]


def test_making_a_record_imports_neither_numpy_nor_pyarrow() -> None:
    code = (
        "import sys; import skep.node.programs.records, skep.events.drain, skep.events.batch;"
        "print([m for m in ('numpy', 'pyarrow', 'asyncio', 'llvmlite') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_words_name_a_field_of_the_record() -> None:
    form = Exec.forms["args"]
    assert isinstance(form, Words)
    assert Exec.field(form.used) is not None
