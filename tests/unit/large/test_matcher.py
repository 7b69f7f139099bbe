"""Patterns of paths and their automaton, beside what Python says of the same patterns and paths."""

import fnmatch
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import skep
from examples.large.matcher import patterns as kinds
from examples.large.matcher.automaton import Automaton, automaton
from examples.large.matcher.patterns import STAR, Pattern, glob
from examples.large.matcher.program import (
    CELLS,
    MASKS,
    PATH,
    SEEN,
    Mask,
    Path,
    Tables,
    answer,
    asked,
    match_path,
    tables,
)
from examples.large.matcher.tables import Layout, laid_out
from examples.large.matcher.watched import watched
from skep.base.errors import BadInput

Judge = Callable[[bytes, bytes], bool]
JUDGES: dict[str, Judge] = {
    "prefix": bytes.startswith,
    "suffix": bytes.endswith,
    "contains": bytes.__contains__,
    "glob": fnmatch.fnmatchcase,
}
PLAIN, WILD = b"ab/.\xc3", b"aab/.**?[]!-\xc3"
paths = st.lists(st.sampled_from(PLAIN), max_size=12).map(bytes)
wanted = st.lists(
    st.tuples(
        st.sampled_from(sorted(JUDGES)), st.lists(st.sampled_from(WILD), max_size=6).map(bytes)
    ),
    min_size=1,
    max_size=6,
)


def made(pairs: list[tuple[str, bytes]]) -> list[Pattern]:
    return [getattr(kinds, kind)(text) for kind, text in pairs]


def judged(pairs: list[tuple[str, bytes]], path: bytes) -> int:
    return sum(JUDGES[kind](path, text) << bit for bit, (kind, text) in enumerate(pairs))


@settings(deadline=None)
@given(wanted, st.lists(paths, min_size=1, max_size=20))
def test_an_automaton_says_what_python_says(
    pairs: list[tuple[str, bytes]], those: list[bytes]
) -> None:
    machine = automaton(made(pairs))
    assert [machine.match(path) for path in those] == [judged(pairs, path) for path in those]


@settings(deadline=None)
@given(wanted, paths)
def test_a_path_made_of_a_pattern_is_judged_alike(
    pairs: list[tuple[str, bytes]], between: bytes
) -> None:
    machine = automaton(made(pairs))
    texts = [text.replace(b"*", between).replace(b"?", b"a") for _, text in pairs]
    for path in (*texts, *(b"a" + text + b"/" for text in texts)):
        assert machine.match(path) == judged(pairs, path)


@settings(deadline=None, max_examples=25)
@given(wanted)
def test_no_two_states_of_an_automaton_are_the_same(pairs: list[tuple[str, bytes]]) -> None:
    machine = automaton(made(pairs))
    count = len(machine.moves)
    apart = {(a, b) for a in range(count) for b in range(a) if answers(machine, a, b)}
    size = -1
    while size != (size := len(apart)):
        apart |= {
            (a, b)
            for a in range(count)
            for b in range(a)
            for pair in zip(machine.moves[a], machine.moves[b], strict=True)
            if (max(pair), min(pair)) in apart
        }
    assert size == count * (count - 1) // 2


def test_states_that_only_lead_nowhere_are_one() -> None:
    assert len(automaton([glob("ab[z-a]"), glob("c[z-a]")]).moves) == 1


def answers(machine: Automaton, a: int, b: int) -> bool:
    """Whether two states differ in what they answer."""
    return (machine.seen[a], machine.final[a]) != (machine.seen[b], machine.final[b])


@settings(deadline=None)
@given(wanted)
def test_bytes_that_no_pattern_tells_apart_have_one_column(pairs: list[tuple[str, bytes]]) -> None:
    machine = automaton(made(pairs))
    columns = list(zip(*machine.moves, strict=True))
    assert set(machine.classes) == set(range(len(columns)))
    assert len(columns) <= 1 + len({byte for _, text in pairs for byte in text}) * 2


@pytest.mark.parametrize(
    ("text", "takes", "refuses"),
    [
        ("[", "[", ""),
        ("[a", "[a", "a"),
        ("[]", "[]", "]"),
        ("[a]", "a", "[a]"),
        ("[]]", "]", "[]]"),
        ("[!]]", "[", "]"),
        ("[]a]", "]", "a]"),
        ("[!]a]", "b", "]"),
        ("[!a]", "/", "a"),
        ("[a-c]", "b", "-"),
        ("[a-]", "-", "b"),
        ("**", "", None),
        ("a**b", "ab", "a"),
    ],
)
def test_brackets_and_stars_of_globs(text: str, takes: str, refuses: str | None) -> None:
    machine = automaton([glob(text)])
    assert machine.match(takes.encode()) == 1
    assert refuses is None or machine.match(refuses.encode()) == 0


def test_a_question_mark_takes_a_byte_and_a_str_is_utf_8() -> None:
    machine = automaton([glob("?"), glob("??"), glob("é"), glob("\udcff")])
    assert machine.match("é".encode()) == 0b0110
    assert machine.match(b"\xff") == 0b1001


def test_what_has_begun_is_remembered_whatever_follows() -> None:
    machine = automaton([kinds.prefix("/etc/"), kinds.suffix(".key"), kinds.contains("..")])
    assert machine.match(b"/etc/../" + b"x" * 4000 + b".key") == 0b111
    assert machine.match(b"/etc/" + b"x" * 4000) == 0b001


def starred(count: int) -> Iterator[Pattern]:
    return (glob(f"*{chr(97 + n)}*{chr(98 + n)}") for n in range(count))


def test_patterns_whose_states_multiply_are_refused_with_their_reason() -> None:
    with pytest.raises(BadInput) as refused:
        automaton([kinds.prefix("/x"), *starred(12)], most=1000)
    assert str(refused.value) == (
        "13 patterns: their automaton has more than 1,000 states; match apart some of the 12 "
        "with a star in the middle (glob *a*b, glob *b*c, glob *c*d, ...)"
    )


def test_patterns_that_are_too_many_are_refused() -> None:
    with pytest.raises(BadInput, match=r"1 patterns: .* more than 3 states; give fewer or shorter"):
        automaton([kinds.suffix("abcd")], most=3)


@settings(deadline=None)
@given(wanted, paths)
def test_the_tables_hold_the_automaton(pairs: list[tuple[str, bytes]], path: bytes) -> None:
    assert walked(laid_out(automaton(made(pairs))), path) == judged(pairs, path)


def walked(layout: Layout, path: bytes) -> int:
    """What the kernel half does, in Python."""
    cells = layout.cells.tolist()
    row, found = 0, mask(layout, cells[1])
    for byte in path:
        row = cells[(row + int(layout.columns[byte])) & (CELLS - 1)]
        if row & SEEN:
            found |= mask(layout, cells[(row + 1) & (CELLS - 1)])
    return found | mask(layout, cells[row & (CELLS - 1)])


def mask(layout: Layout, number: int) -> int:
    return int.from_bytes(layout.masks[number].tobytes(), "little")


def test_the_program_as_plain_python() -> None:
    """All paths with one kernel, for its tables are large."""
    pairs = [("prefix", b"/etc/"), ("suffix", b".key"), ("contains", b".."), ("glob", b"*/[a-c]*")]
    kernel = plain_kernel(laid_out(automaton(made(pairs))))
    for path in (b"", b"/etc/../b/x.key", b"/etc/x", b"/b" + b"." * 200):
        kernel[asked][0] = Path(length=len(path), bytes=path.ljust(PATH, b"\0"))
        assert match_path.py(bytes(14), kernel=kernel) == 0
        assert kernel[answer][0].words == [judged(pairs, path), 0, 0, 0]


def plain_kernel(layout: Layout) -> skep.FakeKernel:
    masks = [Mask(words=words) for words in layout.masks.tolist()]
    kernel = skep.FakeKernel()
    kernel[tables][0] = Tables(
        columns=layout.columns.tolist(),
        masks=masks + [Mask()] * (MASKS - len(masks)),
        cells=layout.cells.tolist() + [0] * (CELLS - len(layout.cells)),
    )
    return kernel


@pytest.mark.parametrize(
    ("machine", "problem"),
    [
        (Automaton(bytes(256), ((0,),) * CELLS, (0,) * CELLS, (0,) * CELLS), "cells"),
        (
            Automaton(
                bytes(256), ((0,),) * (MASKS + 1), tuple(range(MASKS + 1)), (0,) * (MASKS + 1)
            ),
            "masks",
        ),
        (Automaton(bytes(256), ((0,),), (0,), (1 << 256,)), "bits a mask"),
    ],
    ids=["cells", "masks", "bits"],
)
def test_tables_that_are_too_large_are_refused(machine: Automaton, problem: str) -> None:
    with pytest.raises(BadInput, match=f"patterns: they need [0-9,]+ {problem}; there are"):
        laid_out(machine)


def test_there_are_two_hundred_patterns_to_watch_for_of_all_four_kinds() -> None:
    found = watched()
    assert len({pattern.text for pattern in found}) == 200
    kinds_of = [pattern.text.split()[0] for pattern in found]
    assert {kind: kinds_of.count(kind) > 20 for kind in kinds_of} == dict.fromkeys(JUDGES, True)
    assert any(STAR in pattern.steps[1:-1] for pattern in found)
    assert len(laid_out(automaton(found)).cells) <= CELLS
