"""docs/maps.md in the kernel: its programs load, and what it shows of Python holds."""

import pytest

import skep
from skep.lang.programs import Program
from tests.unit.lang.page import ROOT, Block, blocks, run_page

pytestmark = pytest.mark.native("compiles what is on the page")
PAGE = ROOT / "docs" / "maps.md"


def test_every_program_of_the_page_is_loaded() -> None:
    programs = [value for value in run_page(PAGE).values() if isinstance(value, Program)]
    with skep.load(*programs, attach=False, pins=None) as live:
        assert len(live.programs) == len(programs)


@pytest.mark.parametrize(
    "block", [b for b in blocks(PAGE) if b.kind == "kernel"], ids=lambda b: b.line
)
def test_what_python_does_there_holds(block: Block) -> None:
    space = run_page(PAGE)
    exec(compile("\n" * (block.line - 1) + block.text, str(PAGE), "exec"), space)
