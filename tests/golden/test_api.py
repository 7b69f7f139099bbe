"""What users import, with its signatures: ``tests/golden/api.txt``. A change of it is one of the API, made on purpose.

``python -m tests.golden.test_api`` writes the file anew, to be read in the diff.
"""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from enum import EnumType
from pathlib import Path
from types import ModuleType
from typing import Any

import skep
import skep.lang.library
import skep.testing
from skep.lang.helpers import HELPERS
from skep.lang.struct import StructType

GOLDEN = Path(__file__).with_name("api.txt")
HEAD = "What users import: names, signatures, members of classes and fields of Structs.\n"
PACKAGES = (skep.testing, skep.lang.library)
# Methods that are called by the syntax of the language.
SPECIAL = frozenset(
    f"__{name}__"
    for name in (
        "call",
        "contains",
        "delitem",
        "enter",
        "exit",
        "getitem",
        "iter",
        "len",
        "setitem",
    )
)
# What is left out of a signature: quotes around types, the places of types, how a release of Python shows Unpack and
# the call of an enumeration.
UNQUOTED = (re.compile(r"((?:: |-> )\*{0,2})'([^']*)'"), r"\1\2")
QUALIFIED = (re.compile(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])"), "")
UNPACKED = (re.compile(r"\*<class '(\w+)'>|Unpack\[(\w+)\]"), r"\1\2")
SHOWN = (int, str, float, bool, tuple, frozenset)
LONGEST = 80


def modules() -> Iterator[tuple[ModuleType, list[str]]]:
    """What is public, and the names in it."""
    yield skep, dir(skep)
    for package in PACKAGES:
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            yield module, sorted(name for name in defined(module) if not name.startswith("_"))


def defined(module: ModuleType) -> Iterator[str]:
    """The names that a module defines, not those that it imports."""
    for node in ast.parse(inspect.getsource(module)).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (one.id for one in targets if isinstance(one, ast.Name))


PUBLIC = {id(getattr(module, name)) for module, names in modules() for name in names}


def signature(value: Any) -> str:  # noqa: ANN401 - whatever is called
    """The parameters and the result, without the places of types."""
    if isinstance(value, EnumType):
        return ""
    try:
        text = str(inspect.signature(value))
    except (TypeError, ValueError):
        return "(...)"
    for pattern, shown in (UNQUOTED, QUALIFIED, UNPACKED):
        text = pattern.sub(shown, text)
    return text


def described(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever is public
    """The lines of a name."""
    if name in HELPERS and value is HELPERS[name]:
        yield f"{name}: helper"
    elif isinstance(value, type):
        bases = [base.__name__ for base in value.__mro__[1:] if id(base) in PUBLIC]
        yield f"class {name}{signature(value)}{f' is {bases[0]}' if bases else ''}"
        yield from (f"    {line}" for line in sorted(members(value)))
    elif callable(value) or hasattr(value, "__wrapped__"):
        yield f"{name}{signature(inspect.unwrap(value))}"
    else:
        text = repr(value) if isinstance(value, SHOWN) else type(value).__name__
        yield f"{name} = {text if len(text) <= LONGEST else type(value).__name__}"


def members(kind: type) -> Iterator[str]:
    """The members of a class, and of those that it is made of and that are not public themselves."""
    if isinstance(kind, StructType):
        yield from (f"{one.name}: {one.type!r} at {one.offset}" for one in kind.fields)
    own = [kind]
    for base in kind.__mro__[1:]:
        if id(base) in PUBLIC:
            break
        own.append(base)
    found = {name: value for base in reversed(own) for name, value in ours(base)}
    for name, value in found.items():
        if callable(inspect.unwrap(plain(value))):
            yield f".{name}{signature(plain(value))}"
        elif not isinstance(kind, StructType):
            yield f".{name}"


def ours(kind: type) -> Iterator[tuple[str, Any]]:
    """The public members that a class of ours has itself."""
    if kind.__module__.startswith("skep."):
        for name, value in vars(kind).items():
            if name in SPECIAL or not name.startswith("_"):
                yield name, value


def plain(value: Any) -> Any:  # noqa: ANN401 - a member
    """The function of a class method or static method."""
    return value.__func__ if isinstance(value, classmethod | staticmethod) else value


def text() -> str:
    """The file."""
    parts = [
        "\n".join([f"=== {module.__name__}", *lines(module, names)]) for module, names in modules()
    ]
    return HEAD + "\n" + "\n\n".join(parts) + "\n"


def lines(module: ModuleType, names: list[str]) -> Iterator[str]:
    """What stands of a module."""
    for name in names:
        value = getattr(module, name)
        if not isinstance(value, ModuleType):
            yield from described(name, value)


def test_what_users_import_is_as_it_was() -> None:
    assert text() == GOLDEN.read_text()


if __name__ == "__main__":
    GOLDEN.write_text(text())
