"""The methods of a timer, and of work, in a map's value."""

import ast
from dataclasses import replace
from typing import Any

from skep.lang.front.callbacks import callback
from skep.lang.front.integers import converted
from skep.lang.front.map_methods import BY_RESULT, Method
from skep.lang.front.scope import Scope
from skep.lang.spec import SLEEPABLE
from skep.lang.special import Timer
from skep.lang.tree import Address, Const, Expr, MapCall
from skep.lang.types import IntType, u64
from skep.lang.values import UNKNOWN, Literal, Memory, Pointer, Static, describe


def _owner(scope: Scope, node: ast.Call, owner: Expr) -> Any:
    """The map in whose value a timer lies. Raises CompileError where it lies elsewhere."""
    base = owner.place.base.type if isinstance(owner, Address) else None
    if isinstance(base, Pointer) and base.memory is Memory.VALUE and base.owner is not None:
        return base.owner
    word = "timer" if owner.type.target is Timer else "work"
    problem = f"{'a timer' if word == 'timer' else word} is used in a value that was looked up"
    raise scope.error(node, problem, f"value = m.lookup(key), then value.{word}.start(...)")


def _start(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``start(ns, function, flags)``: the function may be left out, and what it ran last runs again; the flags too."""
    declared = _owner(scope, node, owner)
    after, *more = scope.arguments(node, 1, 3, "start(ns, function, flags)")
    function = more[:1] if len(more) > 1 or (more and not _is_number(scope, more[0])) else []
    rest = more[len(function) :]
    args: tuple[Expr, ...] = (
        owner,
        converted(scope, scope.expr(after), u64, after),
        converted(scope, scope.expr(rest[0]), u64, rest[0])
        if rest
        else Const(scope.span(node), u64, 0),
    )
    if function:
        _refuse_itself(scope, function[0])
        args = (*args, _called(scope, function[0], declared))
    return MapCall(scope.span(node), BY_RESULT, "timer_start", declared, args)


def _is_number(scope: Scope, node: ast.expr) -> bool:
    kind = scope.expr(node).type
    return isinstance(kind, Literal | IntType)


def _refuse_itself(scope: Scope, node: ast.expr) -> None:
    given = scope.expr(node)
    if isinstance(given.type, Static) and given.type.value is scope.function:
        problem = f"{ast.unparse(node)}() is what the timer runs already"
        raise scope.error(node, problem, "leave it out: start(ns) runs the same function again")


def _called(scope: Scope, node: ast.expr, declared: Any) -> Expr:
    """The function that gets key and value of the entry."""
    key = Pointer(declared.key, Memory.CONSTANT)
    value = Pointer(declared.value, Memory.VALUE, owner=declared)
    return callback(scope, node, "element", key, value)


def _work(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    """``value.work.start(function)``: the function may wait, whatever kind of program this is."""
    declared = _owner(scope, node, owner)
    if not scope.target.types.function(QUEUED):
        raise scope.error(node, "this kernel does no work for programs", "Linux 6.10 does")
    (function,) = scope.arguments(node, 1, 1, "start(function)")
    called = _waiting(scope, function, declared)
    return MapCall(scope.span(node), BY_RESULT, "work_start", declared, (owner, called))


def _of_task(name: str) -> Method:
    """``value.work.start(task, function)``: the task runs it, and may wait, on its way back to its own program."""

    def run(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
        declared = _owner(scope, node, owner)
        whose, function = scope.arguments(node, 2, 2, f"{name}(task, function)")
        task = scope.expr(whose)
        kind = task.type.target if isinstance(task.type, Pointer) else None
        if task.type is not UNKNOWN and getattr(kind, "name", "") != "task_struct":
            hint = "as skep.get_current_task_btf() gives one"
            raise scope.error(whose, f"a task is wanted here, not {describe(task.type)}", hint)
        if not scope.target.types.function(GIVEN_TO_TASKS):
            raise scope.error(
                node, "this kernel gives tasks no work of programs", "Linux 6.18 does"
            )
        called = _waiting(scope, function, declared)
        args = (owner, task, called)
        return MapCall(scope.span(node), BY_RESULT, f"task_{name}", declared, args)

    return run


def _waiting(scope: Scope, node: ast.expr, declared: Any) -> Expr:
    """The function that gets key and value, where it may wait."""
    before, scope.kind = scope.kind, replace(scope.kind, flags=scope.kind.flags | SLEEPABLE)
    called = _called(scope, node, declared)
    scope.kind = before
    return called


def _cancel(scope: Scope, node: ast.Call, owner: Expr) -> Expr:
    scope.arguments(node, 0, 0, "cancel()")
    declared = _owner(scope, node, owner)
    return MapCall(scope.span(node), BY_RESULT, "timer_cancel", declared, (owner,))


QUEUED = "bpf_wq_set_callback_impl"
GIVEN_TO_TASKS = "bpf_task_work_schedule_resume_impl"
WORK: dict[str, Method] = {"start": _work}
TASK_WORK: dict[str, Method] = {"start": _of_task("start"), "interrupt": _of_task("interrupt")}
TIMER: dict[str, Method] = {"start": _start, "cancel": _cancel}
