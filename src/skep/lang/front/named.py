"""``:=`` in the condition of an ``if`` or a ``while``: an assignment before it, where that is what Python does.

What is worked out first, whatever else holds, is assigned first: ``if (n := m.lookup(k)) is not None and n > 5``. What
comes behind ``and`` is a condition of its own within the first.
"""

import ast


def before(test: ast.expr) -> tuple[list[ast.Assign], ast.expr]:
    """The assignments of what a condition begins with, and the condition with names in their place."""
    match test:
        case ast.NamedExpr(target=target, value=value):
            first, value = before(value)
            made = ast.copy_location(ast.Assign([target], value), test)
            return [*first, made], ast.copy_location(ast.Name(target.id, ast.Load()), test)
        case ast.UnaryOp(op=op, operand=operand):
            first, operand = before(operand)
            return first, ast.copy_location(ast.UnaryOp(op, operand), test)
        case ast.BoolOp(op=op, values=values):
            first, one = before(values[0])
            return first, ast.copy_location(ast.BoolOp(op, [one, *values[1:]]), test)
        case ast.Compare(left=left, ops=ops, comparators=others):
            first, left = before(left)
            return first, ast.copy_location(ast.Compare(left, ops, others), test)
    return [], test


def nested(node: ast.If) -> list[ast.stmt]:
    """``if a and (n := b)`` as ``if a: if n := b``, ``else`` where the body was not reached; any other as it is."""
    place = _named_at(node.test)
    if not isinstance(node.test, ast.BoolOp) or not place:
        return [node]
    first, second = node.test.values[:place], node.test.values[place:]
    reached = f"reached.{node.lineno}.{node.col_offset}"
    note = [_set(reached, 1, node)] if node.orelse else []
    inner = ast.copy_location(ast.If(_all(second, node), [*note, *node.body], []), node)
    outer = ast.copy_location(ast.If(_all(first, node), [inner], []), node)
    if not node.orelse:
        return [outer]
    missed = ast.copy_location(ast.UnaryOp(ast.Not(), _name(reached, node)), node)
    return [_set(reached, 0, node), outer, ast.copy_location(ast.If(missed, node.orelse, []), node)]


def _named_at(test: ast.expr) -> int:
    """The place behind ``and`` of the first part that gives a name; 0 where there is none."""
    if not isinstance(test, ast.BoolOp) or not isinstance(test.op, ast.And):
        return 0
    parts = enumerate(test.values[1:], 1)
    return next((i for i, part in parts if before(part)[0]), 0)


def _all(parts: list[ast.expr], node: ast.AST) -> ast.expr:
    return parts[0] if len(parts) == 1 else ast.copy_location(ast.BoolOp(ast.And(), parts), node)


def _name(name: str, node: ast.AST) -> ast.Name:
    return ast.copy_location(ast.Name(name, ast.Load()), node)


def _set(name: str, value: int, node: ast.AST) -> ast.stmt:
    return ast.copy_location(
        ast.Assign([_name(name, node)], ast.copy_location(ast.Constant(value), node)), node
    )
