"""What a user is told where something is wrong: lines of Python, each with its error, in the files beside this one.

A case is ``=== name``, the source, ``---``, and the error. The source finds the names of ``stage`` around it: a fake
kernel and what makes things for it; it runs in a folder of its own. ``python -m tests.golden.messages.corpus`` writes
the errors anew, to be read in the diff.
"""

import ast
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import skep
from skep.base import errors
from tests.golden.cases import rewrite
from tests.golden.messages import stage

FOLDER = Path(__file__).parent
OURS = Path(skep.__path__[0])
PACKAGES = ("base", "btf", "cli", "events", "kernel", "program", "testing", "trace")
CLASSES = {name for name, one in vars(errors).items() if isinstance(one, type)}

Line = tuple[str, int]


@cache
def places() -> dict[Line, str]:
    """Where our sources raise an error, or make one for who raises it."""
    files = [path for package in PACKAGES for path in sorted((OURS / package).rglob("*.py"))]
    return {
        (str(file), node.lineno): ast.unparse(node)
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.stmt) and _is_error(node)
    }


def _is_error(node: ast.stmt) -> bool:
    match node:
        case ast.Raise(exc=ast.expr()):
            return True
        case ast.Return(value=ast.Call(func=ast.Name(id=name))):
            return name in CLASSES
    return False


@contextmanager
def watched() -> Iterator[set[Line]]:
    """Which of our places were come to meanwhile, in any thread."""
    wanted, files, found = places(), {file for file, _ in places()}, set[Line]()

    def line(frame: FrameType, _event: str, _: Any) -> Any:  # noqa: ANN401 - as sys.settrace wants it
        found.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    def call(frame: FrameType, _event: str, _: Any) -> Any:  # noqa: ANN401 - as above
        return line if frame.f_code.co_filename in files else None

    before = sys.gettrace()
    sys.settrace(call)
    threading.settrace(call)
    try:
        yield found
    finally:
        sys.settrace(before)
        threading.settrace(before)
        found &= wanted.keys()


@cache
def told(source: str) -> tuple[str, frozenset[Line]]:
    """What a user reads: the class of the error, and its text; and the places that it came from."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        stack.enter_context(chdir(folder))
        around = stack.enter_context(stage.Stage(Path(folder)))
        reached = stack.enter_context(watched())
        try:
            exec(compile(source, "case.py", "exec"), around.names())
        except Exception as error:  # noqa: BLE001 - whatever a user may meet
            notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
            text = f"{type(error).__name__}: {error}{notes}".rstrip("\n")
            return stage.everywhere(text, folder), frozenset(reached)
    raise AssertionError(f"there is no error:\n{source}")


if __name__ == "__main__":
    rewrite(FOLDER.glob("*.txt"), lambda source: told(source)[0])
