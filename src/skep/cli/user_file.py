"""A user's Python file: read, executed as Python does, and the programs that it defines.

The file's folder comes first among the places of modules, as with ``python FILE``. A file in a package
(a folder with ``__init__.py``) is executed as a module of it, so that it may import its neighbours
relatively or by the package's name. The current directory comes last, as ``python -m`` has it, where the
file lies below it and others may not write there. Errors of the file are shown with the file's lines and
none of ours.
"""

import ast
import os
import select
import stat
import sys
from collections.abc import Sequence
from itertools import takewhile
from types import CodeType, ModuleType, TracebackType
from typing import TextIO

from skep.base.errors import BadInput, Forbidden, SkepError
from skep.base.lazy import lazy
from skep.lang.programs import Program
from skep.lang.struct_ops import StructOps

traceback = lazy("traceback")  # only files that fail need it

MAIN = "__main__"
OWN = "skep"
LOADERS = frozenset({"load", "run"})
OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
"""Where this package's own files lie."""


class Failed(SkepError):
    """The file raised something: the traceback from its first line on."""


def read(path: str) -> bytes:
    """The file's bytes; BadInput where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        raise BadInput(path, "there is no such file") from error
    except PermissionError as error:
        raise Forbidden(f"reading {path}", "permission to read it") from error
    except OSError as error:
        raise BadInput(path, f"it cannot be read: {error.strerror}") from error


def has_main(source: bytes, path: str) -> bool:
    """Whether the file loads programs itself: it calls ``load`` or ``run`` of skep.

    BadInput where it is not Python.
    """
    try:
        tree = ast.parse(source, path)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        place = f"{path}:{line}" if line else path
        raise BadInput(place, f"it is not Python: {getattr(error, 'msg', error)}") from error
    return _loads(tree, _loaders(tree))


def _loaders(tree: ast.Module) -> frozenset[str]:
    """What calls of skep's ``load`` and ``run`` look like in a file, by what it imports."""
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [one.asname or OWN for one in node.names if one.name.split(".")[0] == OWN]
            found |= {f"{name}.{loader}" for name in names for loader in LOADERS}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == OWN:
            found |= {one.asname or one.name for one in node.names if one.name in LOADERS}
    return frozenset(found)


def _loads(tree: ast.AST, loaders: frozenset[str]) -> bool:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(ast.unparse(called) in loaders for called in calls)


def _code(source: bytes, path: str, name: str) -> CodeType:
    """The file's code: whole as a program, else up to where it loads, though nothing guards that."""
    tree = ast.parse(source, path)
    if name != MAIN:
        loaders = _loaders(tree)
        tree.body = [*takewhile(lambda one: not _loads_now(one, loaders), tree.body)]
    return compile(tree, path, "exec")


def _loads_now(statement: ast.stmt, loaders: frozenset[str]) -> bool:
    """Whether a statement of a module loads when it is executed, and the module is not the program."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
        return False
    return _loads(statement, loaders)


def execute(source: bytes, path: str, name: str, arguments: Sequence[str] = ()) -> ModuleType:
    """Execute the file as the module ``name`` (``__main__``: as a program), or as the one of its package.

    As a module it is left where it would load its programs. ``arguments`` are its own meanwhile, in ``sys.argv``.
    Raises Failed, SkepError, and BrokenPipeError where nobody reads the output any more.
    """
    before, sys.argv = sys.argv, [path, *arguments]
    try:
        return _execute(source, path, name)
    finally:
        sys.argv = before


def _execute(source: bytes, path: str, name: str) -> ModuleType:
    package, places = _home(path)
    sys.path[:0] = places
    sys.path += _current(path)
    try:
        if package:
            __import__(package)  # without a frame of importlib's in a traceback
            name = name if name == MAIN else _named(package, path)
        if package and name != MAIN and name in sys.modules:  # the package has imported it
            return sys.modules[name]
        module = sys.modules[name] = ModuleType(name)
        module.__file__, module.__package__ = path, package
        exec(_code(source, path, name), module.__dict__)  # noqa: S102 - the user's own file
    except SkepError:
        raise
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _unread(sys.stdout):
            raise
        raise Failed(_text(error, path)) from error
    return module


def _unread(output: TextIO) -> bool:
    """Whether the output is a pipe that has no reader."""
    poll = select.poll()
    poll.register(output.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _home(path: str) -> tuple[str, list[str]]:
    """The package that a file is in, "" for none, and the folders from which it imports: its own, and the package's."""
    folder = root = os.path.dirname(os.path.abspath(path))
    names: list[str] = []
    while os.path.isfile(f"{root}/__init__.py") and os.path.basename(root).isidentifier():
        names.insert(0, os.path.basename(root))
        root = os.path.dirname(root)
    return ".".join(names), [folder, root] if names else [folder]


def _named(package: str, path: str) -> str:
    """The full name of a module."""
    stem = os.path.basename(path).removesuffix(".py")
    return package if stem == "__init__" else f"{package}.{stem}"


def _current(path: str) -> list[str]:
    """The current directory, where the file is below it; not one in which others may leave modules."""
    here = os.getcwd()
    below = os.path.abspath(path).startswith(os.path.join(here, ""))
    return [here] if below and not os.stat(here).st_mode & stat.S_IWOTH else []


def _text(error: Exception, path: str) -> str:
    """The traceback, beginning with the first frame that is not ours; it ends where skep refused an argument."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith((OURS, "<frozen ")):
        trace = trace.tb_next
    told = traceback.TracebackException(type(error), error, trace)
    misspelt = isinstance(error, AttributeError) and told.stack[-1].name == "__getattr__"
    if isinstance(error, TypeError | ValueError) or misspelt:
        while len(told.stack) > 1 and told.stack[-1].filename.startswith(OURS):
            told.stack.pop()
    lines = "".join(told.format()).rstrip()
    return f"{path} failed:\n{lines}"


def programs(module: ModuleType) -> list[Program]:
    """The programs that the file defines, in its order, each once."""
    found: list[Program] = []
    for value in vars(module).values():
        if isinstance(value, Program) and value not in found:
            found.append(value)
    return found


def tables(module: ModuleType) -> list[StructOps]:
    """The function tables that the file fills."""
    return [value for value in vars(module).values() if isinstance(value, StructOps)]


def require_programs(module: ModuleType, path: str) -> list[Program]:
    """As `programs`; BadInput where there is none."""
    found = programs(module)
    if not found:
        expected = 'decorate a function, as with @skep.tp_btf("sched_process_exec")'
        raise BadInput(path, "it defines no program", expected)
    return found
