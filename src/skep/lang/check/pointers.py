"""What the verifier surely refuses of pointers: addresses that are computed with, and objects that nobody acquired.

A value is followed through conversions that keep all of it, and through variables that are set once.
"""

from collections.abc import Callable, Sequence
from typing import Any

from skep.base.errors import CompileError
from skep.lang.check.loans import ACQUIRES, RELEASES
from skep.lang.tree import (
    Argument,
    Assign,
    Binary,
    Convert,
    Expr,
    For,
    Function,
    HelperCall,
    KernelCall,
    Load,
    Local,
    Node,
    Once,
    Opaque,
    SubCall,
    statements,
)
from skep.lang.types import IntType
from skep.lang.values import ALLOCATED, BELONGING, Memory, Pointer

FOLLOWED = frozenset(
    {
        *(Memory.KERNEL, Memory.STACK, Memory.VALUE, Memory.RECORD),
        *(Memory.PACKET, Memory.CONTEXT, *ALLOCATED, *BELONGING),
    }
)
"""Memory whose addresses are no numbers to the verifier."""
REFUSED = frozenset({"*", "//", "%", "<<", ">>", "&", "|", "^"})
"""What it lets no program do with them."""
WORD = 64
NUMBER = "what memory holds is a number, as is u64(skep.get_current_task())"
"""Where an address comes from that the verifier does not follow."""

Source = Callable[[Expr], Expr]
"""What a value was before it was converted, or kept in a variable; of a parameter of a function, that parameter."""


def refuse_misused(function: Function) -> None:
    """Raises CompileError at an address that is used as a number, or what is given back and was not acquired."""
    values = _set_once(function)

    def source(value: Expr) -> Expr:
        """What a value was before it was converted, or kept in a variable."""
        while True:
            match value:
                case Once(operand=operand) | Opaque(operand=operand):
                    value = operand
                case Convert(operand=operand, type=IntType(bits=64)):
                    value = operand
                case Local(name=name) if name in values:
                    value = values[name]
                case _:
                    return value

    for node in function.nodes:
        rule = RULES.get(type(node))
        if rule is not None:
            rule(node, source)


def _set_once(function: Function) -> dict[str, Expr]:
    """The variables that are set at one place alone, and what to: neither parameters nor the numbers of loops."""
    values: dict[str, list[Expr]] = {}
    others = set() if function.entry else {parameter.name for parameter in function.parameters}
    for node in statements(*function.body):
        if isinstance(node, Assign):
            values.setdefault(node.name, []).append(node.value)
        elif isinstance(node, For):
            others.add(node.name)
    once = {name: found[0] for name, found in values.items() if len(found) == 1}
    return {name: value for name, value in once.items() if name not in others}


def _is_address(value: Expr) -> bool:
    """Whether a value is the address of what the verifier follows."""
    if not isinstance(value, Binary) or value.op != "address":
        return False
    kind = value.left.type
    return isinstance(kind, Pointer) and kind.memory in FOLLOWED


def _computed(node: Binary, source: Source) -> None:
    """Refuse arithmetic on an address."""
    wide = isinstance(node.type, IntType) and node.type.bits == WORD
    if node.op in REFUSED and wide and any(_is_address(source(s)) for s in (node.left, node.right)):
        problem = f"the address of an object is no number to the verifier: {node.op} is not for it"
        hint = "it is stored and compared as it is, and may be a key; compute with it in Python"
        raise CompileError(problem, node.span, hint)


def _passed(node: SubCall, source: Source) -> None:
    """Refuse an address as an argument of a global function."""
    if node.function.is_global:
        hint = "pass the numbers that the function needs, or leave @skep.global_function out"
        _refuse_addresses(node.args, hint, source)


def _refuse_addresses(args: Sequence[Expr], hint: str, source: Source) -> None:
    for argument in args:
        if isinstance(argument.type, IntType) and _is_address(source(argument)):
            problem = (
                "the address of an object is no number to the verifier, so it is not passed as one"
            )
            raise CompileError(problem, argument.span, hint)


def _called(node: KernelCall, source: Source) -> None:
    """Refuse an address where a function of the kernel takes a number, and to give back what nobody acquired."""
    _refuse_addresses(node.args, NUMBER, source)
    _released(node, source)


def _released(node: HelperCall | KernelCall, source: Source) -> None:
    """Refuse to give back what is an argument of the program, or a field of another object."""
    name = node.helper.name if isinstance(node, HelperCall) else node.name
    if name not in RELEASES or name in ACQUIRES or not node.args:
        return
    given = source(node.args[0])
    kind = given.type
    borrowed = isinstance(kind, Pointer) and kind.memory is Memory.KERNEL
    if borrowed and isinstance(given, Argument | Load):
        acquired = " or ".join(f"{one}()" for one, by in ACQUIRES.items() if by == name)
        problem = f"{name}() gives back what this program did not acquire"
        raise CompileError(problem, node.span, f"what {acquired} gave is given back, once")


RULES: dict[type[Node], Callable[[Any, Source], None]] = {
    Binary: _computed,
    SubCall: _passed,
    HelperCall: _released,
    KernelCall: _called,
}
