"""Functions of a program that the kernel calls: what a timer runs, what takes a message."""

import ast
from types import FunctionType

from skep.lang.front.access import buffer, memory_of
from skep.lang.front.global_functions import is_global
from skep.lang.front.scope import Scope
from skep.lang.tree import Address, Callback, Expr, NoneValue
from skep.lang.values import VOID, Memory, Pointer, Static, describe

NAMES = {
    "element": ("key", "value"),
    "entry": ("key", "value", "memory"),
    "less": ("a", "b"),
    "mapping": ("task", "mapping", "memory"),
    "message": ("message", "memory"),
}
"""What functions of each shape are called with."""


def callback(scope: Scope, node: ast.expr, shape: str, *pointers: Pointer) -> Callback:
    """A function as an argument; ``pointers`` are the types of what it is called with.

    Raises CompileError where it is no function, takes something else, or needs the program's context.
    """
    given = scope.expr(node)
    function = given.type.value if isinstance(given.type, Static) else None
    if not isinstance(function, FunctionType):
        raise scope.error(
            node, f"a function is wanted here, not {describe(given.type)}", "define it outside"
        )
    if is_global(function):
        problem = f"{function.__name__}() is a global function, which a helper does not call"
        raise scope.error(node, problem, "give one that is none, and call it there")
    count = function.__code__.co_argcount
    if count != len(pointers):
        named = " and ".join(NAMES[shape][: len(pointers)])
        words = "argument" if count == 1 else "arguments"
        problem = f"{function.__name__}() takes {count} {words}, and is called with {named}"
        hint = f"def {function.__name__}({', '.join(NAMES[shape][: len(pointers)])}):"
        raise scope.error(node, problem, hint)
    span = scope.span(node)
    arguments = tuple(NoneValue(span, pointer) for pointer in pointers)
    before = scope.context
    made = scope.instantiate(scope, function, arguments, node)
    if made.context:
        problem = (
            f"{function.__name__}() uses the program's context, which is gone when it is called"
        )
        raise scope.error(node, problem, "keep what it needs in a map")
    scope.context = before
    return Callback(span, VOID, made, shape)


def shared(scope: Scope, given: list[ast.expr]) -> list[Expr]:
    """The memory that the function is to have besides, where there is some: on the stack of the program."""
    if not given:
        return []
    place = buffer(scope, given[0])
    if memory_of(place) is not Memory.STACK:
        hint = "make it here, as in found = Found(), and copy what is needed behind the call"
        raise scope.error(given[0], "what the function gets lies on the stack", hint)
    return [Address(scope.span(given[0]), Pointer(place.type, Memory.STACK), place)]
