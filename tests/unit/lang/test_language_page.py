"""docs/language.md: what it shows compiles, computes what it says, and fails as it says. No root is needed here."""

import re
from typing import Any

import pytest

from skep.lang.programs import Program
from tests.unit.lang import corpus
from tests.unit.lang.page import EVERY, PAGE, ROOT, blocks, run_page

WRONG = [(a, b) for a, b in zip(blocks(), blocks()[1:], strict=False) if a.kind == "wrong"]


def test_the_page_runs_from_top_to_bottom() -> None:
    space = run_page(kinds=EVERY)
    programs = [v for v in space.values() if isinstance(v, Program)]
    assert len(programs) >= 8


@pytest.mark.parametrize(
    "name",
    [
        "numbers",
        "loops",
        "iterated",
        "long_loops",
        "choices",
        "texts",
        "memory",
        "maps",
        "packets",
        "functions",
        "weighs",
    ],
)
def test_a_program_that_checks_itself_is_right_as_plain_python(name: str) -> None:
    assert run_page()[name].py(bytes(20)) == 2


@pytest.mark.parametrize(("wrong", "error"), WRONG, ids=lambda b: f"line {b.line}")
def test_an_error_is_what_a_user_sees(wrong: Any, error: Any) -> None:  # noqa: ANN401 - blocks
    assert error.language == "text"
    assert str(corpus.error_of(wrong.text)) == error.text.rstrip("\n")


def test_a_block_that_names_a_file_is_that_file() -> None:
    named = [block for block in blocks() if block.kind.startswith("file=")]
    assert named
    for block in named:
        assert block.text == (ROOT / block.kind.removeprefix("file=")).read_text()


def test_each_link_of_the_page_leads_to_a_heading() -> None:
    page = PAGE.read_text()
    found = re.findall(r"^## (.*)$", page, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}
    links = set(re.findall(r"\(#([\w-]+)\)", page))
    assert links == headings
