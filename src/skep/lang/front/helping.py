"""Calls of kernel helpers and of the intrinsics: byte order and atomics."""

import ast
from typing import Any

from skep.base.errors import Span
from skep.lang.availability import lack
from skep.lang.bounds import Bound
from skep.lang.constant_text import ConstantText
from skep.lang.front import layouts
from skep.lang.front.access import handed, place_of, step, whole, writable
from skep.lang.front.integers import converted
from skep.lang.front.network_order import refuse_again, refuse_into
from skep.lang.front.scope import Scope
from skep.lang.front.structs import type_name
from skep.lang.front.texts import known
from skep.lang.helpers import HELPERS, Arg, Helper, KernelResult
from skep.lang.intrinsics import ATOMICS, LAYOUTS, SWAPS, TEXTS
from skep.lang.maps import Declaration
from skep.lang.tree import (
    Address,
    Atomic,
    Build,
    Const,
    ContextValue,
    Evaluate,
    Expr,
    HelperCall,
    MapAddress,
    NoneValue,
    Place,
    Slot,
    Swap,
)
from skep.lang.types import IntType, be16, char, s64, u8, u16, u64
from skep.lang.values import UNKNOWN, KernelStruct, Memory, Pointer, Static, describe

LONGEST = 256
SIZED = frozenset({Memory.STACK, Memory.VALUE, Memory.RECORD})
"""Memory that ends where its type does."""


def context(scope: Scope, node: ast.AST) -> Expr:
    """The program's context, wherever the function stands in it."""
    scope.context = True
    return ContextValue(scope.span(node), Pointer(None, Memory.CONTEXT))


def helper(scope: Scope, node: ast.Call, row: Helper) -> Expr:
    """A call of a helper. The context is never written, and sizes may be left out."""
    refuse_lacking(scope, node, row)
    written = [kind for kind in row.args if kind is not Arg.CONTEXT]
    sizes = written.count(Arg.SIZE)
    explicit = len(node.args) == len(written)
    if not explicit and len(node.args) != len(written) - sizes:
        sized = f", or {len(written)} with sizes" if sizes else ""
        fewest = len(written) - sizes
        wanted = f"{fewest or 'no'} argument{'s' if fewest != 1 else ''}{sized}"
        _refuse_context(scope, row, node)
        raise scope.error(node, f"{row.name}() takes {wanted}, not {len(node.args)}", usage(row))
    queue = list(node.args)
    args: list[Expr] = []
    writes: list[Place] = []
    for kind in row.args:
        if kind is Arg.CONTEXT:
            args.append(context(scope, node))
        elif kind is Arg.SIZE and not explicit:
            args.append(Const(args[-1].span, u64, _size(args[-1])))
        else:
            given = queue.pop(0)
            value = _helper_argument(scope, row, kind, given, writes)
            if kind is Arg.SIZE:
                size_bound(scope, row.name, (args[-1], value), given)
            if kind is Arg.OUT and row.writes:
                _refuse_size(scope, row, writes[-1], given)
            args.append(value)
    return HelperCall(
        scope.span(node), _helper_result(scope, node, row), row, tuple(args), tuple(writes)
    )


def _refuse_context(scope: Scope, row: Helper, node: ast.Call) -> None:
    """Refuse the context as the first argument, which it is in C."""
    first = scope.expr(node.args[0]) if node.args and Arg.CONTEXT in row.args else None
    if first is None or not isinstance(first.type, Pointer):
        return
    if first.type.memory is Memory.CONTEXT:
        problem = f"{row.name}() is given the context by itself"
        raise scope.error(node.args[0], problem, usage(row))


WORDS = {
    Arg.INT: "number",
    Arg.MAP: "map",
    Arg.OUT: "buffer",
    Arg.IN: "data",
    Arg.SIZE: "size",
    Arg.ADDRESS: "address",
    Arg.KERNEL: "object",
    Arg.VARIABLE: "variable",
    Arg.FUNCTION: "function",
}


def usage(row: Helper) -> str:
    """How a helper is called; the sizes of memory may be left out."""
    words = [WORDS[kind] for kind in row.args if kind is not Arg.CONTEXT]
    given = ", ".join(word for word in words if word != "size")
    buffer = "; buffer is a field, or an array: a = char[16]()" if "buffer" in words else ""
    return f"skep.{row.name}({given}){buffer}"


def refuse_lacking(scope: Scope, node: ast.AST, row: Helper) -> None:
    """Refuse a helper that this kind of program, or this kernel, has not. CompileError."""
    lacking = lack(row, scope.kind, scope.target.types.numbers("bpf_func_id"))
    if lacking is not None:
        raise scope.error(node, *lacking)


def _refuse_size(scope: Scope, row: Helper, place: Place, node: ast.AST) -> None:
    """Refuse memory for a number that is not of its size."""
    if place.type.size != row.writes:
        problem = f"{row.name}() writes a number of {row.writes} bytes, not {type_name(place.type)}"
        raise scope.error(node, problem, f"give it u{8 * row.writes}[1](), or a field")


def _size(argument: Expr) -> int:
    target = argument.type.target if isinstance(argument.type, Pointer) else None
    return int(target.size) if target is not None else 0


def size_bound(scope: Scope, name: str, pair: tuple[Expr, Expr], node: ast.expr) -> None:
    """That a size is at most that of the memory before it. Raises CompileError where it is known not to be."""
    memory, size = pair
    room = _room(memory.place) if isinstance(memory, Address) else 0
    if isinstance(memory, ConstantText):
        room = len(memory.data)
    if not room:
        return
    if isinstance(size, Const) and size.value > room:
        problem = f"{name}() is given {size.value} bytes of memory that has {room}"
        raise scope.error(node, problem, "leave the size out: it is then that of the memory")
    problem = f"{name}() takes at most the {room} bytes of this memory, and nothing limits {{}}"
    signed = not isinstance(size.type, IntType) or size.type.signed
    named = ast.unparse(node)
    hint = f"bound it: min({f'u64({named})' if signed else named}, {room})"
    scope.bounds.append(Bound(size, room, problem, hint))


def _room(place: Place) -> int:
    """The bytes from a place on, up to the end of what it lies in; 0 where that is not known."""
    kind = place.base.type
    if not isinstance(kind, Pointer) or kind.memory not in SIZED or place.index is not None:
        return 0
    whole = int(getattr(kind.target, "size", 0))
    return max(0, whole - place.offset)


def is_address(pointer: Pointer, kind: IntType) -> bool:
    """Whether a cast means the pointer: always, unless it stands for a number of the program's own.

    ``u64(bprm.filename)`` is where the name lies, ``u64(counts.lookup(key))`` is the count.
    """
    if not isinstance(pointer.target, IntType):
        return True
    return kind is u64 and pointer.memory in (Memory.KERNEL, Memory.PROBE, Memory.USER)


NOTHING = frozenset({"csum_diff", "redirect_neigh"})
"""Helpers that take None in place of memory."""


WITHOUT_NUL = frozenset({"sysctl_set_new_value"})
"""Helpers that take text without its NUL."""


def _helper_argument(
    scope: Scope, row: Helper, kind: Arg, node: ast.expr, writes: list[Place]
) -> Expr:
    span = scope.span(node)
    none = isinstance(node, ast.Constant) and node.value is None
    if none and kind is Arg.IN and row.name in NOTHING:
        return NoneValue(span, Pointer(None, Memory.KERNEL))
    text = known(scope, node) if kind is Arg.IN else None
    if text is not None:
        return _constant_text(scope, row, text, node)
    if kind in (Arg.OUT, Arg.IN):
        place = handed(scope, node)
        if kind is Arg.OUT:
            writes.append(writable(scope, place, node))
        return Address(span, Pointer(place.type, Memory.STACK), place)
    if kind is Arg.MAP:
        value = scope.expr(node)
        if isinstance(value.type, Static) and isinstance(value.type.value, Declaration):
            return MapAddress(span, Pointer(None, Memory.KERNEL), value.type.value)
        raise scope.error(node, f"a map is wanted here, not {describe(value.type)}")
    if kind is Arg.NETWORK:
        return _turned(scope, node)
    value = scope.expr(node)
    if isinstance(value.type, Pointer) and _is_passed(kind, value.type):
        return value
    if kind is Arg.KERNEL and value.type is not UNKNOWN:
        raise scope.error(node, f"a kernel object is wanted here, not {describe(value.type)}")
    return converted(scope, value, u64, node, wrap=True)


def _constant_text(scope: Scope, row: Helper, text: str | bytes, node: ast.expr) -> Expr:
    """Text or bytes that are known, as memory; text ends with a NUL, but where the kernel takes none."""
    data = text if isinstance(text, bytes) else text.encode()
    if isinstance(text, str) and 0 in data:
        raise scope.error(node, "text ends at its first NUL: it holds none")
    if not data:
        raise scope.error(node, f"{row.name}() takes memory, and there is nothing here")
    end = b"\0" if isinstance(text, str) and row.name not in WITHOUT_NUL else b""
    pointer = Pointer(u8[len(data + end)], Memory.CONSTANT)
    return ConstantText(scope.span(node), pointer, data + end)


def _turned(scope: Scope, node: ast.expr) -> Expr:
    """An ordinary number, as the kernel has it. Raises CompileError where the program turns it too."""
    refuse_into(scope, be16, node)
    value = converted(scope, scope.expr(node), u16, node)
    turned = _swapped(value, u16, scope.span(node))
    return converted(scope, turned, u64, node)


def _swapped(value: Expr, kind: IntType, span: Span) -> Expr:
    if isinstance(value, Const):
        swapped = int.from_bytes(value.value.to_bytes(kind.size, "little"), "big")
        return Const(value.span, kind, swapped)
    return Swap(span, kind, value)


def _is_passed(kind: Arg, given: Pointer) -> bool:
    """Whether a pointer itself is what a helper takes."""
    return kind is Arg.KERNEL or (kind is Arg.ADDRESS and is_address(given, u64))


def _helper_result(scope: Scope, node: ast.AST, row: Helper) -> Any:
    if isinstance(row.result, KernelResult):
        struct = given_struct(scope, node, row, row.result.struct)
        memory = Memory.PROBE if row.result.probe else Memory.KERNEL
        return Pointer(struct, memory, row.result.nullable, f"the result of {row.name}()")
    return row.result


def given_struct(scope: Scope, node: ast.AST, row: Helper, name: str) -> KernelStruct:
    """A struct that a helper gives. Raises CompileError where this kernel has none."""
    struct = scope.target.types.struct(name)
    if struct is None:
        raise scope.error(node, f"this kernel has no struct {name}, which {row.name}() gives")
    return struct


def intrinsic(scope: Scope, node: ast.Call, name: str) -> Expr:
    """A call of a function that the compiler lowers itself."""
    if name in TEXTS:
        return copied_text(scope, node, name)
    if name in LAYOUTS:
        return layouts.told(scope, node, name)
    return swap(scope, node, name) if name in SWAPS else atomic(scope, node, name)


def swap(scope: Scope, node: ast.Call, name: str) -> Expr:
    """A conversion of byte order."""
    (argument,) = scope.arguments(node, 1, 1, f"{name}()")
    kind, given = SWAPS[name], scope.expr(argument)
    refuse_again(scope, name, (argument, given), node)
    return _swapped(converted(scope, given, kind, argument, wrap=True), kind, scope.span(node))


def copied_text(scope: Scope, node: ast.Call, name: str) -> Expr:
    """``user_string(address, 64)``: the text at an address, as new memory of the program's."""
    address, length = scope.arguments(node, 2, 2, f"{name}()")
    size = scope.expr(length)
    if not isinstance(size, Const) or not 1 < size.value <= LONGEST:
        raise scope.error(length, f"{name}() takes a constant size of 2 to {LONGEST} bytes")
    value = scope.expr(address)
    users = isinstance(value.type, Pointer) and value.type.memory is Memory.USER
    kernels = isinstance(value.type, Pointer) and value.type.memory in (Memory.KERNEL, Memory.PROBE)
    if (users and name != "user_string") or (kernels and name != "kernel_string"):
        where, other = ("a process", "user_string") if users else ("the kernel", "kernel_string")
        raise scope.error(address, f"this is memory of {where}", f"write {other}(...)")
    span, kind, row = scope.span(node), char[size.value], HELPERS[TEXTS[name]]
    pointer, slot = Pointer(kind, Memory.STACK), scope.own_slot(node, kind)
    place = Place(span, kind, Slot(span, pointer, slot))
    if not isinstance(value.type, Pointer):
        value = converted(scope, value, u64, address)
    args = (Address(span, pointer, place), Const(span, u64, size.value), value)
    fill = Evaluate(span, HelperCall(span, s64, row, args, (place,)))
    return Build(span, pointer, slot, (fill,))


def atomic(scope: Scope, node: ast.Call, name: str) -> Expr:
    """An atomic operation."""
    count = 3 if name == "atomic_cmpxchg" else 2
    target, *operands = scope.arguments(node, count, count, f"{name}()")
    place = place_of(scope, target) or _behind(scope, target)
    if not isinstance(place.type, IntType) or place.type.bits < 32 or place.type.big_endian:
        raise scope.error(
            target,
            f"{name}() takes a number of 32 or 64 bits in memory, not {type_name(place.type)}",
        )
    if place.offset % place.type.size or (
        place.index is not None and place.stride % place.type.size
    ):
        problem = f"{name}() takes a number at a multiple of its size, and this Struct is packed"
        raise scope.error(target, problem, "put the number first, or into a Struct that is not")
    writable(scope, whole(scope, place, target), target)
    values = [
        converted(scope, scope.expr(operand), place.type, operand, wrap=True)
        for operand in operands
    ]
    if name == "atomic_cmpxchg":
        return Atomic(scope.span(node), place.type, "cmpxchg", place, values[1], values[0])
    return Atomic(scope.span(node), place.type, ATOMICS[name], place, values[0])


def _behind(scope: Scope, node: ast.expr) -> Place:
    value = scope.expr(node)
    if isinstance(value.type, Pointer) and isinstance(value.type.target, IntType):
        return step(scope, value, value.type.target, 0, node)
    if value.type is UNKNOWN:
        return Place(value.span, u64, value)
    raise scope.error(
        node, "an atomic operation takes a number in memory: a field, or what a lookup gave"
    )
