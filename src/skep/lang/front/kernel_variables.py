"""Variables of the kernel: those of each CPU as pointers, by two helpers, and addresses as numbers."""

import ast

from skep.base.similar import similar
from skep.btf.types import DataSec, Kind, Var
from skep.lang.front.helping import refuse_lacking
from skep.lang.front.integers import converted
from skep.lang.front.scope import Scope, Target
from skep.lang.helpers import Helper
from skep.lang.kernel_symbols import KernelSymbol
from skep.lang.kernel_types import KernelTypes
from skep.lang.kernel_variables import KernelVariable, Wanted
from skep.lang.tree import Compare, Const, Expr, HelperCall, NoneValue
from skep.lang.types import u32, u64
from skep.lang.values import BOOL, UNKNOWN, KernelStruct, Memory, Pointer, Static, Type, describe

SECTION = ".data..percpu"


def holding(target: Target, variable: KernelVariable) -> tuple[KernelTypes, int] | None:
    """The types among which a variable is, and its number there; None where there is none.

    Those are its module's, or the kernel's own where the module is built in.
    """
    module = target.modules(variable.module) if variable.module else None
    own = module.btf.find_own(Kind.VAR, variable.name) if module else None
    if module is not None and own is not None:
        return module, own
    number = target.types.btf.find(Kind.VAR, variable.name)
    return None if number is None else (target.types, number)


def type_of(target: Target, variable: KernelVariable) -> Type:
    """The type of a variable; None where there is none, or programs do not know it."""
    types, number = holding(target, variable) or (target.types, 0)
    kind = types.btf.type(number) if number else None
    return types.convert(kind.type_id) if isinstance(kind, Var) else None


def of_cpu(scope: Scope, node: ast.Call, row: Helper) -> Expr:
    """``this_cpu_ptr(RUNQUEUES)`` and ``per_cpu_ptr(RUNQUEUES, cpu)``: a pointer, the latter may be None."""
    refuse_lacking(scope, node, row)
    any_cpu = len(row.args) > 1
    usage = f"{row.name}(variable{', cpu' if any_cpu else ''})"
    variable, *cpu = scope.arguments(node, len(row.args), len(row.args), usage)
    given = scope.expr(variable)
    if given.type is UNKNOWN:
        return NoneValue(given.span, UNKNOWN)
    named = _named(scope, variable, given)
    kind = type_of(scope.target, named)
    memory = Memory.KERNEL if isinstance(kind, KernelStruct) else Memory.CONSTANT
    pointer = Pointer(kind, memory, any_cpu, f"{row.name}()")
    args: list[Expr] = [
        KernelSymbol(given.span, Pointer(None, memory), named.symbol, Wanted.VARIABLE)
    ]
    args += [converted(scope, scope.expr(one), u32, one, wrap=True) for one in cpu]
    return HelperCall(scope.span(node), pointer, row, tuple(args))


def _named(scope: Scope, node: ast.expr, given: Expr) -> KernelVariable:
    """The variable of each CPU that is meant. Raises CompileError where it is none, or this kernel has none."""
    variable = given.type.value if isinstance(given.type, Static) else None
    if not isinstance(variable, KernelVariable):
        problem = f"a variable of the kernel's is wanted here, not {describe(given.type)}"
        raise scope.error(node, problem, 'write above the program: NAME = kernel_variable("name")')
    held = holding(scope.target, variable)
    if held is None:
        raise scope.error(node, *_absent(scope.target, variable))
    if not _of_each_cpu(*held):
        hint = f'its address is a number: kernel_address("{variable.name}")'
        raise scope.error(node, f"the kernel has one {variable.name}, not one of each CPU", hint)
    if type_of(scope.target, variable) is None:
        raise scope.error(node, f"{variable.name} has a type that programs do not know")
    return variable


def _absent(target: Target, variable: KernelVariable) -> tuple[str, str]:
    """The error where there is no such variable."""
    module = target.modules(variable.module) if variable.module else None
    if variable.module and module is None:
        problem = (
            f"the module {variable.module!r} is not loaded, so nothing is known of its variables"
        )
        return (
            problem,
            f"modprobe {variable.module}; where a program may run without it, test `is None`",
        )
    names = module.btf.own_names(Kind.VAR) if module else target.types.btf.names(Kind.VAR)
    near = similar(variable.name, names)
    hint = (
        f"did you mean {near!r}?" if near else "where a program may run without it, test `is None`"
    )
    where = f"the types of module {variable.module!r}" if module else "this kernel's types"
    return f"{where} tell of no variable {variable.name}", hint


def _of_each_cpu(types: KernelTypes, number: int) -> bool:
    section = types.btf.find_own(Kind.DATASEC, SECTION)
    listed = types.btf.type(section) if section else None
    return isinstance(listed, DataSec) and any(one.type_id == number for one in listed.variables)


def without_cpu(node: ast.Attribute, variable: KernelVariable) -> tuple[str, str]:
    """The problem and the hint where a field is read of no CPU's variable."""
    name = ast.unparse(node.value)
    hint = f"skep.this_cpu_ptr({name}).{node.attr}, or what per_cpu_ptr({name}, cpu) gives"
    return f"the kernel has a {variable.name} for each CPU", hint


def is_absent(scope: Scope, symbol: KernelSymbol, node: ast.AST) -> Expr:
    """``ADDRESS is None``, which is known when the program is loaded."""
    span = scope.span(node)
    tested = KernelSymbol(symbol.span, u64, symbol.name, Wanted.TESTED)
    return Compare(span, BOOL, "==", tested, Const(span, u64, 0))
