"""Every error of a declaration, as a user reads it; the texts are in ``tests/golden/lang/declarations.txt``.

``python -m tests.unit.lang.test_declared_wrong`` writes them anew, to be read in the diff.
"""

import ast
import traceback
from pathlib import Path

import pytest

import skep.lang
from tests.golden.cases import cases, rewrite
from tests.unit.lang import corpus

GOLDEN = corpus.FOLDER.with_name("declarations.txt")
CASES = {case.name: case for case in cases(GOLDEN)}
LANG = Path(skep.lang.__path__[0])
FILES = (
    *sorted((LANG / "decorators").glob("*.py")),
    *sorted((LANG / "declared").glob("*.py")),
    *(LANG / f"{name}.py" for name in ("maps", "struct", "layout", "special", "programs", "types")),
    *(LANG / f"{name}.py" for name in ("struct_ops", "syscalls", "helpers", "kernel_names")),
    *(LANG / f"{name}.py" for name in ("intrinsics", "objects", "keepers")),
    LANG.parent / "events" / "record.py",
)
ONE_TEXT = "compiled("  # of each method of a map, by its name


def error_of(source: str) -> Exception:
    """The error of declarations that are wrong."""
    space = corpus.namespace()
    try:
        exec(compile(source, corpus.FILE, "exec"), space)
    except (TypeError, ValueError, AttributeError) as error:
        return error
    raise AssertionError(f"this is accepted:\n{source}")


def told(source: str) -> str:
    error = error_of(source)
    return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("name", CASES)
def test_the_error_is_the_golden_one(name: str) -> None:
    assert told(CASES[name].source) == CASES[name].expected


def test_every_place_that_raises_an_error_has_a_golden_text() -> None:
    reached = set()
    for case in CASES.values():
        last = traceback.extract_tb(error_of(case.source).__traceback__)[-1]
        reached.add((last.filename, last.lineno))
    missed = [
        f"{file}:{node.lineno}: {ast.unparse(node)}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Raise)
        and ONE_TEXT not in ast.unparse(node)
        and (str(file), node.lineno) not in reached
    ]
    assert not missed, "\n".join(missed)


if __name__ == "__main__":
    rewrite([GOLDEN], told)
