"""Golden texts of errors: files of cases, each ``=== name``, a source, ``---``, and what a user reads of it.

What a source finds around it, and how its error is got, is the affair of the corpus that has the files.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MARKS = re.compile(r"^ +[~^]+\n", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """A source and its error."""

    name: str
    source: str
    expected: str


def cases(path: Path) -> list[Case]:
    """The cases of a file."""
    made = []
    for part in path.read_text().split("=== ")[1:]:
        name, _, rest = part.partition("\n")
        source, _, expected = rest.partition("---\n")
        made.append(Case(name, source, expected.strip("\n")))
    return made


def every(folder: Path) -> Iterator[tuple[str, Case]]:
    """All cases of a folder's files, with a name for each."""
    for path in sorted(folder.glob("*.txt")):
        for case in cases(path):
            yield f"{path.stem}: {case.name}", case


def unmarked(text: str) -> str:
    """A text without the marks below the lines of a traceback: which there are differs among releases of Python."""
    return MARKS.sub("", text)


def rewrite(paths: Iterable[Path], error_of: Callable[[str], object]) -> None:
    """Write files with the errors as they are now."""
    for path in paths:
        head = path.read_text().partition("=== ")[0]
        parts = [f"=== {c.name}\n{c.source}---\n{error_of(c.source)}\n" for c in cases(path)]
        path.write_text(head + "\n".join(parts))
