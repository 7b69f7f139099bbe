"""Subscribers of system calls: one function, and the forms in which it can be hooked.

``@syscall`` makes the classic form, for the tracepoints of the calls themselves; ``raw_form`` makes the other one, for
the hook that all calls share. Both see the same parameters of the same calls. Which of the two is attached is chosen
when it is loaded (``kernel.dispatch``); nothing here touches the kernel.
"""

from collections.abc import Callable
from typing import Any

from skep.lang.chains import Chain
from skep.lang.kinds import KINDS
from skep.lang.programs import Decorator, Program

ENTER, EXIT = "sys_enter", "sys_exit"
CLASSIC, RAW = KINDS["syscall_tracepoint"], KINDS["syscall_raw"]


def syscall(*calls: str) -> Decorator:
    """On the entry of system calls: ``@syscall("openat", "connect")``; without a name, of all of them. Linux 5.5.

    Parameters are the calls' own by name (``filename``), or ``arg0`` to ``arg5``, and ``number``. Native calls only:
    those of 32-bit programs and of the x32 ABI have other numbers, and are not seen.
    """
    return _on(ENTER, calls)


def syscall_exit(*calls: str) -> Decorator:
    """On the exit of system calls: the parameters are ``result`` and ``number``. Otherwise as ``syscall``."""
    return _on(EXIT, calls)


def _on(side: str, calls: tuple[str, ...]) -> Decorator:
    if len(calls) == 1 and not isinstance(calls[0], str):
        raise TypeError('@syscall takes names of calls, as in @syscall("openat"), or @syscall()')

    def decorate(function: Callable[..., Any]) -> Program:
        if not calls:
            return Program(function, RAW, side, chain=Chain())
        return Program(function, CLASSIC, side, calls=tuple(dict.fromkeys(calls)))

    return decorate


def subscribes(program: Program) -> bool:
    """Whether a program is a subscriber of system calls."""
    return program.kind in (CLASSIC, RAW)


def raw_form(program: Program) -> Program:
    """A subscriber as a program for the hook that all calls share."""
    return Program(
        program.function,
        RAW,
        program.hook,
        license=program.license,
        chain=Chain(),
        calls=program.calls,
    )
