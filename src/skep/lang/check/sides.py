"""Numbers with a sign that one test limits: on one side only, so that they fit into no array.

Only what is sure is told: of a value with a sign, wherever it comes from, which is mentioned in one comparison by order
under any of its names, and in nothing else that may tell the verifier more.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skep.lang.tree import (
    Argument,
    Assign,
    Binary,
    Compare,
    Convert,
    Expr,
    For,
    Function,
    Load,
    Local,
    Node,
    Once,
    Opaque,
    Place,
    Select,
    Store,
    SubCall,
    View,
    walk,
)
from skep.lang.types import IntType

Key = str | tuple[int, object]
"""A variable, or a place in memory wherever that begins."""
ORDERED = frozenset({"<", "<=", ">", ">="})
TELLING = (Binary, For, Select, Store, SubCall, View)
"""What may tell more of a value than a comparison does."""
PARTS: dict[type[Node], Callable[[Any], tuple[Node, ...]]] = {
    For: lambda node: (node.start, node.stop),
    Select: lambda node: (node.then, node.other),
}
"""Where a part of it does only."""


def key_of(node: Local | Place) -> Key:
    """What stands for a variable or a place."""
    return node.name if isinstance(node, Local) else (node.offset, node.type)


def source_of(node: Expr) -> Expr:
    """A value before it was converted."""
    while isinstance(node, Convert | Once | Opaque):
        node = node.operand
    return node


def lopsided(
    function: Function, values: Mapping[str, Sequence[Expr]], within: set[int]
) -> set[Key]:
    """The variables and places that are limited on one side; ``within`` are the parts of what is asked about."""
    compared: Counter[Key] = Counter()
    told: set[Key] = set()
    for node in walk(*function.body):
        if isinstance(node, Compare):
            for side in (node.left, node.right):
                direct = _key(side)
                if direct is not None and node.op in ORDERED and _has_sign(side):
                    compared[direct] += 1
                else:
                    told |= _mentioned(side, within)
        elif isinstance(node, TELLING):
            parts = PARTS[type(node)](node) if type(node) in PARTS else (node,)
            told |= {key for part in parts for key in _mentioned(part, within)}
    groups = _groups(function, values)
    found: set[Key] = set()
    for group in groups:
        sure = all(_is_signed(key, values) for key in group)
        if sure and sum(compared[key] for key in group) == 1 and not group & told:
            found |= group
    return found


def _key(node: Expr) -> Key | None:
    """What a side of a comparison stands for, where it is nothing more than that."""
    source = source_of(node)
    if isinstance(source, Local):
        return source.name
    return key_of(source.place) if isinstance(source, Load) else None


def _has_sign(node: Expr) -> bool:
    """Whether a value has a sign, on its whole way from where it was read."""
    while isinstance(node, Convert | Once | Opaque):
        if not isinstance(node.type, IntType) or not node.type.signed:
            return False
        node = node.operand
    return isinstance(node.type, IntType) and node.type.signed


def _is_signed(key: Key, values: Mapping[str, Sequence[Expr]]) -> bool:
    """Whether what stands behind a key is set once, to what comes from outside with a sign."""
    if not isinstance(key, str):
        return True
    given = values.get(key, ())
    return len(given) == 1 and _has_sign(given[0]) and _comes(given[0])


def _comes(node: Expr) -> bool:
    return isinstance(source_of(node), Argument | Load | Local)


def _mentioned(node: Node, within: set[int]) -> set[Key]:
    return {
        key_of(part.place if isinstance(part, Load) else part)
        for part in walk(node)
        if isinstance(part, Local | Load) and id(part) not in within
    }


def _groups(function: Function, values: Mapping[str, Sequence[Expr]]) -> list[set[Key]]:
    """The names of one value: a variable with what it was set to, and others with that."""
    groups: list[set[Key]] = []
    for node in walk(*function.body):
        if not isinstance(node, Assign) or node.name not in values:
            continue
        key = _key(node.value)
        own: set[Key] = {node.name} if key is None else {node.name, key}
        joined = [group for group in groups if group & own]
        groups = [group for group in groups if not group & own]
        groups.append(own.union(*joined))
    return groups
