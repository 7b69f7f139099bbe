"""``dynptr_data``: the bytes behind a dynptr, in place."""

import ast

from skep.lang.front.access import handed
from skep.lang.front.helping import refuse_lacking
from skep.lang.front.integers import converted
from skep.lang.front.scope import Scope
from skep.lang.front.views import viewed
from skep.lang.helpers import Helper
from skep.lang.tree import Address, Const, Expr, HelperCall
from skep.lang.types import u32, u64
from skep.lang.values import Memory, Pointer


def data(scope: Scope, node: ast.Call, row: Helper) -> Expr:
    """``dynptr_data(dynptr, offset, Type)``: a pointer to that, or None where there are not as many bytes."""
    refuse_lacking(scope, node, row)
    of, at, named = scope.arguments(node, 3, 3, "dynptr_data(dynptr, offset, Type)")
    kind = viewed(scope, named, "dynptr_data(dynptr, offset, Type)")
    place, span = handed(scope, of), scope.span(node)
    args = (
        Address(scope.span(of), Pointer(place.type, Memory.STACK), place),
        converted(scope, scope.expr(at), u32, at, wrap=True),
        Const(span, u64, kind.size),
    )
    pointer = Pointer(kind, Memory.VALUE, nullable=True, what="dynptr_data()", align=1)
    return HelperCall(span, pointer, row, args)
