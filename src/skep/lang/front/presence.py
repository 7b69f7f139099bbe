"""What the kernel compiled for has: fields, numbers, structs, functions, variables. Known while compiling."""

from skep.lang.front.contexts import visible
from skep.lang.front.kernel_calls import offering
from skep.lang.front.kernel_variables import holding, type_of
from skep.lang.front.scope import Scope
from skep.lang.kernel_names import KernelEnum, KernelFunction, KernelIterator, KernelView
from skep.lang.kernel_variables import KernelVariable
from skep.lang.struct import StructType
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
            return name in types.numbers(enum)
    return None


def is_missing(scope: Scope, kind: Type) -> bool:
    """Whether a type is a struct, a function or a variable of the kernel that this kernel has not: it is None then."""
    match kind:
        case Static(value=KernelFunction() as function):
            return offering(scope.target, function) is None
        case Static(value=KernelIterator() as iterator):
            return offering(scope.target, iterator.function("new")) is None
        case Static(value=KernelView(name=name)):
            return scope.target.types.struct(name) is None
        case Static(value=KernelVariable() as variable):
            return holding(scope.target, variable) is None
    return False
