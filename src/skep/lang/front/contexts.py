"""What a program may see and set of its context, by its kind: the verifier's window, told before the verifier looks.

The rules are rows of the table of kinds; here they become errors at the user's line.
"""

import ast

from skep.lang.front.scope import Scope
from skep.lang.spec import Context, Hook
from skep.lang.struct import StructType
from skep.lang.tree import Const, Expr, Place
from skep.lang.types import u32
from skep.lang.values import ALLOCATED, KernelPointer, KernelStruct, Memory, Pointer, Type

METADATA = "data_meta"
SHOWN = 3
UNTOLD = ("_pad", "common_", "__syscall_nr")
"""How the names of fields begin that no error offers."""
TRACKED, MARKING = ("nf_conn", "nf_conn___init"), (Hook.XDP, Hook.TCX)
"""Tracked connections, and where they are marked (Linux 6.0)."""


def seen(scope: Scope, pointer: Pointer, name: str, node: ast.AST) -> None:
    """Raises CompileError where a field of the context is not for this kind of program."""
    if pointer.memory is not Memory.CONTEXT or not _is_context(scope, pointer):
        return
    if scope.kind.packet and name in (*scope.kind.ends, METADATA):
        problem = f"{name!r} is an end of the packet, which only view() reads through"
        hint = "ctx.view(Type, offset); the packet's length is len(ctx)"
        if name == METADATA:
            problem = f"{name!r} is where metadata begins, which only metadata() reads through"
            hint = "ctx.metadata(Type, offset)"
        raise scope.error(node, problem, hint)
    if name in scope.kind.hides:
        problem = f"{scope.kind.name} programs do not see {name!r} of their context"
        raise scope.error(node, problem, "the kernel shows it to other kinds of programs only")


def settable(scope: Scope, place: Place, node: ast.AST) -> None:
    """Raises CompileError where a place of the context or of a packet cannot be set by this kind of program."""
    base = place.base.type
    if isinstance(base, Pointer) and base.memory is Memory.PACKET and scope.kind.sealed:
        problem = f"{scope.kind.name} programs cannot change the packet"
        raise scope.error(node, problem, "xdp and tc programs can")
    if not isinstance(base, Pointer) or base.memory is not Memory.CONTEXT:
        return
    if isinstance(base.target, StructType) and scope.kind.context is Context.OWN:
        return
    members = [_extent(scope, base, name) for name in scope.kind.writes]
    if any(at <= place.offset and place.offset + place.type.size <= end for at, end in members):
        return
    hint = f"they set {', '.join(scope.kind.writes)}" if members else "they set none of its fields"
    problem = f"{scope.kind.name} programs cannot set this field of their context"
    raise scope.error(node, problem, hint)


def changes_objects(scope: Scope, place: Place) -> bool:
    """Whether programs of this kind may set fields of such kernel objects; which ones, the verifier knows."""
    base = place.base.type
    if not isinstance(base, Pointer) or base.memory is not Memory.KERNEL:
        return False
    tracked = isinstance(base.target, KernelStruct) and base.target.name in TRACKED
    return scope.kind.hook is Hook.STRUCT_OPS or (tracked and scope.kind.hook in MARKING)


def numbered(scope: Scope, base: Expr, node: ast.AST) -> None:
    """Raises CompileError where an element or a part of the context itself is named."""
    kind = base.type
    if not isinstance(kind, Pointer) or kind.memory is not Memory.CONTEXT:
        return
    if isinstance(kind.target, StructType | KernelStruct):
        raise scope.error(
            node, "the context has fields, which are not numbered", _named(scope, kind)
        )


def fixed(scope: Scope, base: Expr, index: Expr, node: ast.AST) -> None:
    """Raises CompileError where an index into the context, or into an object, is not known while compiling."""
    kind = base.type
    if isinstance(kind, Pointer) and kind.memory in ALLOCATED and not isinstance(index, Const):
        problem = "an index into an allocated object is a constant: the verifier follows no other"
        raise scope.error(node, problem, "keep what is indexed in a map's value, and its key here")
    if isinstance(kind, Pointer) and kind.memory is Memory.CONTEXT and not isinstance(index, Const):
        problem = "an index into the context is a constant: the verifier follows no other"
        raise scope.error(node, problem, "write a branch for each element")


def _named(scope: Scope, context: Pointer) -> str:
    """A hint that names the first fields of the context."""
    if isinstance(context.target, StructType):
        names = [field.name for field in context.target.fields]
    else:
        names = visible(scope, context, scope.target.types.members(context.target))
    shown = [name for name in names if not name.startswith(UNTOLD)][:SHOWN]
    named = f"write the name of one: {', '.join(f'ctx.{name}' for name in shown)}, ..."
    return f"{named}; the packet is read by ctx.view(Type, offset)" if scope.kind.packet else named


def visible(scope: Scope, pointer: Pointer, names: list[str]) -> list[str]:
    """Those of a struct's fields that this kind of program sees."""
    if pointer.memory is not Memory.CONTEXT or not _is_context(scope, pointer):
        return names
    ends = (*scope.kind.ends, METADATA) if scope.kind.packet else ()
    return [name for name in names if name not in (*scope.kind.hides, *ends)]


def ends(scope: Scope) -> tuple[int, int, bool]:
    """The offsets of the two ends of the packet in the context, and whether they are whole pointers there."""
    struct = scope.target.types.struct(scope.kind.struct)
    found = [
        scope.target.types.member(struct, name) if struct else None for name in scope.kind.ends
    ]
    first, last = (member.offset if member else 0 for member in found)
    return (
        first,
        last,
        any(m is not None and m.type is not None and m.type.size > u32.size for m in found),
    )


def metadata(scope: Scope) -> tuple[int, int, bool] | None:
    """The same of what stands before the packet; None where programs of this kind do not see it."""
    struct = scope.target.types.struct(scope.kind.struct)
    begin = scope.target.types.member(struct, METADATA) if struct else None
    if begin is None or not scope.kind.packet or METADATA in scope.kind.hides:
        return None
    end, _, wide = ends(scope)
    return begin.offset, end, wide


BUFFERS = {"key": Memory.CONSTANT, "value": Memory.VALUE}
"""What an iterator over a map is given of an element, and how it may be used."""


def followed(scope: Scope, stored: KernelPointer, node: ast.AST) -> Type:
    """The pointer in a field of the context: whether it may be None, and whether what it leads to may be changed."""
    if stored.user:
        return Pointer(stored.target, Memory.USER)
    name = node.attr if isinstance(node, ast.Attribute) else ""
    if not isinstance(stored.target, KernelStruct):
        buffer = BUFFERS.get(name) if scope.kind.context is Context.ITERATOR else None
        what = "a pointer of the context" if buffer else ""
        return Pointer(stored.target, Memory.PROBE, what=what, buffer=buffer)
    memory = Memory.VALUE if name in scope.kind.changes else Memory.KERNEL
    sure = name in scope.kind.present
    return Pointer(stored.target, memory, nullable=not sure, what="a pointer of the context")


def _is_context(scope: Scope, pointer: Pointer) -> bool:
    target = pointer.target
    return isinstance(target, KernelStruct) and target.name == scope.kind.struct


def _extent(scope: Scope, pointer: Pointer, name: str) -> tuple[int, int]:
    member = scope.target.types.member(pointer.target, name)
    return (member.offset, member.offset + member.type.size) if member and member.type else (0, 0)
