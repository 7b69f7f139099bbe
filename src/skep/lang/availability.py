"""Which kinds of programs may call which helpers, and what to say where one may not. Values only; no kernel is asked.

Families come from the rows of helpers; what a target kernel has at all is told by its own ``enum bpf_func_id``.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from skep.lang.helpers import Helper
from skep.lang.kinds import KINDS
from skep.lang.spec import Hook, ProgramKind

_SHOWN = 6
ANY = "freplace"


class Lack(NamedTuple):
    """Why a helper cannot be called, and what to do instead."""

    problem: str
    hint: str


def works(helper: Helper, kind: ProgramKind) -> bool:
    """Whether programs of that kind may call it. A kind without a family (freplace) is its target's business."""
    if kind.family in ("", ANY):
        return True
    own = {kind.family, kind.family.partition(":")[0]}
    return bool(own & helper.families) is not helper.others


def at(kind: ProgramKind, hook: str) -> ProgramKind:
    """A kind as helpers see it at a hook: what an iterator may call depends on what it goes over."""
    iterates = kind.hook is Hook.ITERATOR
    return replace(kind, family=f"{kind.family}:{hook}") if iterates else kind


def kinds_of(helper: Helper) -> list[str]:
    """The names of the kinds that may call it, in the table's order; then those that may at some hooks."""
    found = [name for name, kind in KINDS.items() if kind.family != ANY and works(helper, kind)]
    pairs = [one.split(":") for one in sorted(helper.families) if ":" in one]
    return [*found, *(f'{kind}("{hook}")' for kind, hook in pairs)]


def lack(helper: Helper, kind: ProgramKind, known: Mapping[str, int]) -> Lack | None:
    """What keeps a program of ``kind`` from calling ``helper``; None where nothing does.

    ``known`` is the target kernel's ``enum bpf_func_id``, empty where it is not known.
    """
    if not works(helper, kind):
        return Lack(
            f"{helper.name}() is not for {kind.name} programs", f"it is for {_listed(helper)}"
        )
    if helper.sleeps and not kind.sleeps:
        problem = f"{helper.name}() may wait, and {kind.name} programs may not"
        return Lack(problem, "make the program sleepable, as in @skep.lsm(..., sleepable=True)")
    if known and f"BPF_FUNC_{helper.name}" not in known:
        return Lack(f"this kernel has no {helper.name}()", f"it came with Linux {helper.since}")
    return None


def _listed(helper: Helper) -> str:
    names = kinds_of(helper)
    more = len(names) - _SHOWN
    listed = ", ".join(names[:_SHOWN] if more > 1 else names)
    return f"{listed} and {more} more" if more > 1 else listed
