"""The types of a function as its debug information has them, from which the kernel's BTF of the program is made.

Of programs and of functions that are followed from where they are called, the verifier asks for the shape only. Of a
global function it learns from here alone what is passed: the width of a number, the size of a Struct, the context by
the name of its struct.
"""

from typing import Protocol

from skep.lang.dynptr import Dynptr
from skep.lang.tree import Function
from skep.lang.types import IntType
from skep.lang.values import BOOL, VOID, KernelStruct, Memory, Pointer, Several, Type

Kinds = list[tuple[str, int]]
"""Parameters: name, and the number of the node that describes the type."""
DYNPTR = "bpf_dynptr"
"""The struct by whose name the verifier knows a dynptr, which it takes without tags."""
KNOWN_AS = {"pt_regs": "bpf_user_pt_regs_t"}
"""Structs of contexts that the verifier knows by another name."""


class Nodes(Protocol):
    """Metadata nodes that are made once."""

    def shared(self, text: str) -> int:
        """The number of the node."""
        ...


def of_entry(module: Nodes, function: Function) -> tuple[int, Kinds]:
    """The types of a program: its context, by the struct's name where it has that as its one parameter."""
    kinds = [parameter.type for parameter in function.parameters]
    kind = kinds[0].target if len(kinds) == 1 and isinstance(kinds[0], Pointer) else None
    if isinstance(kind, KernelStruct):
        return _int(module), [("ctx", _struct(module, kind.name, kind.size))]
    return _int(module), [("ctx", _pointer(module, _word(module)))]


def of_local(module: Nodes, function: Function) -> tuple[int, Kinds]:
    """The types of a function that the verifier follows: words and pointers."""
    word = _word(module)
    pointer = _pointer(module, word)
    kinds = [
        (p.name, pointer if isinstance(p.type, Pointer) else word) for p in function.parameters
    ]
    if isinstance(function.result, Several):
        kinds.append(("out", pointer))
    return _int(module), [("ctx", pointer), *kinds] if function.context else kinds


def of_global(module: Nodes, function: Function) -> tuple[int, Kinds]:
    """The types of a global function, as they are."""
    kinds = [(p.name, _kind(module, p.type)) for p in function.parameters]
    window = function.window
    if isinstance(window, KernelStruct):
        name = KNOWN_AS.get(window.name, window.name)
        kinds = [("ctx", _struct(module, name, window.size)), *kinds]
    elif window is VOID:
        kinds = [("ctx", _anything(module)), *kinds]
    return _kind(module, function.result), kinds


def tags(function: Function) -> list[tuple[str, ...]]:
    """What the verifier is told of the parameters of a global function besides their types, in their order."""
    if not function.is_global or not function.tagged:
        return []
    told = [_tags(parameter.type) for parameter in function.parameters]
    if function.window is None:
        return told
    return [("arg:ctx",) if function.window is VOID else (), *told]


def _tags(kind: Type) -> tuple[str, ...]:
    if not isinstance(kind, Pointer) or kind.target is Dynptr:
        return ()
    if kind.memory is Memory.ARENA:
        return ("arg:arena",)
    if kind.memory is Memory.KERNEL:
        return ("arg:trusted", "arg:nullable") if kind.nullable else ("arg:trusted",)
    return () if kind.nullable else ("arg:nonnull",)


def _kind(module: Nodes, kind: Type) -> int:
    if isinstance(kind, Pointer):
        name = kind.target.name if isinstance(kind.target, KernelStruct) else kind.target.__name__
        name = DYNPTR if kind.target is Dynptr else name
        return _struct(module, name, kind.target.size)
    if isinstance(kind, IntType):
        sign = "signed" if kind.signed else "unsigned"
        return _basic(module, repr(kind), kind.bits, sign)
    return _basic(module, "bool", 8, "boolean") if kind is BOOL else _int(module)


def _basic(module: Nodes, name: str, bits: int, encoding: str) -> int:
    return module.shared(f'!DIBasicType(name: "{name}", size: {bits}, encoding: DW_ATE_{encoding})')


def _word(module: Nodes) -> int:
    return _basic(module, "u64", 64, "unsigned")


def _int(module: Nodes) -> int:
    return _basic(module, "int", 32, "signed")


def _pointer(module: Nodes, target: int) -> int:
    return module.shared(f"!DIDerivedType(tag: DW_TAG_pointer_type, baseType: !{target}, size: 64)")


def _anything(module: Nodes) -> int:
    return module.shared("!DIDerivedType(tag: DW_TAG_pointer_type, baseType: null, size: 64)")


def _struct(module: Nodes, name: str, size: int) -> int:
    """A pointer to a struct of that name; of its members the verifier asks nothing."""
    named = f'name: "{name}", size: {8 * size}, elements: !{module.shared("!{}")}'
    return _pointer(module, module.shared(f"!DICompositeType(tag: DW_TAG_structure_type, {named})"))
