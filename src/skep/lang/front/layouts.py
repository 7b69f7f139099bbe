"""``sizeof`` and ``offsetof``: how a type lies in memory; of the kernel's types, as in the kernel compiled for."""

import ast
from typing import Any

from skep.base.similar import similar
from skep.lang.front.integers import constant
from skep.lang.front.scope import Scope
from skep.lang.front.texts import known
from skep.lang.kernel_names import KernelView
from skep.lang.kernel_types import Member
from skep.lang.layout import Field
from skep.lang.struct import StructType
from skep.lang.tree import Expr
from skep.lang.types import ArrayType, IntType
from skep.lang.values import UNKNOWN, KernelStruct, Pointer, Static, Type, describe


def told(scope: Scope, node: ast.Call, name: str) -> Expr:
    """``sizeof(TASK)``, ``sizeof(task.comm)``, ``offsetof(TASK, "signal.rlim")``: numbers of bytes."""
    if name == "sizeof":
        (of,) = scope.arguments(node, 1, 1, "sizeof(type)")
        kind = _kind(scope, of)
        return constant(scope, node, 0 if kind is UNKNOWN else int(kind.size))
    of, named = scope.arguments(node, 2, 2, "offsetof(type, name)")
    path = known(scope, named)
    if not isinstance(path, str):
        raise scope.error(named, "a field is named by text", 'offsetof(TASK, "signal.rlim")')
    return constant(scope, node, _offset(scope, _kind(scope, of), path, named))


def _kind(scope: Scope, node: ast.expr) -> Any:
    """A type that is named, or that of memory."""
    given = scope.expr(node)
    if given.type is UNKNOWN:
        return UNKNOWN
    kind = given.type.value if isinstance(given.type, Static) else given.type
    if isinstance(kind, KernelView):
        struct = scope.target.types.struct(kind.name)
        if struct is None:
            hint = "where a program may run without it, test `is None`"
            raise scope.error(node, f"this kernel has no struct {kind.name}", hint)
        return struct
    found = kind.target if isinstance(kind, Pointer) else kind
    if isinstance(found, StructType | ArrayType | IntType | KernelStruct):
        return found
    raise scope.error(node, f"{describe(given.type)} has no size that is known")


def _offset(scope: Scope, kind: Type, path: str, node: ast.AST) -> int:
    """Where a field begins, through those that it lies in."""
    offset = 0
    for name in path.split("."):
        field = _field(scope, kind, name)
        if kind is UNKNOWN:
            return 0
        if field is None:
            near = similar(name, _names(scope, kind))
            hint = f"did you mean {near!r}?" if near else ""
            raise scope.error(node, f"{describe(kind)} has no field {name!r}", hint)
        if field.bits is not None:
            raise scope.error(node, f"{name!r} is a bit field, which begins at no byte")
        offset, kind = offset + field.offset, field.type
    return offset


def _field(scope: Scope, kind: Type, name: str) -> Field | Member | None:
    if isinstance(kind, StructType):
        found: Field | None = kind.field(name)
        return found
    return scope.target.types.member(kind, name) if isinstance(kind, KernelStruct) else None


def _names(scope: Scope, kind: Type) -> list[str]:
    if isinstance(kind, StructType):
        return [field.name for field in kind.fields]
    return scope.target.types.members(kind) if isinstance(kind, KernelStruct) else []
