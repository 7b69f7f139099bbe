"""Text and bytes that are known while compiling, and how they go with arrays.

``char[N]`` is text: it goes with a ``str``, and ends at its first NUL. ``u8[N]`` is bytes: it goes with ``bytes``, and
has N of them.
"""

import ast
from typing import Any

from skep.lang.front import instead
from skep.lang.front.scope import Scope
from skep.lang.tree import StaticValue
from skep.lang.types import ArrayType, IntType, char, u8
from skep.lang.values import Static, describe

Text = str | bytes


def known(scope: Scope, node: ast.expr) -> Text | None:
    """Text or bytes that are written out, or captured; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str | bytes) else None
    root = node
    while isinstance(root, ast.Attribute):
        root = root.value
    held = scope.type_of(root.id) if isinstance(root, ast.Name) else None
    if held is not None and not isinstance(held, Static):  # a variable, or what it leads to
        return None
    value = scope.expr(node) if isinstance(node, ast.Attribute | ast.Name) else None
    found = value.type.value if isinstance(value, StaticValue) else None
    return found if isinstance(found, str | bytes) else None


def encoded(scope: Scope, kind: Any, text: Text, node: ast.AST) -> bytes:
    """The bytes of ``text`` where it goes with arrays of that type. Raises CompileError where it does not."""
    if not isinstance(kind, ArrayType) or kind.element not in (char, u8):
        problem = f"text and bytes go with char[N] and u8[N], not with {describe(kind)}"
        raise scope.error(node, problem, instead.of_text(kind, text))
    if kind.element is char and isinstance(text, bytes):
        problem = f"{kind!r} is text, which goes with a str, not with bytes"
        raise scope.error(node, problem, 'leave the b out: "..."')
    if kind.element is u8 and isinstance(text, str):
        raise scope.error(node, f"{kind!r} is bytes, not text", _as_bytes(kind, text))
    data = text.encode() if isinstance(text, str) else text
    if kind.element is char and 0 in data:
        raise scope.error(node, "text ends at its first NUL: it holds none")
    if not data:
        raise scope.error(node, "there is nothing here to compare with", "look at element 0")
    if len(data) > kind.count:
        raise scope.error(node, f"{len(data)} bytes are more than {kind!r} holds")
    return data


ADDRESSES = {
    6: 'an address of hardware is six: MAC = bytes.fromhex("{digits}") outside',
    16: 'an address of IPv6 is sixteen: ADDRESS = ipaddress.ip_address("{text}").packed outside',
}
"""What to write for the text of an address, by its bytes."""


def _as_bytes(kind: ArrayType, text: str) -> str:
    hint = ADDRESSES.get(kind.count, "") if ":" in text else ""
    return hint.format(text=text, digits=text.replace(":", "")) or 'write them as in b"..."'


def filling(scope: Scope, kind: Any, text: Text, node: ast.AST) -> bytes:
    """All bytes of an array that is set to ``text``."""
    if text == "" and isinstance(kind, ArrayType) and kind.element is char:
        return bytes(kind.count)
    if isinstance(kind, IntType):
        hint = f"text goes into a char[N]; {instead.CHARACTER}"
        raise scope.error(node, f"{kind!r} takes a number, not text", hint)
    data = encoded(scope, kind, text, node)
    if kind.element is u8 and len(data) != kind.count:
        problem = f"{len(data)} bytes do not fill {kind!r}"
        raise scope.error(node, problem, f"set a part of it, as in a[:{len(data)}] = ...")
    return data.ljust(kind.count, b"\0")
