"""Every error of the front end and of the checks, as a user reads it. The golden texts are in ``corpus``."""

import ast
import re
import sys
from pathlib import Path

import pytest

from skep.base.errors import CompileError
from skep.lang import check, front, source
from skep.lang.capture import fingerprint
from skep.lang.front.expressions import UNSUPPORTED as EXPRESSIONS
from skep.lang.front.statements import UNSUPPORTED as STATEMENTS
from tests.golden.cases import every
from tests.unit.lang import corpus

CASES = dict(every(corpus.FOLDER))
REFUSED = sorted({problem for problem, _ in (*STATEMENTS.values(), *EXPRESSIONS.values())})
OURS = re.compile(r"skep/|lang/|front[/.]|site-packages|0x[0-9a-f]{6}")
# Later releases of Python know the places in a text with fields, 3.11 only that of the text.
CLOSER = {"prints: a conversion", "prints: a format of its own"}
ELSEWHERE = (
    *("name the calls, as in", "annotate them", "cannot be read from", "a block of its own"),
    *("which is all registers", "this kernel has no objects"),
    "this kernel has no {name}()",
)


@pytest.mark.parametrize("name", CASES)
def test_the_error_is_the_golden_one(name: str) -> None:
    case = CASES[name]
    error, expected = str(corpus.error_of(case.source)), case.expected
    if name in CLOSER and sys.version_info >= (3, 12):
        error, expected = _anywhere(error), _anywhere(expected)
    assert error == expected


def _anywhere(error: str) -> str:
    """An error without its columns."""
    return re.sub(r"^(program.py:\d+):\d+|^( +\|) +\^+", r"\1\2", error, flags=re.MULTILINE)


@pytest.mark.parametrize("name", CASES)
def test_an_error_points_into_the_users_source_and_names_no_file_of_ours(name: str) -> None:
    error = corpus.error_of(CASES[name].source)
    assert error.span is not None
    line = CASES[name].source.splitlines()[error.span.line - 1]
    assert (error.span.file, error.span.text) == (corpus.FILE, line)
    assert error.span.column <= len(line)
    assert not OURS.search(f"{error.problem} {error.hint}")


def _raises() -> dict[tuple[str, int], str]:
    """The places in our sources that raise an error of the language, by their last line."""
    files = [Path(source.__file__)]
    for package in (front, check):
        files += sorted(Path(package.__path__[0]).glob("*.py"))
    return {
        (str(file), node.lineno): ast.unparse(node)
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Raise) and node.exc is not None
    }


def test_every_place_that_raises_an_error_has_a_golden_text() -> None:
    reached = {corpus.origin(corpus.error_of(case.source)) for case in CASES.values()}
    places = {
        where: text for where, text in _raises().items() if not any(e in text for e in ELSEWHERE)
    }
    missed = [
        f"{file}:{line}: {text}"
        for (file, line), text in places.items()
        if (file, line) not in reached
    ]
    assert not missed, "\n".join(missed)


@pytest.mark.parametrize("problem", REFUSED)
def test_every_kind_of_syntax_that_is_refused_has_a_golden_text(problem: str) -> None:
    assert any(f"error: {problem}\n" in case.expected for case in CASES.values())


def test_every_kind_of_syntax_is_taken_or_refused_in_words() -> None:
    """``TryStar is not part of the language`` names a class of Python's, not what the user wrote."""
    for case in CASES.values():
        assert not re.search(r"error: [A-Z]\w+ is not part", case.expected), case.name


def test_what_runs_in_python_only_is_not_looked_into() -> None:
    """The error is of the call; what skep.load itself is made of has no source that could be read."""
    assert fingerprint(corpus.program("@skep.xdp\ndef p(ctx):\n    skep.load(p)\n"))


def test_source_that_cannot_be_read_is_said() -> None:
    space = corpus.namespace()
    exec(compile("@skep.xdp\ndef p(ctx):\n    return 2\n", "<typed>", "exec"), space)
    with pytest.raises(CompileError) as caught:
        source.parse(space["p"].function)
    assert str(caught.value) == (
        "error: the source of p cannot be read from '<typed>'\n"
        "  hint: put the program into a file; the compiler reads its source"
    )
