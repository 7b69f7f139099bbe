"""docs/language.md in the kernel: its programs load, and those that check themselves are right."""

from typing import Any

import pytest

import skep
from skep.lang.compile import compile_all
from skep.lang.programs import Program
from tests.unit.lang.page import EVERY, PAGE, blocks, run_page

pytestmark = pytest.mark.native("compiles what is on the page")
CHECKING = (
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
)


def programs_of(page: dict[str, Any]) -> list[Program]:
    """The programs on the page."""
    return [value for value in page.values() if isinstance(value, Program)]


def test_every_program_of_the_page_compiles() -> None:
    wanted = programs_of(run_page(kinds=EVERY))
    made = compile_all(wanted, skep.Machine().target)
    assert len(made) == len(wanted) > len(programs_of(run_page()))


def test_every_program_of_the_page_is_loaded() -> None:
    programs = programs_of(run_page())
    with skep.load(*programs, attach=False) as live:
        assert len(live.programs) == len(programs)


@pytest.mark.parametrize("name", CHECKING)
def test_a_program_that_checks_itself_is_right_in_the_kernel(name: str) -> None:
    assert skep.run(run_page()[name], bytes(20)).verdict == 2


def test_what_needs_a_kernel_runs() -> None:
    space = run_page()
    for block in blocks():
        if block.kind == "kernel":
            exec(compile("\n" * (block.line - 1) + block.text, str(PAGE), "exec"), space)
