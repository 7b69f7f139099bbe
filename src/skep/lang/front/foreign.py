"""Calls of what is Python's own, which a program cannot call: the problem, and what serves in its place.

By what is called, by the module that it is of, or by what sort of thing it is.
"""

import ast
import difflib
import inspect
from collections.abc import Callable
from typing import Any

from skep.lang.front import instead
from skep.lang.front.builtin_calls import HINTS
from skep.lang.helpers import HELPERS
from skep.lang.kernel_names import kernel_enum, kernel_iterator, kernel_struct, kfunc
from skep.lang.kernel_variables import kernel_address, kernel_variable
from skep.lang.maps import Declaration
from skep.lang.values import Static, describe

NAMES = (kfunc, kernel_iterator, kernel_struct, kernel_enum, kernel_variable, kernel_address)
RANDOM = "skep.get_prandom_u32() % n"
SINCE_START = "skep.ktime_get_ns() counts from the start of the machine"
IN_PYTHON = "send a record to Python by a Ring, and do it there"
SHOWN = 'print(f"{n:#x} {n:d}") shows numbers; text is made in Python, of what a Record brings'
INTEGERS = "there are integers only: +, -, *, //, % and shifts"
ORDERED = "numbers in network order are turned as they are read; of others, skep.{}(n) turns one"
INSTEAD = HINTS | {
    "time": SINCE_START,
    "time_ns": SINCE_START,
    "now": SINCE_START,
    "utcnow": SINCE_START,
    "today": SINCE_START,
    "monotonic": "skep.ktime_get_ns()",
    "monotonic_ns": "skep.ktime_get_ns()",
    "perf_counter": "skep.ktime_get_ns()",
    "perf_counter_ns": "skep.ktime_get_ns()",
    "sleep": "a program never waits; let its reader do so",
    "getpid": "skep.get_current_pid_tgid() >> 32",
    "getppid": "skep.get_current_task_btf().real_parent.tgid",
    "getuid": "u32(skep.get_current_uid_gid())",
    "cpu_count": "count in Python; skep.get_smp_processor_id() is the CPU that runs this",
    "kill": "skep.send_signal(9) ends the process in which the program runs",
    "sum": "add in a loop: for i in range(N)",
    "choice": RANDOM,
    "unpack": "describe the bytes by a Struct, whose fields are read by name",
    "from_bytes": "describe the bytes as be16, be32 or be64: a field, or ctx.view(be32, offset)",
    "map": "write a for loop",
    "filter": "write a for loop",
    "input": "keep what a program is to know in a map, or in a skep.Global",
    "open": "send a record to Python by a Ring, and write there",
    "exit": "end the program with return",
    "quit": "end the program with return",
    "hash": "a key of a map is hashed by the kernel: a number, or a Struct of several",
    "id": "the address of an object is u64(x)",
    "log2": "skep.log2(n) is the power of two that a number reaches",
    "hex": SHOWN,
    "bin": SHOWN,
    "oct": SHOWN,
    "format": SHOWN,
    "ascii": SHOWN,
    "repr": SHOWN,
    "chr": "an element of text is its number: comm[0] == ord('a')",
    "ip_address": instead.AS_NUMBER,
    "inet_aton": instead.AS_NUMBER,
    "inet_pton": instead.AS_NUMBER,
    **{name: ORDERED.format(name) for name in ("ntohs", "ntohl", "htons", "htonl")},
}
"""What serves in a program in place of a function of Python's, by its name."""
OF_MODULE = {
    "random": RANDOM,
    "math": INTEGERS,
    "cmath": INTEGERS,
    "ctypes": "u8, u16, u32, u64 and s8 to s64 convert a number: u32(n)",
    "decimal": INTEGERS,
    "fractions": INTEGERS,
    "datetime": SINCE_START,
    "re": "text has startswith, endswith and find; with == and in it is compared and searched",
    "logging": 'print(f"...") shows a line for debugging; else send a record by a Ring',
    "threading": "programs run on all CPUs at once: share entries of maps, by increment or atomic_add",
    "asyncio": "a program never waits; let its reader do so",
    "ipaddress": instead.AS_NUMBER,
    "collections": "declare a skep.Hash, LruHash or Queue outside of the program",
    "itertools": "write for loops",
    "functools": "write a function with def",
    **dict.fromkeys(
        ("subprocess", "os", "posix", "pathlib", "json", "socket", "shutil"), IN_PYTHON
    ),
    **dict.fromkeys(("urllib", "requests", "sqlite3", "csv", "pickle"), IN_PYTHON),
}
"""The same by the module that it is of."""
LIKELY = 0.75
"""How much a name resembles that of a helper that is meant."""


def refusal(node: ast.Call, value: Any) -> tuple[str, str]:
    """The problem and the hint where a program calls something of Python's."""
    named = str(getattr(value, "__name__", ""))
    what = repr(named) if named else describe(Static(value))
    return f"{what} cannot be called in a program", _instead(node, value)


def outside(node: ast.Call, value: Callable[..., Any]) -> tuple[str, str]:
    """The same of a function in Python that stands outside of programs."""
    name = value.__name__
    if value in NAMES:
        hint = f"write above the program: NAME = {ast.unparse(node)}"
        return f"{name}(...) stands outside of programs", hint
    if value.__module__.partition(".")[0] == "skep":
        hint = "it stands outside of programs: with skep.load(program) as live:"
        return f"{name}() runs in Python, not in the kernel", hint
    return f"{name}() runs in Python, not in the kernel", _of_function(node, value)


def of_attribute(value: Any, node: ast.Attribute) -> str:
    """What to write in place of an attribute of a captured object."""
    found = getattr(value, node.attr, None)
    known = OF_MODULE.get(_module(found)) if inspect.ismethod(found) else ""
    return known or instead.of_attribute(value, node)


def _instead(node: ast.Call, value: Any) -> str:
    name = str(getattr(value, "__name__", getattr(value, "name", "")))
    if isinstance(value, type) and issubclass(value, Declaration):
        return f"declare it outside of the program: m = {name}(...)"
    if hasattr(value, "__wrapped__"):
        return "take Python's decorator off it: its own function is compiled"
    return _of_function(node, value)


def _of_function(node: ast.Call, value: Any) -> str:
    """By its name, its module, or what sort of thing it is."""
    name = str(getattr(value, "__name__", getattr(value, "name", "")))
    known = INSTEAD.get(name) or OF_MODULE.get(_module(value))
    if known:
        return known
    close = difflib.get_close_matches(name, HELPERS, 1, LIKELY)
    if close:
        return f"did you mean the helper {close[0]}?"
    if isinstance(value, type) and _module(value) == "skep":
        return f"it is for Python, outside of programs: {name}(...) of what a map holds"
    if isinstance(value, type) and value.__module__ != "builtins":
        return f"describe it as a Struct, with fields of fixed types: class {name}(skep.Struct):"
    if inspect.ismethod(value):
        return f"methods are not compiled: write a function, {name}(...)"
    fixed = all(isinstance(argument, ast.Constant) for argument in node.args)
    early = f", or call it outside: NAME = {ast.unparse(node)}" if fixed and node.args else ""
    return f"call a helper, or a function of your own{early}"


def _module(value: Any) -> str:
    """The first part of the name of the module that something is of."""
    owner = getattr(value, "__self__", None)
    found = getattr(value, "__module__", None) or getattr(owner, "__module__", None)
    found = found or getattr(type(value), "__module__", "")
    return str(found).partition(".")[0]
