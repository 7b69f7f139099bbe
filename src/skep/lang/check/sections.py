"""Sections of RCU, and those without preemption or interrupts: what one that a program begins asks of it.

Only what is sure is told: that a section is open where the program ends, or closed where it is ended, on every path to
there. What a function does that is called, or what one did that calls, is left to the verifier.
"""

from typing import NamedTuple

from skep.base.errors import CompileError, Span
from skep.lang.reach import reachable
from skep.lang.tree import Function, KernelCall

Open = dict[str, tuple[Span, ...] | None]
"""By the function that begins them: where those were begun that are surely open; None where that is not known."""


class Section(NamedTuple):
    """What it is called, and the function that ends it."""

    name: str
    ends: str


RCU = "bpf_rcu_read_lock"
SECTIONS = {
    RCU: Section("RCU section", "bpf_rcu_read_unlock"),
    "bpf_preempt_disable": Section("section without preemption", "bpf_preempt_enable"),
    "bpf_local_irq_save": Section("section without interrupts", "bpf_local_irq_restore"),
}
"""By the function that begins one."""
BEGINS = {section.ends: begins for begins, section in SECTIONS.items()}
NOT_KNOWN: Open = dict.fromkeys(SECTIONS)


def entering(function: Function) -> Open:
    """At the beginning of a function: a program and a global function begin with none."""
    return {} if function.entry or function.is_global else NOT_KNOWN


def called(known: Open, node: KernelCall) -> Open:
    """After a function of the kernel was called. Raises CompileError where it ends what is not begun."""
    if node.name in SECTIONS:
        opened = known.get(node.name, ())
        return known | {node.name: None if opened is None else (*opened, node.span)}
    begins = BEGINS.get(node.name)
    if begins is None:
        return known
    opened = known.get(begins, ())
    if opened == ():
        problem = f"the {SECTIONS[begins].name} that {node.name}() ends was not begun"
        raise CompileError(problem, node.span, f"call {begins}() before, on every path")
    return known | {begins: opened and opened[:-1]}


def behind(known: Open, function: Function) -> Open:
    """After a function of the program was called, which may begin sections, or end them."""
    names = {
        part.name
        for one in reachable(function)
        for part in one.nodes
        if isinstance(part, KernelCall)
    }
    return known | dict.fromkeys(BEGINS.get(name, name) for name in names if _is_one(name))


def _is_one(name: str) -> bool:
    return name in SECTIONS or name in BEGINS


def merged(left: Open, right: Open) -> Open:
    """Where two paths meet: what is as deep on both is known."""
    if left == right:
        return left
    found: Open = {}
    for begins in left.keys() | right.keys():
        one, other = left.get(begins, ()), right.get(begins, ())
        same = one is not None and other is not None and len(one) == len(other)
        found[begins] = one if same else None
    return found


def refuse_open(known: Open, span: Span | None) -> None:
    """Raises CompileError where a section is surely open and the program ends, or goes on in another."""
    for begins, opened in known.items():
        if opened:
            name, ends = SECTIONS[begins]
            problem = f"the {name} that begins in line {opened[-1].line} is still open here"
            raise CompileError(problem, span, f"call {ends}() before, on every path to here")


def refuse_waiting(known: Open, helper: str, span: Span) -> None:
    """Raises CompileError where a helper that may wait is called in a section that is surely open."""
    for begins, opened in known.items():
        if opened:
            problem = f"{helper}() may wait, which nothing may in the {SECTIONS[begins].name} that begins in line"
            hint = "call it before the section begins, or behind its end"
            raise CompileError(f"{problem} {opened[-1].line}", span, hint)
