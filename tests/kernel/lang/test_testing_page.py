"""docs/testing-programs.md in the kernel: what it shows of runs holds, and its file of tests passes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.lang.page import ROOT, Block, blocks, run_page

pytestmark = pytest.mark.native("compiles what is on the page")
PAGE = ROOT / "docs" / "testing-programs.md"


@pytest.mark.parametrize(
    "block", [b for b in blocks(PAGE) if b.kind == "kernel"], ids=lambda b: b.line
)
def test_what_python_does_there_holds(block: Block) -> None:
    space = run_page(PAGE)
    exec(compile("\n" * (block.line - 1) + block.text, str(PAGE), "exec"), space)


def test_its_file_of_tests_passes(tmp_path: Path) -> None:
    (block,) = (block for block in blocks(PAGE) if block.kind == "pytest")
    file = tmp_path / "test_execs.py"
    file.write_text(block.text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "skep.testing.plugin", file.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
