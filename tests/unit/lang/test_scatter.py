"""The machine code by which slots become columns: it stands alone, for each processor."""

import pytest

from skep.base.errors import BadInput, CompileError
from skep.events.record import Record
from skep.lang import native, scatter
from skep.lang.backend import PROCESSORS, IrModule, emit
from skep.lang.struct import Struct
from skep.lang.types import be32, char, u8, u32, u64


class Point(Struct):
    """A part of a record."""

    x: u8
    y: u32


class Large(Record, size=1024):
    """A record with all that a function may be tempted to call for: wide copies, and a choice among classes."""

    port: be32
    path: char[600]
    points: Point[9]  # type: ignore[type-arg, valid-type] # an array to us, not a generic


CLASSES = dict.fromkeys(range(1, 9), Large)
TEXTS = (scatter.text({0: Large}), scatter.text(CLASSES))


@pytest.mark.parametrize("machine", PROCESSORS)
def test_a_function_has_nothing_beside_its_code(machine: str) -> None:
    for payload, text in zip(native.made(scatter.NAME, TEXTS, machine), TEXTS, strict=True):
        assert payload[: native.SIGNATURE] == native.signature(text, machine)
        assert payload[native.SIGNATURE : native.CODE_AT] == bytes(
            native.CODE_AT - native.SIGNATURE
        )
        assert len(payload) > native.CODE_AT + 100


CALLING = """declare i64 @outside(i64)
define i64 @scatter(i64 %a) nounwind {
  %b = call i64 @outside(i64 %a)
  ret i64 %b
}"""
BESIDE = """define i64 @before(i64 %a) nounwind {
  ret i64 %a
}
define i64 @scatter(i64 %a) nounwind {
  ret i64 %a
}"""
DATA = """@table = internal constant [4 x i64] [i64 1, i64 2, i64 3, i64 5]
define i64 @scatter(i64 %a) nounwind {
  %at = getelementptr i64, ptr @table, i64 %a
  %b = load i64, ptr %at
  ret i64 %b
}"""


@pytest.mark.parametrize("text", [CALLING, BESIDE, DATA])
def test_code_that_needs_more_than_itself_is_refused(text: str) -> None:
    with pytest.raises(CompileError, match="does not stand alone"):
        native.made("scatter", [text], "x86_64")


def test_an_object_for_another_processor_is_refused() -> None:
    (data,) = emit([IrModule("scatter", TEXTS[0], "aarch64")])
    with pytest.raises(BadInput, match="machine 183"):
        native.code(data, "scatter", "x86_64")


def test_a_signature_tells_texts_and_processors_apart() -> None:
    signatures = {native.signature(text, machine) for text in TEXTS for machine in PROCESSORS}
    assert len(signatures) == 4
    assert {len(one) for one in signatures} == {native.SIGNATURE}


def test_the_words_of_a_call_follow_one_another() -> None:
    class Pair(Struct):
        a: u64
        b: u64

    columns = len(Large.fields)
    first = scatter.FOREIGN + 1
    assert scatter.places({1: Large, 2: Large}) == (
        first,
        first + scatter.OFFSETS + columns,
        first + 2 * (scatter.OFFSETS + columns),
    )
    assert scatter.places({0: Pair}) == (first, first + scatter.OFFSETS + 2)
