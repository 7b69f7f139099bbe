"""``match`` on a number: cases of constants, alternatives, names and guards, as a chain of branches."""

import ast
from collections.abc import Sequence

from skep.base.frozen import frozen
from skep.lang.front.comparisons import compared
from skep.lang.front.constants import static
from skep.lang.front.expressions import truth
from skep.lang.front.integers import dereferenced, is_local
from skep.lang.front.scope import Scope
from skep.lang.front.variables import bound
from skep.lang.tree import Const, Expr, If, Logic, Node
from skep.lang.types import IntType
from skep.lang.values import BOOL, UNKNOWN, Literal, describe

TAKES = "a case takes constant numbers, with | between them, a name, or _"


@frozen
class Subject:
    """What the cases look at: its source, and its value, which may stand in many places."""

    node: ast.expr
    value: Expr


def match(scope: Scope, node: ast.Match) -> list[Node]:
    """``match number:``."""
    if isinstance(node.subject, ast.Tuple):
        hint = "write if and elif, or match each by itself"
        raise scope.error(node.subject, "match takes a number, not a tuple", hint)
    value = dereferenced(scope, scope.expr(node.subject), node.subject)
    if not isinstance(value.type, IntType | Literal) and value.type not in (BOOL, UNKNOWN):
        problem = f"match takes a number, not {describe(value.type)}"
        raise scope.error(node.subject, problem, "write if and elif")
    before: list[Node] = []
    if not is_local(value):
        name = f"match.{node.lineno}.{node.col_offset}"
        before = bound(scope, name, value, node.subject)
        value = scope.variable(name, node.subject) or value
    return [*before, *_cases(scope, node.cases, Subject(node.subject, value))]


def _cases(scope: Scope, cases: Sequence[ast.match_case], subject: Subject) -> tuple[Node, ...]:
    """The first case that holds, and else the others."""
    if not cases:
        return ()
    case, rest = cases[0], cases[1:]
    test = _pattern(scope, case.pattern, subject)
    names = _named(scope, case, subject, always=isinstance(test, Const))
    if case.guard is not None:
        test = _both(scope, test, truth(scope, case.guard), case)
    if isinstance(test, Const) and not test.value:
        return (*names, *_cases(scope, rest, subject))
    if isinstance(test, Const):
        return (*names, *scope.block(case.body))
    outside, inside = (names, ()) if case.guard is not None else ((), names)
    then = (*inside, *scope.block(case.body))
    other = _cases(scope, rest, subject)
    return (*outside, If(scope.span(case.pattern), test, then, other))


def _both(scope: Scope, test: Expr, guard: Expr, case: ast.match_case) -> Expr:
    if isinstance(test, Const):
        return guard if test.value else test
    if isinstance(guard, Const):
        return test if guard.value else guard
    return Logic(scope.span(case.pattern), BOOL, "and", (test, guard))


def _named(
    scope: Scope, case: ast.match_case, subject: Subject, *, always: bool
) -> tuple[Node, ...]:
    """The name that a pattern gives to the number."""
    pattern = case.pattern
    if not isinstance(pattern, ast.MatchAs) or pattern.name is None:
        return ()
    if case.guard is not None and not always:
        problem = f"a case with a guard gives no name to what it compares: {pattern.name!r}"
        raise scope.error(pattern, problem, f"write {pattern.name} = ... before match")
    return tuple(bound(scope, pattern.name, subject.value, pattern))


def _pattern(scope: Scope, pattern: ast.pattern, subject: Subject) -> Expr:
    """Whether a number is what a pattern says."""
    match pattern:
        case ast.MatchAs(pattern=None):
            return Const(scope.span(pattern), BOOL, 1)
        case ast.MatchAs(pattern=ast.pattern() as inner):
            return _pattern(scope, inner, subject)
        case ast.MatchValue(value=value):
            return _equal(scope, scope.expr(value), subject, pattern)
        case ast.MatchSingleton(value=bool() as value):
            return _equal(scope, static(scope, pattern, value), subject, pattern)
        case ast.MatchOr(patterns=patterns):
            tests = tuple(_pattern(scope, one, subject) for one in patterns)
            decided = [test for test in tests if isinstance(test, Const)]
            if len(decided) == len(tests):
                return Const(scope.span(pattern), BOOL, max(test.value for test in decided))
            return Logic(scope.span(pattern), BOOL, "or", tests)
    raise scope.error(pattern, "this pattern is not part of the language", TAKES)


def _equal(scope: Scope, value: Expr, subject: Subject, pattern: ast.pattern) -> Expr:
    if not isinstance(value, Const):
        raise scope.error(pattern, f"{describe(value.type)} is no constant number", TAKES)
    return compared(scope, "==", subject.value, value, pattern)
