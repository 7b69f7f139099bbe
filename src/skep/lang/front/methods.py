"""The methods of maps, rings, records and packets: one function a method, in tables."""

import ast
import difflib
from collections.abc import Callable, Mapping
from typing import Any

from skep.lang.declared.streams import VariableRing
from skep.lang.front import instead, long_records, objects, views
from skep.lang.front.access import handed
from skep.lang.front.keepers import OWNED, PER_CPU
from skep.lang.front.long_records import is_long
from skep.lang.front.map_methods import BY_TYPE as MAP_METHODS
from skep.lang.front.map_methods import TABLE, Method, declared_by
from skep.lang.front.redirect_methods import BY_TYPE as REDIRECTS
from skep.lang.front.references import REFERENCE
from skep.lang.front.scope import Scope
from skep.lang.front.storage_methods import BY_TYPE as STORAGES
from skep.lang.front.stream_methods import BY_TYPE as STREAMS
from skep.lang.front.stream_methods import written
from skep.lang.front.timers import TASK_WORK, TIMER, WORK
from skep.lang.keepers import is_per_cpu
from skep.lang.maps import Declaration, Ring
from skep.lang.objects import is_keeper
from skep.lang.spec import MapType
from skep.lang.special import REFERENCES, SpinLock, TaskWork, Timer, Work, special
from skep.lang.struct import StructType
from skep.lang.tree import Expr, IsNone, MapCall, Not, Release, Reserve
from skep.lang.types import s64
from skep.lang.values import BOOL, VOID, Memory, Pointer, Static, describe


def method(scope: Scope, node: ast.Call, owner: Expr, name: str) -> Expr:
    """A call of a method. Raises CompileError where the owner has none of that name."""
    if is_map(owner):
        _refuse_special(scope, node, declared_by(owner))
        table, kind = BY_TYPE.get(declared_by(owner).type, (TABLE, "a map"))
    elif isinstance(owner.type, Pointer) and owner.type.target in KEPT:
        table, kind = KEPT[owner.type.target]
    elif is_keeper(owner.type.target):
        table, kind = KEEPERS[is_per_cpu(owner.type.target)], "what keeps an object"
    elif linked := objects.methods_of(owner.type.target, owner.type.memory):
        table, kind = linked
    elif owner.type.memory is Memory.RECORD:
        table, kind = LONG_METHODS if is_long(owner) else RECORD_METHODS, "a record"
    elif owner.type.memory is Memory.CONTEXT:
        table, kind = CONTEXT_METHODS, "the context"
    elif name == "view":
        return views.of_memory(scope, node, owner)
    else:
        problem = f"{describe(owner.type)} has no method {name!r}"
        raise scope.error(node, problem, instead.of_method(owner.type, node, name))
    found = table.get(name)
    if found is None:
        close = difflib.get_close_matches(name, table, 1)
        listed = f"it has {', '.join(sorted(n for n in table if n[0] != '_'))}"
        hint = f"did you mean {close[0]}()?" if close else listed
        raise scope.error(node, f"{kind} has no method {name!r}", _of_python(name, table) or hint)
    return found(scope, node, owner)


def _of_python(name: str, table: Mapping[str, Method]) -> str:
    """What to write in place of a method that Python's containers have."""
    for words in INSTEAD.get(name, ()):
        if words.partition("(")[0] in table or "Python" in words:
            return words
    return ""


_OVER = ("for_each(function) goes over the entries here, live[map].items() in Python",)
_HAS = ("lookup(key) is not None, or key in map",)
_PUT = (
    "update(key, value), or map[key] = value",
    "push(value) puts one in",
    "reserve() gives a record or None: its fields are set, then e.submit()",
)
_ENDS = ("reserve() gives a record, which has it: e = ring.reserve(), e.submit()",)
INSTEAD = {
    "get": (
        "lookup(key) gives a pointer, or None: value = counts.lookup(key)",
        "pop() takes the next value, or None",
    ),
    "pop": ("delete(key), after lookup(key)",),
    "clear": ("empty it in Python: live[map].clear()",),
    "decrement": ("increment(key, u64(-1)) takes 1 away",),
    **dict.fromkeys(("keys", "values", "items"), _OVER),
    **dict.fromkeys(("has_key", "contains", "exists"), _HAS),
    **dict.fromkeys(
        ("set", "put", "insert", "append", "add", "push", "send", "emit", "write"), _PUT
    ),
    **dict.fromkeys(("submit", "discard"), _ENDS),
}
"""By the name of such a method, what serves in maps, queues and rings; the first that the map has is meant."""


def _refuse_special(scope: Scope, node: ast.AST, declared: Declaration) -> None:
    """Refuse maps whose values have locks or timers where the kernel does: from any place that the kernel stops at."""
    for field in special(declared.value):
        if scope.kind.family in REFUSING.get(field.type, ()):
            problem = (
                f"{scope.kind.name} programs use no map whose values have a {field.type.__name__}"
            )
            raise scope.error(node, problem, "take another kind of program, such as tp_btf")


def is_map(owner: Expr) -> bool:
    """Whether an expression is a map: a declaration, or what a map of maps holds."""
    kind = owner.type
    if isinstance(kind, Static):
        return isinstance(kind.value, Declaration)
    return isinstance(kind, Pointer) and kind.memory is Memory.MAP


def has_key(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``key in m``, ``node`` being a call with the key, as a truth value."""
    table, kind = BY_TYPE.get(declared_by(owner).type, (TABLE, "a map"))
    if "__contains__" in table:
        return table["__contains__"](scope, node, owner)
    if "lookup" not in table:
        raise scope.error(node, f"in does not work on {kind}")
    found = table["lookup"](scope, node, owner)
    return Not(scope.span(node), BOOL, IsNone(scope.span(node), BOOL, found))


def _reserve(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    ring: Ring = owner.type.value
    if isinstance(ring, VariableRing):
        return long_records.reserve(scope, node, owner)
    choice = scope.arguments(node, 0, 1, "reserve(record)")
    if not choice and len(ring.records) > 1:
        names = ", ".join(record.__name__ for record in ring.records)
        raise scope.error(
            node,
            "this ring carries several records; say which one to reserve",
            f"reserve(...) with one of {names}",
        )
    record: Any = ring.records[0]
    if choice:
        given = scope.expr(choice[0])
        record = given.type.value if isinstance(given.type, Static) else None
        if record not in ring.records:
            raise scope.error(
                choice[0],
                "this ring does not carry that record",
                f"it carries {', '.join(r.__name__ for r in ring.records)}",
            )
    pointer = Pointer(record, Memory.RECORD, nullable=True, what="reserve()", owner=ring)
    return Reserve(scope.span(node), pointer, ring, record)


def _output(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    data, *size = scope.arguments(node, 1, 2, "output(data, size)")
    place = handed(scope, data)
    ring: Ring = owner.type.value
    if isinstance(ring, VariableRing):
        hint = "reserve(size), then write(0, data, size) and submit()"
        raise scope.error(node, "what goes through this ring begins with a record", hint)
    pointer, length = written(scope, node, place, size)
    return MapCall(scope.span(node), s64, "output", ring, (pointer, length))


def _release(action: str) -> Callable[[Scope, ast.Call, Expr], Expr]:
    def run(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
        scope.arguments(node, 0, 0, f"{action}()")
        name = getattr(owner, "name", "")
        if not name:
            problem = f"{action}() is called on the variable that holds the record"
            raise scope.error(
                node, problem, f"e = ring.reserve(), a test for None, then e.{action}()"
            )
        if name in scope.function.__code__.co_varnames[: scope.function.__code__.co_argcount]:
            problem = f"a record is ended where it was reserved, not in {scope.function.__name__}()"
            raise scope.error(
                node, problem, f"set its fields here, and call e.{action}() behind the call"
            )
        room = long_records.room_of(scope, node, owner, action) if is_long(owner) else None
        return Release(scope.span(node), VOID, action, owner.type.owner, owner, name, room)

    return run


WATCHING = frozenset({"kprobe", "tracepoint", "perf_event", "raw_tp"})
REFUSING: dict[StructType, frozenset[str]] = {
    SpinLock: WATCHING | {"socket_filter"},
    Timer: WATCHING,
    Work: WATCHING,
}
"""The families of kinds that use no values with each."""

KEPT: dict[object, tuple[dict[str, Method], str]] = {
    Timer: (TIMER, "a timer"),
    Work: (WORK, "work"),
    TaskWork: (TASK_WORK, "work of a task"),
    **dict.fromkeys(REFERENCES, (REFERENCE, "a reference")),
}
"""The methods of what the kernel keeps in values, and its name in messages."""
KEEPERS = {False: OWNED, True: PER_CPU}
RING_METHODS: dict[str, Method] = {"reserve": _reserve, "output": _output}
RECORD_METHODS: dict[str, Method] = {"submit": _release("submit"), "discard": _release("discard")}
LONG_METHODS: dict[str, Method] = {**RECORD_METHODS, "write": long_records.write}
CONTEXT_METHODS: dict[str, Method] = {"view": views.of_packet, "metadata": views.of_metadata}
BY_TYPE: dict[MapType, tuple[dict[str, Method], str]] = {
    MapType.RINGBUF: (RING_METHODS, "a ring"),
    **MAP_METHODS,
    **STORAGES,
    **REDIRECTS,
    **STREAMS,
}
"""The methods of each type of map, and its name in messages; other types are tables."""
