"""Expressions: from Python's syntax tree to typed nodes. One function for each kind of syntax, in one table."""

import ast
import enum
import operator
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from skep.base.similar import similar
from skep.lang.capture import MISSING, resolve
from skep.lang.front import foreign, instead, tables
from skep.lang.front.access import element, field, value_at, without_fields
from skep.lang.front.calls import call
from skep.lang.front.comparisons import compare, compared, negated
from skep.lang.front.constants import static
from skep.lang.front.constants_of_c import constant_of_c
from skep.lang.front.integers import (
    binary,
    constant,
    converted,
    dereferenced,
    fitted,
    meeting,
    number,
    operation,
)
from skep.lang.front.kernel_variables import without_cpu
from skep.lang.front.map_methods import declared_by
from skep.lang.front.methods import is_map
from skep.lang.front.presence import enumerator, is_missing, is_named
from skep.lang.front.scope import Scope
from skep.lang.helpers import HELPERS
from skep.lang.kernel_names import KernelEnum
from skep.lang.kernel_variables import KernelVariable
from skep.lang.spec import MapType
from skep.lang.struct import StructType
from skep.lang.tree import (
    Const,
    Expr,
    IsNone,
    Logic,
    NoneValue,
    Not,
    Select,
    StaticValue,
)
from skep.lang.types import INTEGERS, ArrayType, IntType, char
from skep.lang.values import (
    BOOL,
    NONE,
    UNKNOWN,
    Literal,
    Pointer,
    Static,
    describe,
    join,
)

RECEIVER = "it is for programs of infrared receivers, a kind that there is not here"
IN_C = {
    "printk": "write print(...)",
    "map_lookup_elem": "write counts.lookup(key), with the name of the map",
    "map_update_elem": "write counts[key] = value, with the name of the map",
    "map_delete_elem": "write counts.delete(key), with the name of the map",
    "ringbuf_reserve": "write ring.reserve(), with the name of the ring",
    "ringbuf_reserve_dynptr": "write ring.reserve(size), with the name of a VariableRing",
    "ringbuf_submit_dynptr": "write record.submit(), with the name of the record",
    "ringbuf_discard_dynptr": "write record.discard(), with the name of the record",
    "dynptr_write": "write record.write(offset, data, size), with the name of the record",
    "seq_printf": "write print(..., file=ctx.meta.seq)",
    "perf_event_output": "write events.output(memory), with the name of a PerfBuffer",
    "trace_printk": "write print(...)",
    "for_each_map_elem": "write counts.for_each(function), with the name of the map",
    "loop": "write for i in range(n)",
    "kptr_xchg": "write value.task.set(task), with the field of a skep.TaskReference",
    **dict.fromkeys(
        ("sk_storage_get", "task_storage_get", "inode_storage_get", "cgrp_storage_get"),
        "write visits.get(owner), with the name of the storage",
    ),
    **dict.fromkeys(("rc_repeat", "rc_keydown", "rc_pointer_rel"), RECEIVER),
    "strncmp": 'compare arrays of text: comm == "sh", or comm.startswith("sh")',
    "ringbuf_submit": "write record.submit(), with the name of the record",
}
"""What stands for functions of C, by name without bpf_."""
SIGNS: dict[type[ast.unaryop], Callable[[int], int]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
UNSUPPORTED: dict[type[ast.expr], tuple[str, str]] = {
    ast.JoinedStr: (
        "f-strings are not part of the language",
        'print(f"...") takes one; else send numbers in a Record, and format them in Python',
    ),
    ast.Dict: (
        "dictionaries are not part of the language",
        "declare a skep.Hash outside the function",
    ),
    ast.List: (
        "lists are not part of the language",
        "make an array, numbers = u32[16](); what grows lies in a map",
    ),
    ast.Set: ("sets are not part of the language", "declare a skep.Hash outside the function"),
    ast.ListComp: (
        "comprehensions are not part of the language",
        "write a for loop over range(...)",
    ),
    ast.DictComp: (
        "comprehensions are not part of the language",
        "write a for loop over range(...)",
    ),
    ast.SetComp: (
        "comprehensions are not part of the language",
        "write a for loop over range(...)",
    ),
    ast.GeneratorExp: (
        "generators are not part of the language",
        "write a for loop over range(...)",
    ),
    ast.Lambda: ("lambdas are not part of the language", "write a function with def"),
    ast.Yield: ("yield is not part of the language", "put a record into a Ring instead"),
    ast.YieldFrom: ("yield is not part of the language", "put a record into a Ring instead"),
    ast.NamedExpr: (
        ":= stands in a condition of if or while only, first or behind and",
        "assign on a line of its own",
    ),
    ast.Starred: ("* is not part of the language here", "write the arguments out"),
    ast.Tuple: (
        "tuples are not part of the language",
        "use a Struct, or a name for each value: a, b = 1, 2",
    ),
    ast.Slice: ("slices are not part of the language here", "index one element at a time"),
}


def expression(scope: Scope, node: ast.expr) -> Expr:
    """The typed tree of an expression. Raises CompileError at what is outside the language."""
    rule = EXPRESSIONS.get(type(node))
    if rule is None:
        problem, hint = UNSUPPORTED.get(
            type(node), (f"{type(node).__name__} is not part of the language", "")
        )
        raise scope.error(node, problem, hint)
    return rule(scope, node)


def _constant(scope: Scope, node: ast.Constant) -> Expr:
    if isinstance(node.value, str | bytes):
        raise scope.error(
            node,
            "text is not a value of the language",
            'compare it with an array, as in comm == "sh", or set a field to it; what is put together '
            'of text stands outside: NAME = "ba" + "sh"',
        )
    return static(scope, node, node.value)


def _name(scope: Scope, node: ast.Name) -> Expr:
    variable = scope.variable(node.id, node)
    if variable is not None:
        return variable
    value = resolve(scope.function, node.id)
    if value is MISSING and node.id in scope.function.__code__.co_varnames:
        raise scope.error(node, f"{node.id!r} has no value here yet", f"assign {node.id} before")
    if node.id in scope.function.__code__.co_varnames:
        problem = f"{node.id!r} is assigned in this function, which makes it another variable than that outside"
        raise scope.error(node, problem, _hidden(node.id, value))
    if value is MISSING:
        raise scope.error(node, f"the name {node.id!r} is not defined here", _meant(scope, node.id))
    return static(scope, node, value)


def _hidden(name: str, value: Any) -> str:
    """What to do where a variable of a program hides something outside: numbers are changed, other things named."""
    if value is MISSING or isinstance(value, int | float | str | bytes | list | dict | set):
        return (
            "a program cannot change Python's variables: keep state in a map, or in a skep.Global"
        )
    return f"give the variable another name: {name} is what stands outside"


def _meant(scope: Scope, name: str) -> str:
    """What may stand for a name that is not defined: C's way to call the kernel, or one that is written like it."""
    plain = name.removeprefix("bpf_")
    if plain in HELPERS:
        return f"write skep.{plain}(...)"
    if name in (repr(kind) for kind in (*INTEGERS, char)):
        return f"write skep.{name}, or import it: from skep import {name}"
    known = constant_of_c(name)
    if known:
        return known
    near = similar(name, _names(scope))
    return IN_C.get(plain, f"did you mean {near!r}?" if near else "")


def _names(scope: Scope) -> Iterator[str]:
    """What is defined where an expression stands, but for what Python itself defines."""
    function = scope.function
    yield from function.__code__.co_varnames
    yield from function.__code__.co_freevars
    yield from function.__globals__


def _attribute(scope: Scope, node: ast.Attribute) -> Expr:
    base = scope.expr(node.value)
    if base.type is UNKNOWN:
        return base
    if isinstance(base.type, Static):
        owner = base.type.value
        if isinstance(owner, KernelEnum):
            return enumerator(scope, node, owner)
        if isinstance(owner, ModuleType | enum.EnumMeta | type) and hasattr(owner, node.attr):
            return static(scope, node, getattr(owner, node.attr))
        if isinstance(owner, KernelVariable):
            raise scope.error(node, *without_cpu(node, owner))
        raise scope.error(
            node,
            f"{describe(base.type)} has no {node.attr!r} that a program can use",
            _of_attribute(owner, node),
        )
    if node.attr == "value" and isinstance(base, Const) and _is_member(scope, node.value):
        return base
    if base.type is NONE or not isinstance(base.type, Pointer):
        raise without_fields(scope, base.type, node)
    return value_at(scope, field(scope, base, node.attr, node), node)


def _in_c(owner: Any, name: str) -> str:
    """What stands for a helper of C that has another form here; "" where it is none."""
    helpers = isinstance(owner, ModuleType) and owner.__name__ == "skep"
    return IN_C.get(name, "") if helpers else ""


def _of_attribute(owner: Any, node: ast.Attribute) -> str:
    """What to write in place of an attribute that a captured object has not, or that a program cannot use."""
    if not isinstance(owner, ModuleType):
        return foreign.of_attribute(owner, node)
    near = similar(node.attr, dir(owner))
    known = _in_c(owner, node.attr) or constant_of_c(node.attr)
    return known or (f"did you mean {near!r}?" if near else foreign.of_attribute(owner, node))


def _is_member(scope: Scope, node: ast.expr) -> bool:
    """Whether a number is a member of one of Python's enumerations."""
    owner = scope.expr(node.value) if isinstance(node, ast.Attribute) else None
    return owner is not None and isinstance(getattr(owner.type, "value", None), enum.EnumMeta)


def _subscript(scope: Scope, node: ast.Subscript) -> Expr:
    base = scope.expr(node.value)
    if base.type is UNKNOWN:
        return base
    if is_map(base):
        if declared_by(base).type is MapType.PROG_ARRAY:
            hint = f"{ast.unparse(node.value)}.call(ctx, {ast.unparse(node.slice)})"
            raise scope.error(node, "a program of an array is gone on in by call()", hint)
        raise scope.error(
            node,
            "a map is read with lookup(key), which may give None",
            f"value = {ast.unparse(node.value)}.lookup({ast.unparse(node.slice)})",
        )
    if isinstance(base.type, Static):
        if isinstance(base.type.value, tuple):
            return _element_of_tuple(scope, node, base.type.value)
        if isinstance(base.type.value, IntType | StructType):
            return _array_type(scope, node, base.type.value)
    return value_at(scope, element(scope, base, node.slice, node), node)


def _array_type(scope: Scope, node: ast.Subscript, kind: Any) -> Expr:
    count = scope.expr(node.slice)
    if not isinstance(count, Const) or count.value < 1:
        raise scope.error(node, f"{kind!r}[...] takes a constant number of elements of at least 1")
    return StaticValue(scope.span(node), Static(kind[count.value]))


def _element_of_tuple(scope: Scope, node: ast.Subscript, values: tuple[Any, ...]) -> Expr:
    if isinstance(node.slice, ast.Slice):
        return _part_of_tuple(scope, node.slice, values)
    index = number(scope, node.slice)
    if not isinstance(index, Const):
        return tables.chosen(scope, values, index, node)
    if not -len(values) <= index.value < len(values):
        raise scope.error(node, f"a tuple of {len(values)} has no element {index.value}")
    return static(scope, node, values[index.value])


def _part_of_tuple(scope: Scope, part: ast.Slice, values: tuple[Any, ...]) -> Expr:
    ends = [
        None if one is None else number(scope, one) for one in (part.lower, part.upper, part.step)
    ]
    if not all(one is None or isinstance(one, Const) for one in ends):
        raise scope.error(part, "the ends of a part of a tuple are constants")
    numbers = [one.value if isinstance(one, Const) else None for one in ends]
    return StaticValue(scope.span(part), Static(values[slice(*numbers)]))


def _binary(scope: Scope, node: ast.BinOp) -> Expr:
    op = operation(scope, node)
    return binary(scope, op, number(scope, node.left), number(scope, node.right), node)


def _unary(scope: Scope, node: ast.UnaryOp) -> Expr:
    if isinstance(node.op, ast.Not):
        return negated(scope, truth(scope, node.operand), node)
    value = number(scope, node.operand)
    if isinstance(value, Const) and isinstance(value.type, Literal):
        return constant(scope, node, SIGNS[type(node.op)](value.value))
    if isinstance(node.op, ast.UAdd):
        return value
    if isinstance(node.op, ast.Invert):
        return binary(scope, "^", value, constant(scope, node, -1), node)
    return binary(scope, "-", constant(scope, node, 0), value, node)


def truth(scope: Scope, node: ast.expr) -> Expr:
    """An expression as a condition."""
    if isinstance(node, ast.BoolOp):
        return _logic(scope, node)
    return as_truth(scope, scope.expr(node), node)


def is_text(kind: Pointer) -> bool:
    """Whether a pointer leads to text."""
    return isinstance(kind.target, ArrayType) and kind.target.element is char


def as_truth(scope: Scope, value: Expr, node: ast.AST) -> Expr:
    """A value as a condition: a number is compared with 0, a pointer with None."""
    if isinstance(value, Const):
        return Const(value.span, BOOL, int(value.value != 0))
    if isinstance(value.type, Pointer):
        if is_text(value.type) and not value.type.nullable:
            problem = f"{value.type.target!r} is no condition: it is there, though it may be empty"
            raise scope.error(node, problem, f"look at its first character: {ast.unparse(node)}[0]")
        return Not(scope.span(node), BOOL, IsNone(scope.span(node), BOOL, value))
    if value.type in (BOOL, UNKNOWN):
        return value
    if value.type is NONE or is_named(value.type):
        here = value.type is not NONE and not is_missing(scope, value.type)
        return Const(scope.span(node), BOOL, int(here))
    if isinstance(value.type, IntType | Literal):
        return compared(scope, "!=", value, constant(scope, node, 0), node)
    hint = "key in map asks whether it has an entry" if is_map(value) else ""
    raise scope.error(node, f"{describe(value.type)} is no condition", hint)


def _logic_value(scope: Scope, node: ast.BoolOp) -> Expr:
    """``and`` and ``or`` outside of a condition: of truth values only, for Python gives one of the two sides."""
    word = "and" if isinstance(node.op, ast.And) else "or"
    sides = [(side, scope.expr(side)) for side in node.values]
    for side, value in sides:
        if value.type not in (BOOL, UNKNOWN):
            problem = f"{word} takes truth values here, not {describe(value.type)}"
            nullable = isinstance(value.type, Pointer) and value.type.nullable
            named = "give it a name, and choose: x if x is not None else 0"
            raise scope.error(
                side, problem, named if nullable else "write a comparison, or x if test else y"
            )
    return _joined(scope, node, (as_truth(scope, value, side) for side, value in sides))


def _logic(scope: Scope, node: ast.BoolOp) -> Expr:
    return _joined(scope, node, (truth(scope, operand) for operand in node.values))


def _joined(scope: Scope, node: ast.BoolOp, operands: Iterator[Expr]) -> Expr:
    """Truth values joined by ``and`` or ``or``; none is read behind one that decides."""
    op = "and" if isinstance(node.op, ast.And) else "or"
    decided = int(op == "or")
    tests: list[Expr] = []
    for test in operands:
        if isinstance(test, Const):
            if test.value == decided:
                tests.append(test)
                break
            continue
        tests.append(test)
    if not tests:
        return Const(scope.span(node), BOOL, 1 - decided)
    return tests[0] if len(tests) == 1 else Logic(scope.span(node), BOOL, op, tuple(tests))


def _select(scope: Scope, node: ast.IfExp) -> Expr:
    test = truth(scope, node.test)
    if isinstance(test, Const) and test.type is BOOL:
        return scope.expr(node.body if test.value else node.orelse)
    then, other = scope.expr(node.body), scope.expr(node.orelse)
    then, other = dereferenced(scope, then, node.body), dereferenced(scope, other, node.orelse)
    numeric = all(
        isinstance(v.type, IntType | Literal) or v.type in (BOOL, UNKNOWN) for v in (then, other)
    )
    literal = isinstance(then.type, Literal) and isinstance(other.type, Literal)
    kind = (
        meeting(scope, then, other, node)
        if numeric and then.type != other.type and not literal
        else join(then.type, other.type)
    )
    if kind is None:
        problem = f"one side is {describe(then.type)}, the other {describe(other.type)}"
        raise scope.error(node, problem, instead.of_choice(then.type, other.type))
    then, other = _side(scope, then, kind, node.body), _side(scope, other, kind, node.orelse)
    return Select(scope.span(node), kind, test, then, other)


def _side(scope: Scope, value: Expr, kind: Any, node: ast.AST) -> Expr:
    """A side of a choice as the whole has it."""
    if isinstance(kind, IntType):
        return converted(scope, value, kind, node)
    if value.type is NONE and isinstance(kind, Pointer):
        return NoneValue(value.span, kind)
    return fitted(scope, value, kind, node)


def _call(scope: Scope, node: ast.Call) -> Expr:
    return call(scope, node)


EXPRESSIONS: dict[type[ast.expr], Callable[[Scope, Any], Expr]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _logic_value,
    ast.Compare: compare,
    ast.IfExp: _select,
    ast.Call: _call,
}
