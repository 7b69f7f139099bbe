"""Calls of kernel functions ("kfuncs"), typed by the kernel's own description of them.

The names of parameters tell what is written: ``x__sz`` is the size of the memory before it, which may be left out;
``x__str`` is text, which is written out or captured;
``meta__ign``, ``aux__ign`` and ``x__prog`` are the verifier's to fill in, and never written; any other ``x__ign`` is
any address, as that of text, which may be written out too; ``x__nullable`` and ``x__opt`` may be None; ``x__map`` is a
map. What a function takes hold of, or gives back, is not described: the verifier says so when the program is loaded.
"""

import ast
from collections.abc import Sequence

from skep.base.frozen import frozen
from skep.base.similar import similar
from skep.lang.constant_text import ConstantText
from skep.lang.front.access import buffer
from skep.lang.front.global_functions import is_context
from skep.lang.front.helping import context
from skep.lang.front.integers import converted
from skep.lang.front.network_order import laid, turned
from skep.lang.front.scope import Scope, Target
from skep.lang.front.structs import type_name
from skep.lang.front.texts import known
from skep.lang.kernel_names import KernelFunction
from skep.lang.kernel_types import KernelTypes, Prototype
from skep.lang.maps import Declaration
from skep.lang.special import SPECIAL
from skep.lang.tree import Address, Binary, Const, Expr, KernelCall, MapAddress, NoneValue
from skep.lang.types import IntType, char, u64
from skep.lang.values import (
    NONE,
    OWN,
    UNKNOWN,
    VOID,
    KernelPointer,
    KernelStruct,
    Memory,
    Pointer,
    Static,
    Type,
    describe,
    register,
)

SIZES, OPTIONAL, TEXT = ("__sz", "__szk"), ("__nullable", "__opt", "__ign"), ("__str",)
HIDDEN = ("meta__ign", "aux__ign", "__prog")
LOOSE = (
    "bpf_dynptr",
    "bpf_dynptr_kern",
    "bpf_iter_",
    "bpf_rb_",
    "bpf_list_",
    "bpf_crypto",
    "bpf_wq",
)
"""Structs that a program keeps in memory of its own, which has no type of the kernel's."""
BEHIND = {"__sk_buff": "sk_buff", "xdp_md": "xdp_buff"}
"""What the kernel has behind a context, which a function takes in its place."""
NUMBERS = frozenset({"bpf_session_cookie"})
"""Functions that give a number in memory which the program may change."""
SESSION = frozenset({"bpf_session_cookie", "bpf_session_is_return"})
"""Functions that take the context on newer kernels (7.3), nothing before: one program leaves it out on both."""
AS_KERNEL = 'give it NAME(cast(ctx)), with cast = skep.kfunc("bpf_cast_to_kern_ctx"), NAME = skep.kernel_struct("{}")'
"""How the context is given to a function that takes it as the kernel has it."""
SLICES = {"bpf_dynptr_slice": Memory.CONSTANT, "bpf_dynptr_slice_rdwr": Memory.VALUE}
"""Functions that give memory like that which they are given, and how it may be used."""


@frozen
class Parameter:
    """A parameter: its function's name, its own, and its type."""

    function: str
    name: str
    type: Type

    def ends(self, suffixes: Sequence[str]) -> bool:
        """Whether its name says so."""
        return self.name.endswith(tuple(suffixes))


def offering(target: Target, function: KernelFunction) -> KernelTypes | None:
    """The types among which a function is: its module's, or the kernel's own where the module is built in."""
    module = target.modules(function.module) if function.module else None
    if module is not None and module.own_function(function.name):
        return module
    return target.types if target.types.function(function.name) else None


def kernel_call(scope: Scope, node: ast.Call, function: KernelFunction) -> Expr:
    """A call of a kernel function. Raises CompileError where this kernel has none, or takes other arguments."""
    signature, name = _signature(scope, node, function), function.name
    params = [Parameter(name, one, kind) for one, kind in signature.params]
    implied = name in SESSION and params and not node.args
    args = (context(scope, node),) if implied else _arguments(scope, node, params)
    kinds, result = tuple(param.type for param in params), _result(name, signature.result, args)
    made = KernelCall(scope.span(node), result, name, function.symbol, kinds, args)
    return turned(signature.result, made) if isinstance(signature.result, IntType) else made


def _signature(scope: Scope, node: ast.Call, function: KernelFunction) -> Prototype:
    types = offering(scope.target, function)
    signature = types.prototype(function.name) if types else None
    if signature is None:
        raise scope.error(node, *_absent(scope.target, function))
    return signature


def call_of(
    scope: Scope, node: ast.Call, function: KernelFunction, first: Expr, *, more: bool
) -> KernelCall:
    """A call of one of an iterator's functions: ``first`` is where it lies; ``more``: with what ``node`` has."""
    signature, name = _signature(scope, node, function), function.name
    params = [Parameter(name, one, kind) for one, kind in signature.params]
    args = (first, *(_arguments(scope, node, params[1:]) if more else ()))
    kinds, result = tuple(param.type for param in params), _result(name, signature.result, args)
    return KernelCall(scope.span(node), result, name, function.symbol, kinds, args)


def _absent(target: Target, function: KernelFunction) -> tuple[str, str]:
    """The error where there is no such function, with where there is one."""
    name, module = function.name, function.module
    types = target.modules(module) if module else target.types
    if types is None:
        problem = f"the module {module!r} is not loaded, so nothing is known of its functions"
        return problem, f"modprobe {module}; where a program may run without it, test `is None`"
    near = similar(name, types.own_offered() if module else types.offered())
    hint = f"did you mean {near!r}?" if near else ""
    holders = [] if module else target.holders(name)
    if holders:
        hint = f'the module {holders[0]} has it: skep.kfunc("{holders[0]}:{name}")'
    where = f"the module {module!r}" if module else "this kernel"
    return f"{where} has no function {name}", hint


def _arguments(scope: Scope, node: ast.Call, params: list[Parameter]) -> tuple[Expr, ...]:
    written = [param for param in params if not param.ends(HIDDEN)]
    needed = [param for param in written if not param.ends(SIZES)]
    sized = len(node.args) == len(written)
    if not sized and len(node.args) != len(needed):
        listed = ", ".join(param.name for param in needed)
        words = "argument" if len(needed) == 1 else "arguments"
        problem = f"{params[0].function if params else 'it'}() takes {len(needed)} {words}"
        hint = f"they are: {listed}" if listed else ""
        raise scope.error(node, f"{problem}, not {len(node.args)}", hint)
    queue = list(node.args)
    args: list[Expr] = []
    for param, behind in zip(params, [*params, None][1:], strict=True):
        if param.ends(HIDDEN):
            args.append(NoneValue(scope.span(node), Pointer(None, Memory.KERNEL)))
        elif param.ends(SIZES) and not sized:
            args.append(Const(scope.span(node), _number(param), _size(args[-1])))
        else:
            with_size, given = behind is not None and behind.ends(SIZES), queue.pop(0)
            args.append(
                _text(scope, param, given)
                if param.ends(TEXT) or (_is_text(param) and isinstance(known(scope, given), str))
                else _argument(scope, param, given, with_size=with_size)
            )
    return tuple(args)


def _number(param: Parameter) -> IntType:
    return register(param.type) if isinstance(param.type, IntType) else u64


def _size(argument: Expr) -> int:
    target = argument.type.target if isinstance(argument.type, Pointer) else None
    return int(target.size) if target is not None else 0


def _argument(scope: Scope, param: Parameter, node: ast.expr, *, with_size: bool) -> Expr:
    """An argument; a struct whose size follows is any memory, laid out as the kernel's."""
    if isinstance(param.type, IntType):
        value = converted(scope, scope.expr(node), param.type, node, wrap=True)
        return laid(param.type, value)
    if not isinstance(param.type, KernelPointer):
        raise scope.error(node, f"{param.name} has a type that programs do not know")
    value = scope.expr(node)
    if value.type is UNKNOWN:
        return value
    if value.type is NONE and param.ends(OPTIONAL):
        return NoneValue(value.span, Pointer(None, Memory.KERNEL))
    if isinstance(value.type, Static) and isinstance(value.type.value, Declaration):
        return MapAddress(value.span, Pointer(None, Memory.KERNEL), value.type.value)
    if param.ends(("__ign",)):
        return _address(scope, value, node)
    _refuse_arena(scope, param, value, node)
    if isinstance(value.type, Pointer) and _goes(scope, value.type, param.type.target):
        return value
    own = isinstance(value.type, Pointer) and value.type.memory in OWN
    own = own and value.type.target not in SPECIAL  # what the kernel keeps is no memory of numbers
    plain = own and scope.target.types.is_plain(param.type.target)
    if _memory(param.type.target) or (with_size and own) or plain:
        place = buffer(scope, node)
        if not with_size:
            _refuse_short(scope, param, place.type, node)
        return Address(scope.span(node), Pointer(place.type, Memory.STACK), place)
    wanted = describe(param.type.target)
    name = getattr(param.type.target, "name", "")
    behind = is_context(value.type) and (name.endswith("_kern") or name in BEHIND.values())
    hint = AS_KERNEL.format(name) if behind else ""
    raise scope.error(node, f"{param.name} is {wanted}, not {describe(value.type)}", hint)


def _text(scope: Scope, param: Parameter, node: ast.expr) -> Expr:
    """Text that is known while compiling. Raises CompileError where it is not."""
    text = known(scope, node)
    if not isinstance(text, str) or "\0" in text:
        hint = 'write it out, or capture it, as in NAME = "user.name" above the program'
        raise scope.error(node, f"{param.name.removesuffix(TEXT[0])} is text", hint)
    return ConstantText(scope.span(node), Pointer(char, Memory.CONSTANT), text.encode() + b"\0")


def _refuse_arena(scope: Scope, param: Parameter, value: Expr, node: ast.expr) -> None:
    """Refuse an arena, and a part of one, as an argument."""
    if isinstance(value.type, Pointer) and value.type.memory is Memory.ARENA:
        problem = f"{param.name} is no part of an arena: functions of the kernel take none"
        hint = "copy what it needs; nothing is to be allocated, for it has its pages as they are written"
        raise scope.error(node, problem, hint)


def _is_text(param: Parameter) -> bool:
    """Whether it is the address of text, wherever that lies."""
    to = param.type.target if isinstance(param.type, KernelPointer) else None
    return to is char and param.ends(("__ign",))


def _address(scope: Scope, value: Expr, node: ast.expr) -> Expr:
    """Any address, which the verifier does not look at: a pointer, or a number."""
    if isinstance(value.type, Pointer) and not isinstance(value.type.target, IntType):
        return value
    span = scope.span(node)
    number_of = converted(scope, value, u64, node, wrap=True)
    return Binary(span, Pointer(None, Memory.PROBE), "pointer", number_of, Const(span, u64, 0))


def _refuse_short(scope: Scope, param: Parameter, given: Type, node: ast.expr) -> None:
    """Refuse memory that is shorter than the numbers that a function finds or leaves there."""
    target = param.type.target
    if isinstance(target, KernelStruct) and given.size < target.size:
        problem = f"{param.name} is the place of {describe(target)}, {target.size} bytes, not of {type_name(given)}"
        raise scope.error(node, problem, "give it a Struct of yours with the fields of that")
    if isinstance(target, IntType) and given.size < target.size:
        problem = f"{param.name} is the place of {target!r}, not of {type_name(given)}"
        raise scope.error(node, problem, f"give it {target!r}[1](), or a field")


def _goes(scope: Scope, given: Pointer, wanted: Type) -> bool:
    """Whether a pointer is what a parameter takes."""
    if given.memory is Memory.CONTEXT:
        return not isinstance(wanted, KernelStruct) or wanted.name == scope.kind.struct
    if not isinstance(wanted, KernelStruct):
        return given.memory not in (Memory.PROBE, Memory.USER) and wanted is None
    named = getattr(given.target, "btf_name", "") == wanted.name
    own = given.memory in OWN and (wanted.name.startswith(LOOSE) or named)
    names = (wanted.name, BEHIND.get(wanted.name, wanted.name))
    is_one = isinstance(given.target, KernelStruct) and any(
        scope.target.types.begins(given.target, name) for name in names
    )
    return own or is_one


def _memory(wanted: Type) -> bool:
    """Whether a parameter is memory without a struct of the kernel's."""
    return wanted is None or isinstance(wanted, IntType)


def _result(name: str, kind: Type, args: tuple[Expr, ...]) -> Type:
    """The result: a pointer may be None, as far as is known."""
    if isinstance(kind, KernelPointer):
        target, what = kind.target, f"the result of {name}()"
        if name in NUMBERS:
            return Pointer(target, Memory.VALUE, what=what)
        like = args[2].type if name in SLICES else None
        if isinstance(like, Pointer):
            return Pointer(like.target, SLICES[name], nullable=True, what=what, align=1)
        memory = Memory.KERNEL if isinstance(target, KernelStruct) else Memory.PROBE
        return Pointer(target, memory, nullable=True, what=what)
    return register(kind) if isinstance(kind, IntType) else VOID
