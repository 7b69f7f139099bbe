"""What plain Python needs in a program's tree: casts where the source writes a width, and the rules of arithmetic.

A variable that is annotated, as in ``n: u32 = 0``, has its width wherever it is assigned, and so have an annotated
parameter and result: Python itself would forget them. An operator becomes a call of ``numbers.operate``, for truth
values and literals know no rules of their own. Nothing else is touched, and lines stay where they are.
"""

import ast
from types import FunctionType
from typing import Any, TypeVar

from skep.lang.capture import MISSING, resolve
from skep.lang.struct import StructType
from skep.lang.types import IntType

Made = TypeVar("Made", bound=ast.AST)

RESULT = "return"
CAST, OPERATE, IN_PLACE = "__skep_as_", "__skep_operate", "__skep_in_place"
KEPT, READ = "__skep_kept", "__skep_read"
POINTERS = (ast.Name, ast.NamedExpr, ast.IfExp, ast.Call)
"""What may give a pointer to a number, which reads as the number."""
EFFECTS = (ast.Call, ast.NamedExpr)
NUMERIC = ("min", "max", "divmod")
OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
}


class Widths(ast.NodeTransformer):
    """Rewrites one function; ``kinds`` has the casts that the new tree calls, by name."""

    def __init__(self, function: FunctionType) -> None:
        self.kinds: dict[str, IntType] = {}
        self._function = function
        self._casts: dict[str, str] = {}

    def rewrite(self, tree: ast.FunctionDef) -> ast.FunctionDef:
        """The function without decorators and annotations, with casts."""
        for node in ast.walk(tree):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self._note(node.target.id, node.annotation)
        heads = []
        for argument in tree.args.args:
            if argument.annotation is not None and self._note(argument.arg, argument.annotation):
                heads.append(self._assign(argument.arg, _read(argument.arg), argument))
            argument.annotation = None
        if tree.returns is not None:
            self._note(RESULT, tree.returns)
        self.generic_visit(body := ast.Module(tree.body, []))
        tree.body = [*heads, *body.body]
        tree.decorator_list, tree.returns, tree.args.defaults = [], None, []
        return tree

    def _note(self, name: str, annotation: ast.expr) -> bool:
        kind = _evaluated(self._function, annotation)
        if not isinstance(kind, IntType):
            return False
        self._casts[name] = f"{CAST}{kind!r}"
        self.kinds[self._casts[name]] = kind
        return True

    def _assign(self, name: str, value: ast.expr, at: ast.AST) -> ast.stmt:
        """``name = value``, as wide as the variable is where it has a width."""
        cast = self._casts.get(name)
        whole = value if cast is None else ast.Call(_read(cast), [value], [])
        return _placed(ast.Assign([ast.Name(name, ast.Store())], whole), at)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """``left op right``."""
        self.generic_visit(node)
        op = OPERATORS.get(type(node.op))
        if op is None:
            return node
        left, right = _in_turn([node.left, node.right])
        return _placed(ast.Call(_read(OPERATE), [ast.Constant(op), left, right], []), node)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """``left < right``; whether a pointer is None is asked of the pointer."""
        self.generic_visit(node)
        if not any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            node.left, *node.comparators = _in_turn([node.left, *node.comparators])
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """``min(a, b)``, ``Pair(a, b)``: what takes numbers. A function may be given the pointers themselves."""
        self.generic_visit(node)
        if isinstance(_evaluated(self._function, node.func), IntType | StructType) or (
            isinstance(node.func, ast.Name) and node.func.id in NUMERIC
        ):
            values = _in_turn([*node.args, *(one.value for one in node.keywords)])
            node.args = values[: len(node.args)]
            for keyword, value in zip(node.keywords, values[len(node.args) :], strict=True):
                keyword.value = value
        return node

    def visit_Match(self, node: ast.Match) -> ast.stmt:
        """``match number:``, of which a case may give a name to what it was."""
        self.generic_visit(node)
        node.subject = _number(node.subject)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | list[ast.stmt]:
        """``n = value``, or ``n, m = values``."""
        self.generic_visit(node)
        (target, *others) = node.targets
        if isinstance(target, ast.Name) and not others:
            return self._assign(target.id, node.value, node)
        for one in node.targets:
            _keep(one, node.value)
        return [node, *(one for target in node.targets for one in self._wide(target, node))]

    def _wide(self, target: ast.expr, at: ast.AST) -> list[ast.stmt]:
        """The variables of a target that have a width get it."""
        names = [one.id for one in ast.walk(target) if isinstance(one, ast.Name)]
        stored = isinstance(target, ast.Name | ast.Tuple | ast.List)
        wide = [name for name in names if stored and name in self._casts]
        return [self._assign(name, _read(name), at) for name in wide]

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        """``n := value``."""
        self.generic_visit(node)
        cast = self._casts.get(node.target.id)
        if cast is not None:
            node.value = _placed(ast.Call(_read(cast), [node.value], []), node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        """``n: u32 = value``, or without a value."""
        self.generic_visit(node)
        if node.value is None or not isinstance(node.target, ast.Name):
            return _placed(ast.Pass(), node)
        return self._assign(node.target.id, node.value, node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        """``n += value`` of a variable; a field changes in place by itself."""
        self.generic_visit(node)
        op = OPERATORS.get(type(node.op))
        if op is None or not isinstance(node.target, ast.Name):
            return node
        name = node.target.id
        was, value = _in_turn([_read(name), node.value])
        made = ast.Call(_read(IN_PLACE), [ast.Constant(op), _read(name), was, value], [])
        return self._assign(name, made, node)

    def visit_Return(self, node: ast.Return) -> ast.Return:
        """``return value`` of a function whose result has a width."""
        self.generic_visit(node)
        cast = self._casts.get(RESULT)
        if cast is not None and node.value is not None:
            node.value = _placed(ast.Call(_read(cast), [node.value], []), node)
        return node

    def visit_For(self, node: ast.For) -> ast.stmt:
        """A loop whose variable has a width."""
        self.generic_visit(node)
        node.body = [*self._wide(node.target, node), *node.body]
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.match_case:
        """A case that gives a name to the number: the name may have a width."""
        self.generic_visit(node)
        names = [p.name for p in ast.walk(node.pattern) if isinstance(p, ast.MatchAs)]
        heads = [
            self._assign(name, _read(name), node.pattern) for name in names if name in self._casts
        ]
        node.body = [*heads, *node.body]
        return node


def _keep(target: ast.expr, value: ast.expr) -> None:
    """Of ``a.x, a.y = a.y, a.x``: memory that goes to memory is that from before."""
    if isinstance(value, ast.IfExp):
        _keep(target, value.body)
        _keep(target, value.orelse)
    if not isinstance(target, ast.Tuple | ast.List) or not isinstance(value, ast.Tuple | ast.List):
        return
    for index, (to, one) in enumerate(zip(target.elts, value.elts, strict=False)):
        if isinstance(to, ast.Attribute | ast.Subscript):
            value.elts[index] = _placed(ast.Call(_read(KEPT), [one], []), one)


def _in_turn(values: list[ast.expr]) -> list[ast.expr]:
    """Values that are worked out from the left: a number behind a pointer is read before what comes then changes it."""
    effects = [any(isinstance(part, EFFECTS) for part in ast.walk(one)) for one in values]
    return [_number(one) if any(effects[at + 1 :]) else one for at, one in enumerate(values)]


def _number(value: ast.expr) -> ast.expr:
    """What may be a pointer to a number, as the number that stands there now."""
    made = ast.Call(_read(READ), [value], [])
    return _placed(made, value) if isinstance(value, POINTERS) else value


def _read(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _placed(made: Made, at: ast.AST) -> Made:
    return ast.copy_location(made, at)  # what is new inside takes its place from here in the end


def _evaluated(function: FunctionType, annotation: ast.expr) -> Any:
    if isinstance(annotation, ast.Attribute):
        return getattr(_evaluated(function, annotation.value), annotation.attr, MISSING)
    return resolve(function, annotation.id) if isinstance(annotation, ast.Name) else MISSING
