"""Text that is safe and fits, and tables of it."""

import fcntl
import io
import os
import struct
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep.cli.table import Cell, Row, folded, table
from skep.cli.terminal import Progress, Terminal, columns, cut, fit, of, safe, wrap

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXT = st.text(max_size=20)


@PATIENT
@given(TEXT)
def test_safe_text_is_printable_and_safe_again(text: str) -> None:
    assert safe(text).isprintable()
    assert safe(safe(text)) == safe(text)


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("abcd", 0, "abcd"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("", 3, ""),
    ],
)
def test_text_is_cut_to_columns(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown


@PATIENT
@given(TEXT.map(safe), st.integers(2, 30))
def test_fitted_text_has_exactly_its_width(text: str, width: int) -> None:
    assert columns(fit(text, width)) == width


def test_a_table_is_aligned_and_cut_to_the_terminal() -> None:
    rows: list[Row] = [("a", "1", "x" * 40), (Cell("long", "red"), "1000", "\x1b")]
    text = table(("name", "count", "what"), rows, Terminal(24), right="count")
    assert text == "NAME  COUNT  WHAT\na         1  xxxxxxxxxx…\nlong   1000  \\x1b\n"
    wide = table(("name", "count", "what"), rows, Terminal(), right="count")
    assert "x" * 40 in wide


def test_what_is_set_over_a_letter_takes_no_column() -> None:
    assert columns("e\u0301\u0301x") == 2
    assert cut("e\u0301" * 5, 3) == "e\u0301" * 2 + "…"


def test_a_style_does_not_move_columns() -> None:
    rows: list[Row] = [(Cell("a", "red"), "b"), ("ccc", "d")]
    text = table(("x", "y"), rows, Terminal(80, colours=True))
    assert text.splitlines()[1] == "\x1b[31ma  \x1b[0m  b"


def test_what_is_no_terminal_has_no_width_and_no_colours() -> None:
    stream = io.StringIO()
    assert of(stream) == Terminal(0, colours=False)
    progress = Progress(stream)
    progress.show("compiling")
    progress.clear()
    assert stream.getvalue() == ""


@pytest.fixture(name="screen")
def pseudo_terminal() -> Iterator[TextIO]:
    """The program's side of a terminal of 123 columns."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 123, 0, 0))
    with open(theirs, "w", encoding="utf-8") as screen:
        yield screen
    os.close(ours)


@pytest.mark.parametrize(
    ("variables", "colours"),
    [
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb", "NO_COLOR": ""}, False),
    ],
)
def test_a_terminal_has_its_width_and_colours_unless_none_are_wanted(
    screen: TextIO, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, colours: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert of(screen) == Terminal(123, colours)


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 9, ["one two", "  three"]),
        ("one two three", 0, ["one two three"]),
        ("one two three", 13, ["one two three"]),
        ("enormously long", 5, ["enormously", "  long"]),
        ("日本 語", 5, ["日本", "  語"]),
        ("", 5, [""]),
    ],
)
def test_text_is_broken_between_words(text: str, width: int, lines: list[str]) -> None:
    assert wrap(text, width).split("\n") == lines


@PATIENT
@given(TEXT.map(safe), st.integers(4, 30))
def test_broken_text_has_all_its_words(text: str, width: int) -> None:
    assert wrap(text, width).split() == text.split()


def test_a_paragraph_is_safe_and_each_of_its_lines_has_the_style() -> None:
    shown = Terminal(6, colours=True).paragraph("one \x1btwo", "red")
    assert shown == "\x1b[31mone\x1b[0m\n\x1b[31m  \\x1btwo\x1b[0m\n"


def test_the_widest_columns_of_a_table_give_way_to_one_width() -> None:
    text = table(("a", "b", "c"), [("x" * 30, "y" * 30, "z" * 3)], Terminal(27))
    assert text.splitlines()[1] == f"{'x' * 9}…  {'y' * 9}…  zzz"


def test_progress_writes_over_itself_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Tty()
    monkeypatch.setattr("skep.cli.terminal.of", lambda _: Terminal(10))
    progress = Progress(stream)
    progress.show("compiling programs")
    progress.show("so")
    progress.clear()
    progress.clear()
    assert stream.getvalue() == f"compilin…\r{' ' * 9}\rso\r  \r"


def test_what_does_not_fit_goes_on_in_the_next_line() -> None:
    rows: list[Row] = [("a", "on_state, on_accept", "0.5 us a change"), ("b", "on_exec", "once")]
    assert folded(("x", "program", "cost"), rows, Terminal(24)) == (
        "X  PROGRAM    COST\na  on_state,  0.5 us a\n   on_accept  change\nb  on_exec    once\n"
    )
    wide = table(("x", "program", "cost"), rows, Terminal())
    assert folded(("x", "program", "cost"), rows, Terminal()) == wide


def test_a_word_that_is_too_long_for_its_column_is_cut() -> None:
    rows: list[Row] = [("y" * 30, "z" * 30)]
    assert (
        folded(("a", "b"), rows, Terminal(20))
        == "A          B\n" + "y" * 8 + "…  " + "z" * 8 + "…\n"
    )
