"""Programs that must not compile, each with the error that a user reads: files of ``tests/golden/lang/errors``.

A case is ``=== name``, the source, ``---``, and the error. The source finds the names of ``prelude`` around it; its
last program is the one that is compiled. ``python -m tests.unit.lang.corpus`` writes the errors anew, to be read in
the diff.
"""

import linecache
import traceback
from pathlib import Path
from typing import Any

import skep
from skep.base.errors import CompileError
from skep.lang import compile as compiler
from skep.lang.programs import Program
from skep.lang.types import INTEGERS
from tests.golden.cases import rewrite
from tests.unit.lang import prelude
from tests.unit.lang.kernel import TARGET

FOLDER = Path(__file__).parents[2] / "golden" / "lang" / "errors"
FILE = "program.py"


def namespace() -> dict[str, Any]:
    """What a program finds around it."""
    kinds = {kind.__name__: kind for kind in INTEGERS}
    return {**vars(prelude), **kinds, "skep": skep, "__name__": "program"}


def program(source: str, file: str = FILE) -> Program:
    """The last program in ``source``, as if it stood in a file of its own."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    space = namespace()
    known = set(space)
    exec(compile(source, file, "exec"), space)
    return [v for k, v in space.items() if k not in known and isinstance(v, Program)][-1]


def error_of(source: str) -> CompileError:
    """The error of a program that must have one."""
    try:
        compiler.ir(program(source), TARGET)
    except CompileError as error:
        return error
    raise AssertionError(f"this compiles:\n{source}")


def origin(error: CompileError) -> tuple[str, int]:
    """File and line of ours that raised it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename, last.lineno or 0


if __name__ == "__main__":
    rewrite(FOLDER.glob("*.txt"), error_of)
