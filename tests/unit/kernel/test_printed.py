"""Lines of the tracer as values: those that a program's formats can have made."""

import pytest

from skep.kernel import printed
from skep.kernel.printed import Line, pattern

TRACED = b"            true-4711    [001] d..31  1124.328451: bpf_trace_printk: begun: true 7"


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("begun: true 7", True),
        ("begun: a name 7", True),
        ("begun: true seven", False),
        ("xbegun: true 7", False),
        ("100% of   12, 0xff, -3", True),
        ("100% of   12, 0xff, 3", True),
        ("100% of   12, 0xfg, 3", False),
        ("100%% of   12, 0xff, 3", False),
        ("1234", True),
        ("-1234", False),
        ("", False),
        ("two\nlines", False),
    ],
)
def test_a_line_is_one_of_the_formats_or_of_somebody_else(line: str, is_one: bool) -> None:  # noqa: FBT001 - a table
    formats = ("begun: %s %llu", "100%% of %4llu, 0x%llx, %lld", "%llu")
    assert bool(pattern(formats).fullmatch(line)) is is_one


def test_without_formats_no_line_is_ones_own() -> None:
    assert not pattern(()).fullmatch("")
    assert not pattern(()).fullmatch("any")


@pytest.mark.parametrize(
    ("before", "after", "comm"),
    [
        (b"true-", b"true-", "true"),
        (b"true-4711 ", b"a b-c-4711 ", "a b-c"),
        (b"true-4711 ", b"<...>-4711    (   4700) ", ""),
        (b"true-4711 ", b"true-4711    (-------) ", "true"),
    ],
)
def test_a_traced_line_says_when_and_in_which_thread(
    before: bytes, after: bytes, comm: str
) -> None:
    found = printed._LINE.match(TRACED.replace(before, after))
    assert found is not None
    assert printed._line(found) == Line(1_124_328_451_000, comm, 4711, 1, "begun: true 7")
