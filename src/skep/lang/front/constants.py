"""Captured Python objects as expressions."""

import ast
from typing import Any

from skep.lang.capture import plain
from skep.lang.declared.arena import Arena
from skep.lang.front.integers import (
    constant,
)
from skep.lang.front.scope import Scope
from skep.lang.kernel_symbols import KernelSymbol
from skep.lang.kernel_variables import KernelAddress, Wanted
from skep.lang.maps import Global
from skep.lang.tree import (
    Const,
    Expr,
    NoneValue,
    StaticValue,
    ValueAddress,
)
from skep.lang.types import u64
from skep.lang.values import (
    BOOL,
    NONE,
    Memory,
    Pointer,
    Static,
)


def static(scope: Scope, node: ast.AST, value: Any) -> Expr:
    """A captured Python object as an expression."""
    span = scope.span(node)
    match value:
        case None:
            return NoneValue(span, NONE)
        case bool():
            return Const(span, BOOL, int(value))
        case int():
            return constant(scope, node, int(value))
        case Arena():
            return ValueAddress(span, Pointer(value.value, Memory.ARENA), value)
        case Global():
            memory = Memory.CONSTANT if value.constant else Memory.VALUE
            return ValueAddress(span, Pointer(value.value, memory), value)
        case KernelAddress(name=name):
            return KernelSymbol(span, u64, name, Wanted.ADDRESS)
        case float():
            raise scope.error(
                node,
                f"{value} is a floating-point number; the kernel has none",
                "scale it to an integer",
            )
        case _:
            return StaticValue(span, Static(plain(value)))
