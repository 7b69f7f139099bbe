"""What a function captures: the Python objects behind its global and closure names, and the cache key made of them.

No syntax tree is needed here, so that a program whose object is cached is never parsed.
"""

import builtins
import enum
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from skep.lang.chains import Chain
from skep.lang.helpers import Helper
from skep.lang.kernel_names import KernelEnum, KernelFunction, KernelIterator, KernelView
from skep.lang.kernel_variables import KernelAddress, KernelVariable
from skep.lang.maps import Declaration, Ring
from skep.lang.objects import element_of, is_head, is_keeper
from skep.lang.source import text_of
from skep.lang.struct import StructType
from skep.lang.types import ArrayType, IntType

MISSING = object()
DEPTH = 3
LIBRARY = f"{os.path.dirname(os.__file__)}{os.sep}"
OUTSIDE = (
    *("skep.lang.kernel_names", "skep.lang.decorators", "skep.lang.programs", "skep.lang.layout"),
    *("skep.lang.struct_ops", "skep.lang.syscalls", "skep.program", "skep.lang.kernel_variables"),
)
"""The modules of what is called while Python runs, not in a program."""
WORD = re.compile(r"[^\W\d]\w*")
BUILTINS = vars(builtins)
HOLDERS = (ModuleType, type)
"""What is looked into by the names of attributes."""


def resolve(function: FunctionType, name: str) -> Any:
    """The object that ``name`` means in ``function`` (closure, globals, builtins), or MISSING."""
    if name in function.__code__.co_freevars:
        cell = (function.__closure__ or ())[function.__code__.co_freevars.index(name)]
        try:
            return cell.cell_contents
        except ValueError:
            return MISSING
    found = function.__globals__.get(name, MISSING)
    return BUILTINS.get(name, MISSING) if found is MISSING else found


def captured(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Name and object of all that the code can reach; what lies in modules and classes as ``module.name``.

    What parameters are where a call leaves them out is reached too.
    """
    code: CodeType = function.__code__
    yield from defaults(function).items()
    for name in (*code.co_freevars, *code.co_names):
        value = resolve(function, name)
        if value is MISSING:
            continue
        yield name, value
        if isinstance(value, HOLDERS):
            yield from _inside(name, value, code.co_names)


def defaults(function: FunctionType) -> dict[str, Any]:
    """What parameters are where a call leaves them out, by name."""
    given = function.__defaults__ or ()
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return dict(zip(names[len(names) - len(given) :], given, strict=True))


def _inside(
    name: str, value: Any, names: tuple[str, ...], depth: int = DEPTH
) -> Iterator[tuple[str, Any]]:
    """What attributes of these names reach from a module or a class."""
    if depth == 0 or isinstance(value, IntType):
        return
    for attribute in names:
        inner = getattr(value, attribute, MISSING)
        if inner is MISSING or (isinstance(value, type) and isinstance(inner, FunctionType)):
            continue
        yield f"{name}.{attribute}", inner
        if isinstance(inner, HOLDERS):
            yield from _inside(f"{name}.{attribute}", inner, names, depth - 1)


Captured = list[tuple[str, Any]]
Reached = Iterable[tuple[FunctionType, Captured]]
"""What ``reached`` gives: to find it takes longer than to look through it."""


def reached(root: Callable[..., Any]) -> Iterator[tuple[FunctionType, Captured]]:
    """``root`` and the functions that it captures, directly or through others, each once, in order of discovery.

    With each comes what it captures.
    """
    seen: list[FunctionType] = []
    queue: list[Any] = [plain(root)]
    while queue:
        function = queue.pop(0)
        if function in seen:
            continue
        seen.append(function)
        names = list(captured(function))
        yield function, names
        found = (plain(value) for _, value in names)
        queue += [one for one in found if isinstance(one, FunctionType) and not outside(one)]


def outside(function: FunctionType) -> bool:
    """Whether a function runs in Python only: one of Python's library, or one by which programs are made and run."""
    file = function.__code__.co_filename
    library = file.startswith((LIBRARY, "<frozen ")) and "site-packages" not in file
    return library or function.__module__.startswith(OUTSIDE)


def plain(value: Any) -> Any:
    """The function behind a decorated one."""
    inner = None if isinstance(value, HOLDERS) else getattr(value, "function", None)
    return inner if isinstance(inner, FunctionType) else value


def declarations(root: Callable[..., Any]) -> list[tuple[str, Declaration]]:
    """The maps that a program captures, with the name of each, in an order that depends on the source alone.

    A ring is followed by its state; the last is the array by which a chained program goes on.
    """
    return declared(reached(root), getattr(root, "chain", None))


def declared(reach: Reached, chain: Chain | None) -> list[tuple[str, Declaration]]:
    """The maps among what a program reaches, which goes on by ``chain``, as ``declarations`` gives them."""
    found: list[tuple[str, Declaration]] = []
    for _, names in reach:
        for name, value in names:
            if isinstance(value, Declaration) and all(value is not other for _, other in found):
                short = name.rpartition(".")[2]
                found.append((short, value))
                if isinstance(value, Ring):
                    found.append((f"{short[:9]}_state", value.state))
    return [*found, ("next", chain.next)] if chain is not None else found


NAMED = (KernelFunction, KernelIterator, KernelVariable)


def modules_of(reach: Reached) -> list[str]:
    """The modules of the kernel whose functions and variables a program names."""
    values = (value for _, names in reach for _, value in names)
    found = {one.module for one in values if isinstance(one, NAMED) and one.module}
    return sorted(found)


def _layout(kind: Any) -> str:
    if isinstance(kind, StructType):
        inner = ";".join(
            f"{f.name}@{f.offset}:{_layout(f.type)}{f.bits or ''}" for f in kind.fields
        )
        linked = f" of {_layout(element_of(kind))}" if is_head(kind) or is_keeper(kind) else ""
        stamps = sorted(getattr(kind, "stamps", {}).items())
        return f"{kind.__name__}[{kind.size}]{{{inner}}}{stamps}{linked}"
    if isinstance(kind, ArrayType):
        return f"{_layout(kind.element)}x{kind.count}"
    return repr(kind)


def _describe(value: Any) -> str | None:
    match value:
        case Ring():
            records = ",".join(_layout(record) for record in value.records)
            return f"{type(value).__name__} {value.spec()!r} {records} {value.wakeup}"
        case Declaration():
            inner = _describe(value.inner) if value.inner else ""
            layouts = f"{_layout(value.key)} {_layout(value.value)} {_layout(value.carries)}"
            return f"{value.type} {layouts} {value.entries} {value.flags} {inner}"
        case IntType() | ArrayType() | StructType():
            return _layout(value)
        case enum.EnumMeta():
            members: dict[str, enum.Enum] = dict(value.__members__)
            return repr([(name, member.value) for name, member in members.items()])
        case bool() | int() | float() | str() | bytes() | tuple() | range() | frozenset() | None:
            return repr(sorted(value, key=repr) if isinstance(value, frozenset) else value)
        case Helper():
            return f"{value.name}#{value.number}"
        case (
            KernelView(name=name)
            | KernelEnum(name=name)
            | KernelFunction(symbol=name)
            | KernelIterator(symbol=name)
            | KernelVariable(symbol=name)
            | KernelAddress(name=name)
        ):
            return f"{type(value).__name__} {name}"
        case _:
            return None


def _marks(function: FunctionType) -> list[tuple[str, Any]]:
    """What decorators noted of how a function is called."""
    return sorted((k, v) for k, v in vars(function).items() if k.startswith("__skep_"))


def fingerprint(root: Callable[..., Any], *environment: str) -> str:
    """A key (sha256, hex) over all that decides what ``root`` compiles to, ``environment`` included."""
    return digested(reached(root), *environment)


def digested(reach: Reached, *environment: str) -> str:
    """The ``fingerprint`` of what reaches that."""
    digest = hashlib.sha256("\0".join(environment).encode())
    for function, names in reach:
        text = text_of(function)
        digest.update(f"\0{text.file}\0{text.line}\0{text.text}\0{_marks(function)}".encode())
        for name, value in names:
            described = _describe(value)
            if described is not None:
                digest.update(f"\0{name}={described}".encode())
        for name in sorted(set(WORD.findall(text.text))):  # types that only annotations name
            value = resolve(function, name)
            if isinstance(value, IntType | StructType):
                digest.update(f"\0{name}:{_layout(value)}".encode())
            elif isinstance(value, KernelView):
                digest.update(f"\0{name}:{value.name}".encode())
    return digest.hexdigest()
