"""Whose an allocated object is: the program's, which drops, links or keeps it, or then a list's, a tree's or a value's.

Of what is linked, the program has a pointer as long as the lock is held, and nothing else was taken out meanwhile.
"""

from skep.base.errors import CompileError
from skep.lang.check.loans import Loans
from skep.lang.check.sections import RCU, Open
from skep.lang.object_calls import PEEKS, ObjectCall
from skep.lang.tree import Expr, Local, SubCall
from skep.lang.values import BELONGING, Pointer

UNLOCK = "spin_unlock"
LINKS = frozenset({"push_front", "push_back", "add"})
KEEPS = frozenset({"set", "swap"})
FINDS = frozenset({"get", "here", "on"})
TAKES = frozenset({"pop_front", "pop_back", "remove"})


def unlocked(known: Loans) -> Loans:
    """Behind the block of a lock."""
    problem = "{0!r} is used behind the block of the lock under which it was linked"
    return known.cut(problem, "read what is needed in the block, into a variable")


def called(known: Loans, node: ObjectCall) -> Loans:
    """After something was done with an object, by the variable that holds it. Raises CompileError."""
    held = next((argument.name for argument in node.args if isinstance(argument, Local)), "")
    if node.action == "drop":
        _refuse_linked(known, node, held, "take it out of there before")
        return known.drop(held)
    if node.action in KEEPS:
        _refuse_linked(known, node, held, "take it out of there before")
        return known.keep(held, node.action)
    if node.action in LINKS:
        _refuse_linked(known, node, held, "an object with a RefCount is acquired for each link")
        return known.link(held)
    if node.action in TAKES:
        if node.action == "remove" and held in known.owned:
            problem = f"{held!r} is the program's own: it is in no tree"
            raise CompileError(problem, node.span, "what first() or add() left there is removed")
        problem = f"{{0!r}} may be what {node.action}() took out"
        return known.cut(problem, f"use what {node.action}() gave")
    return known


def refuse_asleep(node: ObjectCall, known: Open) -> None:
    """Refuse to find what is kept where a program may wait meanwhile: it may be dropped. CompileError."""
    if node.asleep and known.get(RCU, ()) == ():
        problem = f"what {node.action}() finds may be dropped while this program waits"
        hint = f'take a section of RCU around it, skep.kfunc("{RCU}") and skep.kfunc("bpf_rcu_read_unlock")'
        raise CompileError(problem, node.span, hint)


def _refuse_linked(known: Loans, node: ObjectCall, name: str, hint: str) -> None:
    if name in known.linked:
        problem = f"{name!r} is in a list or a tree, which has it: {node.action}() takes what is the program's own"
        raise CompileError(problem, node.span, hint)


def refuse_unnamed(value: Expr) -> None:
    """Refuse an object that nothing holds. CompileError."""
    if not isinstance(value.type, Pointer) or value.type.memory not in BELONGING:
        return
    name = value.action if isinstance(value, ObjectCall) else ""
    name = value.function.name if isinstance(value, SubCall) else name
    if name and name not in PEEKS:
        problem = f"what {name}() gives is the program's, and needs a name"
        raise CompileError(problem, value.span, f"entry = ...{name}(), then entry.drop()")
