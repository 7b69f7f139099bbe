"""Programs that were torn: the compiler takes them or says why not, in the user's lines; it never fails itself.

A program of ``programs.py`` gets parts of others in place of its own. What passes the front end and the checks must
pass LLVM too: there, an error would end the compiler's process and name no line.
"""

import ast
import random
from collections.abc import Iterator

import pytest

from skep.base.errors import CompileError
from skep.lang import backend
from skep.lang import compile as compiler
from skep.lang.backend import IrModule
from skep.lang.source import parse
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET
from tests.unit.lang.test_check_accepts import PROGRAMS
from tests.unit.lang.test_loops import WITH

TREES = [parse(program.function).tree for program in PROGRAMS.values()]
MANY, BATCH = 4000, 50


def _parts(kind: type[ast.AST]) -> list[ast.AST]:
    return [node for tree in TREES for node in ast.walk(tree) if isinstance(node, kind)]


EXPRESSIONS, STATEMENTS = _parts(ast.expr), _parts(ast.stmt)
ODD = [
    ast.parse(text, mode="eval").body
    for text in (
        *(
            "None",
            "0",
            "-1",
            "1 << 63",
            "True",
            "ctx",
            "task",
            "STATE",
            "counts",
            "ring",
            "pairs",
            "u8",
            "u8[4]",
        ),
        *(
            "Pair",
            "Pair()",
            "skep",
            "len",
            "range(3)",
            "()",
            "1.5",
            "'x'",
            "ring.reserve()",
            "counts.lookup(1)",
        ),
        *(
            "ctx.view(Eth)",
            "skep.ktime_get_ns()",
            "skep.get_current_task()",
            "double",
            "double(1)",
            "e",
            "n",
            "i",
        ),
    )
]


class _Tear(ast.NodeTransformer):
    """Replaces some nodes."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        """Left whole: Python writes none that is torn."""
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        made = super().generic_visit(node)
        if self._rng.random() < 0.01:
            if isinstance(made, ast.expr) and isinstance(
                getattr(made, "ctx", ast.Load()), ast.Load
            ):
                return self._rng.choice(self._rng.choice((EXPRESSIONS, ODD)))
            if isinstance(made, ast.stmt) and not isinstance(made, ast.FunctionDef):
                return self._rng.choice(STATEMENTS)
        return made


def torn(seed: int) -> str:
    """The source of a program that was torn."""
    rng = random.Random(seed)
    tree = ast.parse(ast.unparse(rng.choice(TREES))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    for _ in range(rng.randrange(1, 4)):
        tree.body = [_Tear(rng).visit(statement) for statement in tree.body]
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _compiled(seeds: range) -> Iterator[tuple[str, IrModule | CompileError]]:
    for seed in seeds:
        source = torn(seed)
        try:
            program = corpus.program(source, f"torn{seed}.py")
        except (SyntaxError, LookupError, TypeError, ValueError, NameError, AttributeError):
            continue  # Python itself does not take it
        try:
            yield source, compiler.ir(program, TARGET if seed % 2 else WITH)
        except CompileError as error:
            yield source, error


def _check(seeds: range) -> int:
    modules = []
    for source, made in _compiled(seeds):
        if isinstance(made, IrModule):
            modules.append((source, made))
        else:
            assert made.span is not None, source
    try:
        backend.emit([module for _, module in modules])
    except CompileError:
        for source, module in modules:
            try:
                backend.emit([module])
            except CompileError as error:
                pytest.fail(f"{error}\n{source}")
    return len(modules)


def test_a_torn_program_is_taken_or_refused_in_its_own_lines() -> None:
    assert _check(range(400)) > 40


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_many_torn_programs_are_taken_or_refused_in_their_own_lines() -> None:
    for start in range(1000, 1000 + MANY, BATCH):
        _check(range(start, start + BATCH))
