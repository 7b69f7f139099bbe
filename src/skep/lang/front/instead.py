"""What to write in place of a value that cannot be used where it stands: the hints of errors, by what the value is.

A captured object of Python's is no value of a program; a pointer is no number, and a number no memory.
"""

import ast
import enum
import re
from types import MethodType
from typing import Any, SupportsIndex, SupportsInt

from skep.lang.objects import is_head
from skep.lang.special import SpinLock
from skep.lang.struct import StructType
from skep.lang.types import ArrayType, IntType, char
from skep.lang.values import NONE, VOID, KernelStruct, Memory, Pointer, Static, Type

CHARACTER = 'the number of a character is ord("x")'
AT_ADDRESS = (
    "it is an address: skep.probe_read_user(buffer, address) copies what lies there, of the kernel's "
    "memory probe_read_kernel, and text skep.user_string(address, 64)"
)
AS_NUMBER = 'an address is a number: ADDRESS = int(ipaddress.ip_address("10.0.0.1")) outside'
OF_NETWORK = re.compile(r"\d+(\.\d+){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*")
"""Text of an IP address."""
ADDRESS = 64
TEXT_AT = {
    Memory.KERNEL: "kernel_string",
    Memory.PROBE: "kernel_string",
    Memory.USER: "user_string",
}
"""What copies text out of memory in which a pointer to it leads."""
OBJECTS = frozenset({Memory.KERNEL, Memory.PROBE, Memory.USER})
"""Memory of the kernel's objects, whose addresses are numbers too."""


def of_python(value: Any) -> str:
    """Of a captured object."""
    match value:
        case list() | set():
            return "make it a tuple: (1, 2); what a program changes lies in a map"
        case dict():
            return "declare a skep.Hash; of constants, choose by match, or by if and elif"
        case enum.Enum():
            return "make its class an enum.IntEnum"
        case complex():
            return "there are integers only"
    if isinstance(value, type) or callable(value):
        return ""
    if hasattr(value, "tolist") and value.ndim:
        return "make it a tuple outside of the program: tuple(x.tolist())"
    if isinstance(value, SupportsIndex | SupportsInt):
        return "take its number outside of the program: N = int(x)"
    return ""


CHANGES = {
    **dict.fromkeys(("append", "extend", "insert"), "what grows is a skep.Queue, or a skep.Hash"),
    **dict.fromkeys(("add", "discard", "remove"), "keep what is in it as keys of a skep.Hash"),
    **dict.fromkeys(("update", "setdefault", "pop", "popitem"), "declare a skep.Hash"),
}
"""Methods by which Python's containers are changed."""


def of_attribute(value: Any, node: ast.Attribute) -> str:
    """Of an attribute of a captured object."""
    found = getattr(value, node.attr, None)
    if isinstance(value, list | set | dict) and node.attr in CHANGES:
        return f"a program cannot change it: {CHANGES[node.attr]}"
    if isinstance(found, int | str | bytes):
        return f"name it outside of the program: {node.attr.upper()} = {ast.unparse(node)}"
    if isinstance(found, MethodType):
        return f"methods are not compiled: write a function, {node.attr}(...)"
    return of_python(value)


def of_number(kind: Type, node: ast.AST) -> str:
    """Where a number is wanted, and something else is given."""
    if isinstance(kind, Static):
        return of_python(kind.value)
    if kind is NONE:
        return "None is no number: write 0; an entry of a map is taken out by del counts[key]"
    if kind is VOID:
        return "let the function return a number on every path"
    if not isinstance(kind, Pointer):
        return ""
    if isinstance(kind.target, ArrayType):
        word = (
            f"text is compared, searched and copied; a map has it as key by Hash({kind.target!r}, ...)"
            if kind.target.element is char
            else ""
        )
        return word or "take an element of it: a[0]"
    if kind.memory in OBJECTS and isinstance(node, ast.expr):
        name = "x" if isinstance(node, ast.Compare) else ast.unparse(node)
        return f"take a field of it, or its address: u64({name})"
    return "take a field of it" if isinstance(kind.target, StructType | KernelStruct) else ""


def of_absent(optional: frozenset[str], node: ast.AST) -> str:
    """Where a parameter of ``optional`` is used that this kernel does not give; "" for anything else."""
    if not isinstance(node, ast.Name) or node.id not in optional:
        return ""
    return f"this kernel does not give {node.id!r}: use it where it is there, if {node.id} is not None:"


def of_choice(one: Type, other: Type) -> str:
    """Where two values do not go together as the sides of a choice."""
    if NONE in (one, other):
        return "look up in an if, and use what is found there"
    known = isinstance(one, Static) and isinstance(other, Static)
    return "use each in its own branch of an if" if known else ""


def of_element(kind: Type, node: ast.AST) -> str:
    """Where something is indexed that has no elements."""
    if isinstance(kind, Static):
        early = f"take it outside of the program: NAME = {ast.unparse(node)}"
        return of_python(kind.value) or (early if hasattr(kind.value, "__getitem__") else "")
    if isinstance(kind, IntType) and kind.bits < ADDRESS:
        return "a bit of a number is n >> i & 1"
    return AT_ADDRESS if isinstance(kind, IntType) else ""


METHODS = {
    "bit_length": "skep.log2(n) + 1, where n is not 0",
    "to_bytes": "set a field that is a be16, be32 or be64: its bytes are in network order",
    "hex": 'print(f"{n:#x}") shows a number so',
    "get": "a number that a lookup found is used as it is",
}
"""What serves in place of methods of Python's numbers."""


def of_number_method(kind: Type, name: str) -> str:
    """Where a method of a number is called: an address is taken for what lies there."""
    wide = isinstance(kind, IntType) and kind.bits == ADDRESS
    return METHODS.get(name) or (AT_ADDRESS if wide else "")


def of_text(kind: Type, text: str | bytes) -> str:
    """Where text meets something that is no array of it."""
    if isinstance(kind, StructType):
        return f"make one: {kind!r}(...)"
    if isinstance(kind, Pointer) and kind.memory in TEXT_AT and kind.target in (char, None):
        return f"text at an address is copied first: skep.{TEXT_AT[kind.memory]}(address, 64)"
    if not isinstance(kind, IntType):
        return ""
    if isinstance(text, str) and OF_NETWORK.fullmatch(text):
        return AS_NUMBER
    if kind.bits < ADDRESS:
        return CHARACTER
    return "text at an address is copied first: skep.user_string(address, 64), of the kernel's kernel_string"


def of_method(kind: Pointer, node: ast.Call, name: str) -> str:
    """Where memory has no method of that name."""
    value = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    target = kind.target
    if target is SpinLock:
        return f"with {value}: holds it for a block"
    if isinstance(target, ArrayType) and target.element is char:
        return "text has startswith, endswith and find; with == and in it is compared and searched"
    if isinstance(target, ArrayType):
        return "an array has a fixed number of elements, which are set: a[i] = ..."
    if isinstance(target, StructType) and hasattr(target, name):
        return f"a program sees the fields of a Struct: write a function, {name}({value})"
    if isinstance(target, KernelStruct):
        return 'functions of the kernel are named outside, f = skep.kfunc("bpf_..."), as far as it offers them'
    return ""


def of_iteration(kind: Type, *, is_map: bool) -> str:
    """Where a loop runs over something that has no elements."""
    if is_map:
        return "map.for_each(function) goes over its entries; live[map].items() does in Python"
    if isinstance(kind, Static) and isinstance(kind.value, list | set):
        return of_python(kind.value)
    if isinstance(kind, Pointer) and is_head(kind.target):
        return "take its objects out, one a round: pop_front(), or first() and remove()"
    return "for i in range(N):"
