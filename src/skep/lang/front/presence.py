"""What the kernel compiled for has: fields, numbers, structs, functions, variables. Known while compiling."""

import ast
import difflib

from skep.lang.front.contexts import visible
from skep.lang.front.integers import constant
from skep.lang.front.kernel_calls import offering
from skep.lang.front.kernel_variables import holding, type_of
from skep.lang.front.scope import Scope
from skep.lang.kernel_names import KernelEnum, KernelFunction, KernelIterator, KernelView
from skep.lang.kernel_variables import KernelVariable
from skep.lang.struct import StructType
from skep.lang.tree import Expr
from skep.lang.values import KernelStruct, Pointer, Static, Type


def has(scope: Scope, kind: Type, name: str) -> bool | None:
    """Whether a struct or an enumeration has a name; None where the type is neither."""
    types = scope.target.types
    match kind:
        case Pointer(target=StructType() as struct):
            return struct.field(name) is not None
        case Pointer(target=KernelStruct() as struct) as pointer:
            return bool(visible(scope, pointer, [name])) and types.member(struct, name) is not None
        case Static(value=KernelView(name=struct_name)):
            known = types.struct(struct_name)
            return known is not None and types.member(known, name) is not None
        case Static(value=KernelVariable() as variable):
            struct_of = type_of(scope.target, variable)
            return isinstance(struct_of, KernelStruct) and types.member(struct_of, name) is not None
        case Static(value=KernelEnum(name=enum)):
            return name in types.numbers(enum) if enum else bool(types.unnamed_numbers(name))
    return None


def is_missing(scope: Scope, kind: Type) -> bool:
    """Whether a type is something of the kernel by name, as a function, that this kernel has not: it is None then."""
    match kind:
        case Static(value=KernelFunction() as function):
            return offering(scope.target, function) is None
        case Static(value=KernelIterator() as iterator):
            return offering(scope.target, iterator.function("new")) is None
        case Static(value=KernelView(name=name)):
            return scope.target.types.struct(name) is None
        case Static(value=KernelVariable() as variable):
            return holding(scope.target, variable) is None
        case Static(value=KernelEnum(name=enum)):
            return bool(enum) and not scope.target.types.numbers(enum)
    return False


NAMED = KernelFunction | KernelIterator | KernelView | KernelVariable | KernelEnum


def is_named(kind: Type) -> bool:
    """Whether a type is something of the kernel by name, which is there or None."""
    return isinstance(kind, Static) and isinstance(kind.value, NAMED)


def enumerator(scope: Scope, node: ast.Attribute, enum: KernelEnum) -> Expr:
    """A number of an enumeration of the kernel's. Raises CompileError where that has none of the name."""
    numbers = scope.target.types.numbers(enum.name) if enum.name else {}
    if node.attr in numbers:
        return constant(scope, node, numbers[node.attr])
    unnamed = () if enum.name else scope.target.types.unnamed_numbers(node.attr)
    if len(unnamed) == 1:
        return constant(scope, node, next(iter(unnamed)))
    close = difflib.get_close_matches(node.attr, numbers, 1)
    problem = f"this kernel has no enum {enum.name}"
    if unnamed:
        problem = f"this kernel's enumerations without a name give {node.attr} several numbers"
    elif numbers:
        problem = f"this kernel's enum {enum.name} has no {node.attr}"
    elif not enum.name:
        problem = f"this kernel has no {node.attr} in an enumeration without a name"
    near = f"did you mean {close[0]!r}?" if close else _holding(scope, node.attr)
    near = "write the number that you mean" if unnamed else near
    raise scope.error(node, problem, near)


def _holding(scope: Scope, name: str) -> str:
    """A hint that names the enumeration in which there is a number of that name; "" where there is none, or several."""
    found = sorted(dict(scope.target.types.btf.enumerators(name)))
    return f"it is in skep.kernel_enum({found[0]!r})".replace("''", "") if len(found) == 1 else ""
