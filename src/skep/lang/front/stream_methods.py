"""The methods of perf buffers and of rings that a process fills."""

import ast

from skep.lang.front.access import handed
from skep.lang.front.callbacks import callback, shared
from skep.lang.front.helping import context, size_bound
from skep.lang.front.integers import converted
from skep.lang.front.map_methods import Method, declared_by, made
from skep.lang.front.scope import Scope
from skep.lang.front.structs import type_name
from skep.lang.spec import MapType
from skep.lang.tree import Address, Const, Expr, Place
from skep.lang.types import s64, u64
from skep.lang.values import UNKNOWN, Memory, Pointer


def _output(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    data, *size = scope.arguments(node, 1, 2, "output(data, size)")
    place, declared = handed(scope, data), declared_by(owner)
    sample = declared.carries
    if sample is not None and place.type not in (sample, UNKNOWN):
        raise scope.error(
            data, f"this buffer carries {type_name(sample)}, not {type_name(place.type)}"
        )
    pointer, length = written(scope, node, place, size)
    return made(scope, node, owner, "perf_output", s64, context(scope, node), pointer, length)


def written(
    scope: Scope, node: ast.Call, place: Place, size: list[ast.expr]
) -> tuple[Address, Expr]:
    """What ``output(data, size)`` gives out: memory, and how many bytes of it, all where nothing is said."""
    span = scope.span(node.args[0])
    pointer = Address(span, Pointer(place.type, Memory.STACK), place)
    if not size:
        return pointer, Const(scope.span(node), u64, place.type.size)
    length = converted(scope, scope.expr(size[0]), u64, size[0])
    size_bound(scope, "output", (pointer, length), size[0])
    return pointer, length


def _drain(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``r.drain(function, memory)``: calls ``function(message, memory)``, until it gives something true."""
    function, *given = scope.arguments(node, 1, 2, "drain(function, memory)")
    message, memory = Pointer(declared_by(owner).carries, Memory.STACK), shared(scope, given)
    called = callback(scope, function, "message", message, *(one.type for one in memory))
    return made(scope, node, owner, "drain", s64, called, *memory)


PERF: dict[str, Method] = {"output": _output}
BY_TYPE: dict[MapType, tuple[dict[str, Method], str]] = {
    MapType.PERF_EVENT_ARRAY: (PERF, "a perf buffer"),
    MapType.USER_RINGBUF: ({"drain": _drain}, "a user ring"),
}
