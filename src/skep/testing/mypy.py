"""A mypy plugin: ``char[16]`` and ``u8[16]`` in annotations are types, and ``u8[16]()`` has the type of what it makes.

``TASK = kernel_struct("task_struct")`` makes a type too, of objects of any fields: only a kernel knows which they are.

Named in a project's mypy configuration (``plugins = ["skep.testing.mypy"]``); only mypy imports it. To a type checker
without it ``u8[16]`` is a class with a type argument of no meaning. An integer type annotates an ``int``, ``char[N]`` a
``str``, any other array a ``list[int]``: what a Record's field holds in plain Python.
"""

from collections.abc import Callable

from mypy.nodes import GDEF, CallExpr, IndexExpr, RefExpr, SymbolTableNode, TypeAlias
from mypy.plugin import AnalyzeTypeContext, DynamicClassDefContext, MethodContext, Plugin
from mypy.types import AnyType, Type, TypeOfAny

PREFIX = "skep.lang.types."
NAMES = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "be16", "be32", "be64", "char")
INTEGERS = frozenset(PREFIX + name for name in NAMES)
CHAR = PREFIX + "char"
MADE = PREFIX + "ArrayType.__call__"
KERNEL_STRUCT = "skep.lang.kernel_names.kernel_struct"


def _integer(context: AnalyzeTypeContext) -> Type:
    integer = context.api.named_type("builtins.int", [])
    return context.api.named_type("builtins.list", [integer]) if context.type.args else integer


def _char(context: AnalyzeTypeContext) -> Type:
    return context.api.named_type("builtins.str" if context.type.args else "builtins.int", [])


def _made(context: MethodContext) -> Type:
    """What ``u8[16]()`` makes; of a type that is not written there, anything."""
    match context.context:
        case CallExpr(callee=IndexExpr(base=RefExpr(fullname=element))) if element in INTEGERS:
            if element == CHAR:
                return context.api.named_generic_type("builtins.str", [])
            integer = context.api.named_generic_type("builtins.int", [])
            return context.api.named_generic_type("builtins.list", [integer])
    return context.default_return_type


def _kernel_struct(context: DynamicClassDefContext) -> None:
    """A name for objects of which nothing is known."""
    module, call = context.api.cur_mod_id, context.call
    anything = AnyType(TypeOfAny.explicit)
    alias = TypeAlias(anything, f"{module}.{context.name}", module, call.line, call.column)
    context.api.add_symbol_table_node(context.name, SymbolTableNode(GDEF, alias))


class Arrays(Plugin):
    """Gives the annotations of a Record, and arrays in programs, the types of their values."""

    def get_dynamic_class_hook(
        self, fullname: str
    ) -> Callable[[DynamicClassDefContext], None] | None:
        """The making of a type by a call, for structs of the kernel."""
        return _kernel_struct if fullname == KERNEL_STRUCT else None

    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        """The analysis of one annotation, for the integer types of the language."""
        if fullname == CHAR:
            return _char
        return _integer if fullname in INTEGERS else None

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """The type of an array that is made."""
        return _made if fullname == MADE else None


def plugin(_version: str) -> type[Plugin]:
    """The entry point that mypy calls."""
    return Arrays
