"""docs/testing-programs.md: what it shows of plain Python holds. No root is needed here."""

from tests.unit.lang.page import ROOT, blocks, run_page

PAGE = ROOT / "docs" / "testing-programs.md"


def test_the_page_runs_from_top_to_bottom() -> None:
    space = run_page(PAGE)
    assert dict(space["kernel"][space["seen"]]) == {}
    assert space["limits"].py(bytes(14)) == 2


def test_each_way_of_testing_is_shown() -> None:
    assert {block.kind for block in blocks(PAGE)} == {"", "run", "kernel", "pytest"}
