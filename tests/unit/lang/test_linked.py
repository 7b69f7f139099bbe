import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.base.errors import BadInput
from skep.lang.linked import Linked, Reference, dump, parse
from skep.lang.spec import KfuncReference
from tests.unit.lang.modules import linked

EVERYTHING = linked("everything")
WRITTEN = dump(EVERYTHING)

names = st.text(max_size=40)
programs = st.builds(
    Linked,
    st.just(bytes(80)),
    st.lists(st.builds(Reference, st.integers(0, 8), names, st.integers(-(1 << 63), (1 << 63) - 1))).map(tuple),
    st.lists(st.builds(KfuncReference, st.integers(0, 9), names)).map(tuple),
    st.binary(max_size=50),
    st.binary(max_size=4).map(lambda b: b * 8),
    st.binary(max_size=4).map(lambda b: b * 16),
    st.binary(max_size=50),
    st.lists(names).map(tuple),
)  # fmt: skip


@given(programs)
def test_what_was_written_is_read(program: Linked) -> None:
    assert parse(dump(program)) == program


def test_a_compiled_program_is_the_same_afterwards() -> None:
    assert parse(WRITTEN) == EVERYTHING
    assert dump(parse(WRITTEN)) == WRITTEN


def test_a_program_that_is_cut_short_anywhere_is_refused() -> None:
    for size in range(len(WRITTEN)):
        with pytest.raises(BadInput):
            parse(WRITTEN[:size])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cut short"),
        (b"some other file", "no program of this version"),
        (WRITTEN + b"\0", "something follows its end"),
        (dump(Linked(bytes(12))), "parts of records"),
        (dump(Linked(bytes(16), line_info=bytes(8))), "parts of records"),
        (dump(Linked(bytes(16), (Reference(1, "m"),))), "instruction 1 of 1"),
        (dump(Linked(bytes(16), kfuncs=(KfuncReference(2, "m"),))), "instruction 2 of 2"),
        (dump(Linked(bytes(16), (Reference(0, "mmm"),))).replace(b"mmm", b"\xff" * 3), "not UTF-8"),
    ],
)
def test_a_program_that_is_wrong_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(data, "the file")
    assert caught.value.place == "the file"
    assert said in caught.value.problem


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_bytes_that_were_changed_are_read_or_refused(data: st.DataObject) -> None:
    mutated = bytearray(WRITTEN)
    for _ in range(data.draw(st.integers(1, 6))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    try:
        made = parse(bytes(mutated))
    except BadInput:
        return
    assert all(reference.insn + 1 < len(made.insns) // 8 for reference in made.references)
    assert all(kfunc.insn < len(made.insns) // 8 for kfunc in made.kfuncs)
