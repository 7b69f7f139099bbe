"""The code on docs/language.md: each block with what its fence says of it.

``python``: runs, and its programs are loaded; ``run``: its programs with a packet give 2 as well; ``plain``: runs, and
its programs compile, for not each kernel takes them; ``kernel``: runs
where there is a kernel; ``wrong``: does not compile, and the ``text`` block behind it is the error; ``file=...``: is
that file.
"""

import linecache
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "language.md"
BLOCK = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code; ``line`` is that of its first line on the page."""

    language: str
    kind: str
    text: str
    line: int


def blocks(path: Path = PAGE) -> list[Block]:
    """The blocks of a page, in order."""
    page = path.read_text()
    return [
        Block(m[1], m[2], m[3], page.count("\n", 0, m.start(3)) + 1) for m in BLOCK.finditer(page)
    ]


LOADED = ("", "run")
EVERY = (*LOADED, "plain")


def run_page(path: Path = PAGE, kinds: tuple[str, ...] = LOADED) -> dict[str, Any]:
    """Run the blocks of some kinds, which need no kernel, one after the other, at their own lines of the page."""
    text, file = path.read_text(), str(path)
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space: dict[str, Any] = {"__name__": "page"}
    for block in blocks(path):
        if block.language == "python" and block.kind in kinds:
            exec(compile("\n" * (block.line - 1) + block.text, file, "exec"), space)
    return space
