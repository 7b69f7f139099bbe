"""Variables of the kernel: those of each CPU as pointers, by two helpers, and addresses as numbers."""

import ast

from skep.base.similar import similar
from skep.btf.types import DataSec, Kind, Var
from skep.lang.front.helping import refuse_lacking
from skep.lang.front.integers import converted
from skep.lang.front.scope import Scope
from skep.lang.helpers import Helper
from skep.lang.kernel_symbols import KernelSymbol
from skep.lang.kernel_types import KernelTypes
from skep.lang.kernel_variables import KernelVariable, Wanted
from skep.lang.tree import Compare, Const, Expr, HelperCall, NoneValue
from skep.lang.types import u32, u64
from skep.lang.values import BOOL, UNKNOWN, KernelStruct, Memory, Pointer, Static, Type, describe

SECTION = ".data..percpu"


def found(types: KernelTypes, name: str) -> Var | None:
    """The variable of that name of which the kernel's types tell; None where there is none."""
    number = types.btf.find(Kind.VAR, name)
    kind = types.btf.type(number) if number else None
    return kind if isinstance(kind, Var) else None


def type_of(types: KernelTypes, name: str) -> Type:
    """The type of a variable; None where there is none, or programs do not know it."""
    variable = found(types, name)
    return types.convert(variable.type_id) if variable else None


def of_cpu(scope: Scope, node: ast.Call, row: Helper) -> Expr:
    """``this_cpu_ptr(RUNQUEUES)`` and ``per_cpu_ptr(RUNQUEUES, cpu)``: a pointer, the latter may be None."""
    refuse_lacking(scope, node, row)
    any_cpu = len(row.args) > 1
    usage = f"{row.name}(variable{', cpu' if any_cpu else ''})"
    variable, *cpu = scope.arguments(node, len(row.args), len(row.args), usage)
    given = scope.expr(variable)
    if given.type is UNKNOWN:
        return NoneValue(given.span, UNKNOWN)
    name = _name(scope, variable, given)
    kind = type_of(scope.target.types, name)
    memory = Memory.KERNEL if isinstance(kind, KernelStruct) else Memory.CONSTANT
    pointer = Pointer(kind, memory, any_cpu, f"{row.name}()")
    args: list[Expr] = [KernelSymbol(given.span, Pointer(None, memory), name, Wanted.VARIABLE)]
    args += [converted(scope, scope.expr(one), u32, one, wrap=True) for one in cpu]
    return HelperCall(scope.span(node), pointer, row, tuple(args))


def _name(scope: Scope, node: ast.expr, given: Expr) -> str:
    """The name of a variable of each CPU. Raises CompileError where it is none, or this kernel has none."""
    variable = given.type.value if isinstance(given.type, Static) else None
    if not isinstance(variable, KernelVariable):
        problem = f"a variable of the kernel's is wanted here, not {describe(given.type)}"
        raise scope.error(node, problem, 'write above the program: NAME = kernel_variable("name")')
    types, name = scope.target.types, variable.name
    if found(types, name) is None:
        near = similar(name, types.btf.names(Kind.VAR))
        hint = (
            f"did you mean {near!r}?"
            if near
            else "where a program may run without it, test `is None`"
        )
        raise scope.error(node, f"this kernel's types tell of no variable {name}", hint)
    if not _of_each_cpu(types, name):
        hint = f'its address is a number: kernel_address("{name}")'
        raise scope.error(node, f"the kernel has one {name}, not one of each CPU", hint)
    if type_of(types, name) is None:
        raise scope.error(node, f"{name} has a type that programs do not know")
    return name


def _of_each_cpu(types: KernelTypes, name: str) -> bool:
    section = types.btf.find(Kind.DATASEC, SECTION)
    listed = types.btf.type(section) if section else None
    number = types.btf.find(Kind.VAR, name)
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
