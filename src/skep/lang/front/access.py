"""Memory in the front end: fields of structs, elements of arrays, and what a place in memory is as a value."""

import ast
from dataclasses import replace
from math import gcd
from typing import cast

from skep.base.errors import CompileError
from skep.lang.bounds import Bound, most
from skep.lang.front import contexts, instead
from skep.lang.front.integers import converted, loaded, number
from skep.lang.front.looked_for import meant
from skep.lang.front.scope import Scope
from skep.lang.layout import Bitfield, Field
from skep.lang.located import Located
from skep.lang.struct import StructType
from skep.lang.tree import (
    Address,
    Binary,
    Const,
    Convert,
    Expr,
    Load,
    Opaque,
    Place,
)
from skep.lang.types import ArrayType, IntType, char, u8, u32, u64
from skep.lang.values import (
    ALLOCATED,
    NONE,
    UNKNOWN,
    WRITABLE,
    KernelPointer,
    KernelStruct,
    Literal,
    Memory,
    Pointer,
    Type,
    describe,
)

WORD = 8
OFFSET, LENGTH = 0xFFFF, 16
"""Of the number of a field that is elsewhere: what its offset is of it, and where its length begins."""
ENDLESS = 1 << 31
"""For the indices of an array whose length the kernel's types do not tell: one at the end of a struct."""
FINITE = frozenset({Memory.STACK, Memory.VALUE, Memory.RECORD, Memory.PACKET})
"""Memory whose ends the verifier watches."""


def value_at(scope: Scope, place: Place, node: ast.AST) -> Expr:
    """What stands at a place: a number or pointer is loaded, an array or struct is its address."""
    memory = memory_of(place)
    match place.type:
        case IntType() as kind if issubclass(kind, Located):
            return _located(scope, place, kind, node)
        case IntType():
            return loaded(scope, place, node)
        case KernelPointer() as stored:
            context = memory is Memory.CONTEXT
            kind = contexts.followed(scope, stored, node) if context else _followed(stored, memory)
            return Load(scope.span(node), kind, place)
        case _:
            return Address(
                scope.span(node), Pointer(place.type, memory, align=aligned(place)), place
            )


def _located(scope: Scope, place: Place, kind: type[Located], node: ast.AST) -> Expr:
    """The pointer to what a field of a tracepoint's record says is behind it."""
    span, zero = scope.span(node), Const(scope.span(node), u64, 0)
    offset = Binary(span, u32, "&", _word(place), Const(span, u32, OFFSET))
    begin = place.offset + u32.size if kind.relative else 0
    record = Binary(span, u64, "address", place.base, zero)
    at = Binary(span, u64, "+", record, Const(span, u64, begin)) if begin else record
    at = Binary(span, u64, "+", at, Convert(span, u64, offset))
    return Binary(span, Pointer(kind.element, Memory.PROBE), "pointer", at, zero)


def located_length(scope: Scope, node: ast.expr) -> Expr | None:
    """How many bytes such a field has; None where an expression is none."""
    place = place_of(scope, node) if isinstance(node, ast.Attribute) else None
    if place is None or not (isinstance(place.type, type) and issubclass(place.type, Located)):
        return None
    span = scope.span(node)
    return Binary(span, u32, ">>", _word(place), Const(span, u32, LENGTH))


def _word(place: Place) -> Expr:
    """The number that such a field is."""
    return Load(place.span, u32, replace(place, type=u32))


def aligned(place: Place) -> int:
    """What the address of a place is a multiple of, up to a word."""
    base = place.base.type.align if isinstance(place.base.type, Pointer) else WORD
    return gcd(WORD, base, place.offset, place.stride if place.index is not None else WORD)


def memory_of(place: Place) -> Memory:
    """The memory in which a place lies."""
    kind = place.base.type
    return kind.memory if isinstance(kind, Pointer) else Memory.PROBE


def _followed(stored: KernelPointer, memory: Memory) -> Type:
    """The pointer that lies in memory: the verifier knows where pointers of kernel objects lead, not others.

    One that lies in a process leads to what lies there, too.
    """
    if stored.user or memory is Memory.USER:
        return Pointer(stored.target, Memory.USER)
    known = isinstance(stored.target, KernelStruct)
    if memory is Memory.KERNEL and known:
        return Pointer(stored.target, Memory.KERNEL)
    return Pointer(stored.target, Memory.PROBE)


def step(scope: Scope, base: Expr, kind: Type, offset: int, node: ast.AST) -> Place:
    """The place ``offset`` bytes into what ``base`` points at; addresses of places are merged."""
    if isinstance(base, Address):
        inner = base.place
        return Place(
            scope.span(node), kind, inner.base, inner.offset + offset, inner.index, inner.stride
        )
    return Place(scope.span(node), kind, base, offset)


def field(scope: Scope, base: Expr, name: str, node: ast.AST) -> Place:
    """The place of a field. Raises CompileError where there is none."""
    pointer = base.type
    if pointer.memory is Memory.PER_CPU:
        hint = "value.field.set(object), then value.field.here() or on(cpu), and a test for None"
        raise scope.error(node, "an object of each CPU is reached where it is kept", hint)
    match pointer.target:
        case StructType() as struct:
            found = struct.field(name)
            if found is not None:
                return member(scope, base, found, node)
            problem = f"{struct.__name__} has no field {name!r}"
            raise scope.error(node, problem, meant(node, "", name, (f.name for f in struct.fields)))
        case KernelStruct() as struct:
            contexts.seen(scope, pointer, name, node)
            known = scope.target.types.member(struct, name)
            if known is not None and known.type is None:
                problem = f"field {name!r} of kernel struct '{struct.name}' has a type that programs do not know"
                raise scope.error(node, problem)
            if known is None or known.type is None:
                names = contexts.visible(scope, pointer, scope.target.types.members(struct))
                problem = f"kernel struct '{struct.name}' has no field {name!r}"
                raise scope.error(node, problem, meant(node, struct.name, name, names))
            place = step(scope, base, known.type, known.offset, node)
            if known.bits is None:
                return place
            return replace(place, bits=known.bits)
    raise without_fields(scope, pointer, node)


def without_fields(scope: Scope, kind: Type, node: ast.AST) -> CompileError:
    """The error of what has no fields, though it may be the address of something that has."""
    untyped = kind.target is None if isinstance(kind, Pointer) else kind is u64
    hint = 'give it a type: NAME = skep.kernel_struct("name") outside, then NAME(x).field'
    if kind is NONE and isinstance(node, ast.Attribute):
        hint, untyped = instead.of_absent(scope.optional, node.value), True
    return scope.error(node, f"{describe(kind)} has no fields", hint if untyped else "")


def member(scope: Scope, base: Expr, found: Field, node: ast.AST) -> Place:
    """The place of a member of a Struct."""
    place = step(scope, base, found.type, found.offset, node)
    if found.bits is None:
        return place
    return replace(place, bits=Bitfield(found.bits.shift, found.bits.width, place.type.size))


def element(scope: Scope, base: Expr, index: ast.expr, node: ast.AST) -> Place:
    """The place of an element of an array, or of what a pointer points at."""
    pointer = base.type
    if not isinstance(pointer, Pointer):
        problem = f"{describe(base.type)} cannot be indexed"
        raise scope.error(node, problem, instead.of_element(base.type, node))
    contexts.numbered(scope, base, node)
    if isinstance(index, ast.Slice):
        return _slice(scope, base, index, node)
    where = number(scope, index)
    contexts.fixed(scope, base, where, index)
    if isinstance(pointer.target, ArrayType):
        kind, count = pointer.target.element, pointer.target.count
        if isinstance(where, Const) and -count <= where.value < 0:
            where = replace(where, value=where.value + count)
        if isinstance(where, Const) and not 0 <= where.value < (count or ENDLESS):
            raise scope.error(index, f"index {where.value} is outside the array's 0..{count - 1}")
    else:
        kind = pointer.target if pointer.target is not None else u8
    if isinstance(where, Const) and not _is_endless(pointer.target):
        return step(scope, base, kind, where.value * kind.size, node)
    _limit(scope, base, where, index, node)
    return _moving(scope, base, kind, _within(base, where), node)


def _within(base: Expr, where: Expr) -> Expr:
    """An index that is what a call gives, which is never outside of the array, so that the verifier knows it."""
    kind, high = base.type.target, most(where)
    if high is None or not isinstance(kind, ArrayType) or base.type.memory not in FINITE:
        return where
    if high >= kind.count:
        return where
    return Binary(where.span, where.type, "&", where, Const(where.span, where.type, high))


def _moving(scope: Scope, base: Expr, kind: Type, where: Expr, node: ast.AST) -> Place:
    """The place of what is ``kind`` and begins with the element that a number names."""
    target = base.type.target
    stride = target.element.size if isinstance(target, ArrayType) else kind.size
    where = converted(scope, bounded(where), u64, node, wrap=True)
    inner = Place(scope.span(node), kind, base)
    if isinstance(base, Address) and base.place.index is None:
        inner = base.place
    owner = _probed(inner.base) if _is_endless(target) else inner.base
    return Place(scope.span(node), kind, owner, inner.offset, where, stride)


def _is_endless(kind: Type) -> bool:
    return isinstance(kind, ArrayType) and not kind.count


def _probed(base: Expr) -> Expr:
    """A kernel object that is read by probe: the verifier does not know where an array without a length ends."""
    if not isinstance(base.type, Pointer) or base.type.memory is not Memory.KERNEL:
        return base
    return replace(base, type=replace(base.type, memory=Memory.PROBE))


def told(scope: Scope, array: ArrayType, node: ast.AST) -> int:
    """How many elements an array has. Raises CompileError where the kernel's types do not tell."""
    if not array.count:
        hint = "the struct that ends with it has a field that counts them"
        raise scope.error(node, "the length of this array is not known", hint)
    return array.count


def _index_bound(where: Expr, index: ast.expr, last: int, length: int) -> Bound:
    """That an index is at most ``last``, behind which there is no room for ``length`` elements."""
    name = ast.unparse(index)
    masked, signed = not last & (last + 1), isinstance(where.type, IntType) and where.type.signed
    if most(where) is not None:
        hint = f"cut it off: min({name}, {last})"
    elif masked:
        hint = f"cut it off: {name} & {last}"
    elif signed:
        hint = f"make it a number without a sign, i = u64({name}), and test that: if i > {last}: return"
    else:
        hint = f"test it before: if {name} > {last}: return"
    begin = "an index" if length == 1 else f"where a part of {length} begins"
    problem = f"{begin} may lie outside of the array's 0..{last}: nothing limits {{}}"
    return Bound(where, last, problem, hint)


def _index_known(where: Expr, index: ast.expr, kind: Type) -> Bound:
    """That an index into a packet is known."""
    problem = "an index into a packet is a constant, or counted by a short loop"
    written = ast.unparse(index)
    at = f"({written})" if isinstance(index, ast.BinOp) else written
    at = at if getattr(kind, "size", 1) == 1 else f"{getattr(kind, 'size', 1)} * {at}"
    hint = f"take a view there, ctx.view({kind!r}, offset + {at}), and test it for None"
    return Bound(where, 0, problem, hint, known=True)


def _limit(
    scope: Scope, base: Expr, where: Expr, index: ast.expr, node: ast.AST, *, length: int = 1
) -> None:
    """Note what the verifier is to know of an index, of one element or of the first of several."""
    kind, memory = base.type.target, base.type.memory
    if not isinstance(kind, ArrayType):
        return
    within = isinstance(base, Address) and isinstance(base.place.base.type.target, KernelStruct)
    if memory is Memory.KERNEL and within and kind.count:
        scope.bounds.append(_index_of_object(where, index, kind, node))
    if memory in FINITE:
        scope.bounds.append(_index_bound(where, index, kind.count - length, length))
    if memory is Memory.PACKET:
        scope.bounds.append(_index_known(where, index, kind.element))


def _index_of_object(where: Expr, index: ast.expr, kind: ArrayType, node: ast.AST) -> Bound:
    """That an index into an array of an object of the kernel is known."""
    array = ast.unparse(node.value) if isinstance(node, ast.Subscript) else "array"
    problem = "an index into an object of the kernel is a constant, or counted by a short loop"
    hint = (
        f"copy it: a = {kind!r}(), skep.probe_read_kernel(a, {array}), and a[{ast.unparse(index)}]"
    )
    return Bound(where, 0, problem, hint, known=True)


def _slice(scope: Scope, base: Expr, index: ast.Slice, node: ast.AST) -> Place:
    """The place of a part of an array, as an array of its own."""
    whole = base.type.target
    if not isinstance(whole, ArrayType):
        raise scope.error(node, f"{describe(base.type)} has no parts: it is no array")
    if index.step is not None:
        raise scope.error(index.step, "a part of an array is whole: it has no step")
    begin = number(scope, index.lower) if index.lower else None
    if begin is not None and not isinstance(begin, Const):
        return _moving_part(scope, base, begin, index, node)
    first = _end(scope, index.lower, 0, whole.count)
    last = _end(scope, index.upper, whole.count, whole.count)
    if not 0 <= first < last <= whole.count:
        problem = f"the part {first}:{last} is empty, or not within 0:{whole.count}"
        raise scope.error(index, problem)
    part = ArrayType(whole.element, last - first)
    return step(scope, base, part, first * whole.element.size, node)


def _moving_part(scope: Scope, base: Expr, begin: Expr, index: ast.Slice, node: ast.AST) -> Place:
    """The place of a part of an array that begins where a number says, and has a constant length."""
    whole, lower, length = base.type.target, cast("ast.expr", index.lower), 0
    match index.upper:
        case ast.BinOp(left=left, op=ast.Add(), right=right) if _is_same(left, lower):
            length = _end(scope, right, 0, 0)
        case _:
            raise _no_length(scope, lower)
    if not 0 < length <= whole.count:
        problem = f"a part of {length} is empty, or longer than the array's {whole.count}"
        raise scope.error(index, problem)
    _limit(scope, base, begin, lower, node, length=length)
    return _moving(scope, base, ArrayType(whole.element, length), begin, node)


def _is_same(one: ast.expr, other: ast.expr) -> bool:
    """Whether two ends are written alike, and read what nothing changes between them."""
    calls = (isinstance(part, ast.Call | ast.NamedExpr) for part in ast.walk(one))
    return ast.dump(one) == ast.dump(other) and not any(calls)


def _no_length(scope: Scope, node: ast.expr) -> CompileError:
    problem = "a part of an array has a constant length"
    return scope.error(node, problem, "its ends are constants, or written so: a[i : i + 8]")


def _end(scope: Scope, node: ast.expr | None, otherwise: int, count: int) -> int:
    """An end of a part: a constant, counted from the end of the array where it is negative."""
    if node is None:
        return otherwise
    value = number(scope, node)
    if not isinstance(value, Const):
        raise _no_length(scope, node)
    return value.value + count if value.value < 0 else value.value


def bounded(index: Expr) -> Expr:
    """An index whose bound is written down, as in ``i & 7``: LLVM must not find that it follows from elsewhere.

    The verifier knows nothing of a remainder, so that ``i % 5`` is bounded once more.
    """
    match index:
        case Binary(op="%", right=Const(value=count), type=IntType()) if _is_no_mask(count):
            return _remainder(index, count - 1)
        case Binary(op="&" | "%" | "min", left=left, right=Const(), type=IntType()):
            return replace(index, left=Opaque(left.span, left.type, left))
        case Binary(op="+", left=left, right=right):
            return replace(index, left=bounded(left), right=bounded(right))
        case Convert(operand=operand):
            return replace(index, operand=bounded(operand))
    return index


def _is_no_mask(count: int) -> bool:
    """Whether a remainder by a positive number is no mask."""
    return count > 0 and count & (count - 1) != 0


def _remainder(index: Expr, last: int) -> Expr:
    """``index``, which is at most ``last``, as the verifier sees it too."""
    span = index.span
    rest = Opaque(span, u64, Convert(span, u64, index))
    return Convert(span, index.type, Binary(span, u64, "min", rest, Const(span, u64, last)))


def place_of(scope: Scope, node: ast.expr) -> Place | None:
    """The place that an attribute or subscript names; None where it names no memory."""
    return place_in(scope, owner(scope, node), node)


def owner(scope: Scope, node: ast.expr) -> Expr | None:
    """What an attribute or subscript is one of; None where the syntax is another."""
    return scope.expr(node.value) if isinstance(node, ast.Attribute | ast.Subscript) else None


def place_in(scope: Scope, base: Expr | None, node: ast.expr) -> Place | None:
    """The place that ``place_of`` gives, where the owner was read before."""
    if base is None or not isinstance(base.type, Pointer):
        return None
    if isinstance(node, ast.Attribute):
        return field(scope, base, node.attr, node)
    return element(scope, base, node.slice, node) if isinstance(node, ast.Subscript) else None


def writable(scope: Scope, place: Place, node: ast.AST) -> Place:
    """The same place. Raises CompileError where a program may not write there."""
    memory = memory_of(place)
    allowed = memory in WRITABLE or contexts.changes_objects(scope, place)
    if place.base.type is not UNKNOWN and not allowed:
        raise scope.error(
            node,
            f"{memory.value} cannot be written by a program",
            "change it through a helper, or keep what you need in a map",
        )
    contexts.settable(scope, place, node)
    return place


def buffer(scope: Scope, node: ast.expr) -> Place:
    """An argument that is memory: an array, a struct, or a number that lies in memory."""
    place = _lying(scope, node)
    if memory_of(place) in ALLOCATED:
        problem = "helpers take no memory of an allocated object"
        raise scope.error(node, problem, "copy it into an array or a Struct of the program's own")
    return place


def handed(scope: Scope, node: ast.expr) -> Place:
    """The same as an argument of a helper, which reaches no arena."""
    place = buffer(scope, node)
    if memory_of(place) is Memory.ARENA:
        problem = "helpers take no memory of an arena"
        raise scope.error(node, problem, "give it a local array or Struct, and copy that")
    return place


def _lying(scope: Scope, node: ast.expr) -> Place:
    """The place of an argument that is memory."""
    place = place_of(scope, node)
    if place is not None and not isinstance(place.type, KernelPointer):
        return whole(scope, place, node)
    value = scope.expr(node)
    if isinstance(value.type, Pointer) and value.type.target is not None:
        return step(scope, value, value.type.target, 0, node)
    problem = f"memory is wanted here (a field, an array or a struct), not {describe(value.type)}"
    hint = ""
    if isinstance(value.type, IntType | Literal):
        kind = value.type if isinstance(value.type, IntType) else u64
        hint = f"a number that has an address is an array of one: n = {kind!r}[1](), which is read by n[0]"
    raise scope.error(node, problem, hint)


def whole(scope: Scope, place: Place, node: ast.AST) -> Place:
    """The same place. Raises CompileError where it is a bit field, which has no address."""
    if place.bits is not None:
        raise scope.error(node, "a bit field has no address", "copy it into a variable, or a field")
    return place


def is_text(kind: Type) -> bool:
    """Whether a type is an array of bytes or of text."""
    return isinstance(kind, ArrayType) and kind.element in (char, u8)
