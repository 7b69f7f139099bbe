"""Where functions and static probes lie in ELF files, and what is said of files that are none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.base.errors import BadInput
from skep.kernel.binaries import Binary
from skep.kernel.static_probes import locations, static_probes
from tests.unit.kernel.elves import BASE, SHIFT, TEXT, Function, elf, note

FUNCTIONS = (
    Function("alpha", BASE + 0x10),
    Function("alphabet", BASE + 0x20),
    Function("beta", BASE + SHIFT + 0x30),
    Function("chosen", BASE + 0x40, indirect=True),
    Function("both", BASE + 0x50),
    Function("both", BASE + 0x60, indirect=True),
)


def binary(data: bytes) -> Binary:
    return Binary("app", data)


def test_a_function_lies_where_its_segment_is_in_the_file() -> None:
    app = binary(elf(FUNCTIONS))
    assert app.place("alpha") == TEXT + 0x10
    assert app.place("beta") == 2 * TEXT + 0x30


def test_patterns_give_all_that_they_match_but_no_indirect_ones() -> None:
    app = binary(elf(FUNCTIONS))
    assert app.matching(("alph*",)) == {"alpha": TEXT + 0x10, "alphabet": TEXT + 0x20}
    assert app.matching(("beta", "alpha")).keys() == {"alpha", "beta"}
    assert app.matching(("*",)).keys() == {"alpha", "alphabet", "beta"}
    with pytest.raises(BadInput, match="IFUNC"):
        app.matching(("both",))
    with pytest.raises(BadInput, match=r"no function 'gamma\*'"):
        app.matching(("alpha", "gamma*"))


@pytest.mark.parametrize(
    ("name", "said"),
    [("alphx", "did you mean 'alpha'"), ("chosen", "IFUNC"), ("both", "IFUNC"), ("", "stripped")],
)
def test_a_function_that_cannot_be_probed_is_told(name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        binary(elf(FUNCTIONS)).place(name)


def test_an_address_outside_of_all_segments_is_told() -> None:
    with pytest.raises(BadInput, match="0x1 is in no segment"):
        binary(elf((Function("far", 1),))).place("far")


def test_the_address_of_code_is_told_by_its_place_in_the_file() -> None:
    app = binary(elf(FUNCTIONS))
    assert app.code_address(TEXT) == BASE
    assert app.code_address(TEXT + 0xFFF) == BASE + 0xFFF
    for place in (TEXT - 1, 2 * TEXT):  # before it; data
        with pytest.raises(BadInput, match=f"there is no code at {place:#x}"):
            app.code_address(place)


def test_what_is_mapped_ends_with_the_file() -> None:
    data = elf(FUNCTIONS).ljust(2 * TEXT + 0x80, b"\0")
    text, rest = range(BASE, BASE + 0x1000), range(BASE + SHIFT, BASE + SHIFT + 0x80)
    assert list(binary(data).mapped()) == [text, rest]
    assert list(binary(data[: TEXT + 5]).mapped()) == [
        range(BASE, BASE + 5),
        range(rest.start, rest.start),
    ]


def test_functions_have_their_sizes() -> None:
    assert {one.size for one in binary(elf(FUNCTIONS)).functions()} == {4}


def test_a_static_probe_has_its_places_semaphores_and_arguments() -> None:
    notes = note("p:one", "-4@%eax", BASE + 8) + note(
        "p:two", "", BASE + 12, semaphore=BASE + SHIFT
    )
    notes += note("p:one", "8@%rbx", BASE + 16)
    app = binary(elf(notes=notes))
    assert [(one.offset, one.arguments) for one in locations(app, "p", "one")] == [
        (TEXT + 8, "-4@%eax"),
        (TEXT + 16, "8@%rbx"),
    ]
    assert locations(app, "p", "two")[0].semaphore == 2 * TEXT
    with pytest.raises(BadInput, match="did you mean 'p:one'"):
        locations(app, "p", "onx")


def test_a_binary_that_was_moved_moves_its_probes() -> None:
    notes = note("p:one", "", BASE - 0x100 + 8, base=0x50)
    app = binary(elf(notes=notes, moved=0x150))
    assert locations(app, "p", "one")[0].offset == TEXT + 8


def test_a_binary_without_notes_has_no_static_probes() -> None:
    assert list(static_probes(binary(elf(FUNCTIONS)))) == []


@pytest.mark.parametrize("path", ["/dev/null", "/etc/passwd", "/none/of/that", "/proc/self/fd/0"])
def test_what_is_no_binary_is_told(path: str) -> None:
    with pytest.raises(BadInput):
        Binary.open(path)


def test_an_open_binary_reads_like_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "app"
    path.write_bytes(elf(FUNCTIONS))
    with Binary.open(str(path)) as app:
        assert app.place("alpha") == TEXT + 0x10


WHOLE = elf(FUNCTIONS, note("p:one", "-4@%eax", BASE + 8))


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255), st.integers(0, len(WHOLE)))
def test_a_damaged_binary_is_bad_input_and_nothing_else(at: int, byte: int, end: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] = byte
    try:
        app = binary(bytes(damaged[:end] if end > at else damaged))
        app.matching(("alpha*",))
        list(static_probes(app))
    except BadInput:
        pass


def test_a_file_that_cannot_be_mapped_is_no_binary() -> None:
    with pytest.raises(BadInput, match="uevent_seqnum: it cannot be read"):
        Binary.open("/sys/kernel/uevent_seqnum")
