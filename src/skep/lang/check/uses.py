"""Expressions under what is known at a point: reading through None, variables without a value, records after their end.

``condition`` tells what is known on either side of a branch.
"""

from collections.abc import Callable

from skep.base.errors import CompileError
from skep.lang.check.loans import refuse_unnamed
from skep.lang.check.state import State, merge
from skep.lang.object_calls import ObjectCall
from skep.lang.tree import (
    Address,
    Atomic,
    Binary,
    Build,
    Compare,
    Convert,
    Copy,
    Expr,
    HelperCall,
    IsNone,
    KernelCall,
    Load,
    Local,
    Logic,
    MapCall,
    Not,
    Once,
    Opaque,
    Place,
    ReferenceCall,
    Release,
    Reserve,
    Select,
    Spill,
    SubCall,
    Swap,
    Together,
    View,
    Write,
)
from skep.lang.values import GIVEN, Pointer

Part = Expr | Place


def parts(node: Expr) -> tuple[Part, ...]:
    """What an expression of fixed evaluation reads: its operands and places."""
    match node:
        case Load(place=place) | Address(place=place):
            return (place,)
        case Binary(left=left, right=right) | Compare(left=left, right=right):
            return left, right
        case (
            Convert(operand=operand)
            | Swap(operand=operand)
            | IsNone(operand=operand)
            | Once(operand=operand)
            | Opaque(operand=operand)
            | Spill(value=operand)
        ):
            return (operand,)
        case Together(items=items):
            return items
        case View(context=context, offset=offset):
            return context, offset
        case Atomic(place=place, operand=operand, expected=expected):
            return (place, operand) if expected is None else (place, operand, expected)
        case Build(stores=stores):
            given = (s for s in stores if not isinstance(s, Write))
            return tuple(s.source if isinstance(s, Copy) else s.value for s in given)
    return ()


Effects = Callable[[State, Expr], State]
"""The state after an expression was evaluated."""


def unchanged(state: State, _node: Expr) -> State:
    """For conditions whose effects are counted elsewhere."""
    return state


def condition(state: State, node: Expr, after: Effects = unchanged) -> tuple[State, State]:
    """The states where a condition holds and where it does not. Raises CompileError.

    What an operand does is counted before the next one is checked, and on the paths on which it is evaluated.
    """
    match node:
        case Not(operand=operand):
            then, other = condition(state, operand, after)
            return other, then
        case IsNone(operand=Local(name=name)):
            expr(state, node.operand)
            return state.missing(name), state.found(name)
        case Logic(op=op, operands=operands):
            return _logic(state, op, operands, after)
    expr(state, node)
    state = after(state, node)
    return state, state


def _logic(
    state: State, op: str, operands: tuple[Expr, ...], after: Effects
) -> tuple[State, State]:
    going, done = state, None
    for operand in operands:
        then, other = condition(going, operand, after)
        going, leaving = (then, other) if op == "and" else (other, then)
        done = merge(done, leaving)
    decided = done or state
    return (going, decided) if op == "and" else (decided, going)


def expr(state: State, node: Expr) -> None:
    """Check an expression. Raises CompileError."""
    match node:
        case Local():
            _local(state, node)
        case Logic() | Not():
            condition(state, node)
        case Select(test=test, then=then, other=other):
            yes, no = condition(state, test)
            expr(yes, then)
            expr(no, other)
        case Release(pointer=pointer):
            need(state, pointer)
        case IsNone(operand=HelperCall() | KernelCall() as operand):
            refuse_unnamed(operand)
            expr(state, operand)
        case Reserve():
            hint = "assign it to a variable, and test that with `is None`"
            raise CompileError("a reserved record needs a name", node.span, hint)
        case (
            HelperCall(args=args)
            | SubCall(args=args)
            | MapCall(args=args)
            | ReferenceCall(args=args)
            | ObjectCall(args=args)
            | KernelCall(args=args)
        ):
            via = (node.via,) if isinstance(node, MapCall) and node.via else ()
            may = _optional(node)
            for at, argument in enumerate((*via, *args)):
                (expr if at in may else need)(state, argument)
        case _:
            for part in parts(node):
                place(state, part) if isinstance(part, Place) else expr(state, part)


def _optional(node: Expr) -> frozenset[int]:
    """Which arguments of a call may be None: those that a global function says to test itself."""
    if not isinstance(node, SubCall) or not node.function.is_global:
        return frozenset()
    kinds = (parameter.type for parameter in node.function.parameters)
    return frozenset(
        i for i, kind in enumerate(kinds) if isinstance(kind, Pointer) and kind.nullable
    )


def _local(state: State, node: Local) -> None:
    name, action = node.name, state.released.get(node.name)
    if action is not None:
        problem = f"{name!r} is used after {name}.{action}()"
        raise CompileError(problem, node.span, f"{action}() ends the record")
    if name not in state.assigned:
        problem = f"{name!r} has no value here on some path"
        raise CompileError(problem, node.span, f"assign {name} before the branch or loop")


def place(state: State, where: Place) -> None:
    """Check what a place is reached through. Raises CompileError."""
    need(state, where.base)
    if where.index is not None:
        expr(state, where.index)


def need(state: State, pointer: Expr) -> None:
    """Check an expression that must not be None. Raises CompileError."""
    expr(state, pointer)
    if isinstance(pointer, Local) and pointer.name in state.loans.lost:
        problem, hint = state.loans.lost[pointer.name]
        raise CompileError(problem, pointer.span, hint)
    kind = pointer.type
    if not isinstance(kind, Pointer) or not kind.nullable:
        return
    what = kind.what or "it"
    if not isinstance(pointer, Local):
        problem = f"{what} may give None, which must be checked first"
        hint = "assign it to a variable, and test that with `is None`"
        raise CompileError(problem, pointer.span, hint)
    if pointer.name in state.present:
        return
    sure = "is" if pointer.name in state.absent else "may be"
    fails = "any caller may give it None" if what is GIVEN else f"{what} can fail"
    why = f"{fails}, so it must be checked before you use what it points at"
    hint = f"add `if {pointer.name} is None: return` before this line"
    raise CompileError(f"{pointer.name!r} {sure} None here: {why}", pointer.span, hint)
