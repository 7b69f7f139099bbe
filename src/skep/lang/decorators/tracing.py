"""Decorators of programs on events of the kernel: tracepoints, samples, iterators, its functions and LSM hooks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, overload

from skep.lang.kinds import KINDS
from skep.lang.programs import Decorator, Program, on
from skep.lang.spec import Context


def tp_btf(name: str) -> Decorator:
    """On a tracepoint, with its arguments typed and trusted: ``@tp_btf("sched_process_exec")``. Linux 5.5."""
    return on("tp_btf", name)


def raw_tp(name: str, *, writable: bool = False) -> Decorator:
    """On a tracepoint, with its arguments typed; pointers are read by probe. Linux 4.17.

    ``writable``: the first argument is memory that the program may change, where the tracepoint was made for it (5.2).
    """
    return on("raw_tp_writable" if writable else "raw_tp", name)


def tracepoint(name: str) -> Decorator:
    """On a tracepoint by category and name, ``@tracepoint("syscalls/sys_enter_openat")``: its format's fields."""
    if isinstance(name, str) and name.count("/") != 1:
        raise ValueError(
            f'a tracepoint is named "category/name", as "syscalls/sys_enter_openat", not {name!r}'
        )
    return on("tracepoint", name)


def perf_event(event: str = "cpu-clock", *, frequency: int = 0, period: int = 0) -> Decorator:
    """On a software event: ``frequency`` samples a second on each CPU, or one each ``period`` events (clocks: ns)."""
    if (frequency > 0) == (period > 0):
        raise ValueError(
            "a perf_event program takes frequency= (Hz) or period= (events), one of the two"
        )
    options: dict[str, int | str] = {"event": event, "frequency": frequency, "period": period}
    return on("perf_event", options=options)


def iterator(name: str, *, sleepable: bool = False) -> Decorator:
    """Over the kernel's objects, ``@iterator("task")``: called once for each, and once at the end with None."""
    return on("iterator", name, sleepable=sleepable)


def fentry(function: str | Program, *, sleepable: bool = False) -> Decorator:
    """Where a function of the kernel begins, with its arguments typed and trusted. Linux 5.5.

    ``"veth:veth_xmit"`` is one of a loaded module (5.11).
    Of a program, where that begins, with what the kernel gives it: ``@fentry(filter)``, loaded with it.
    """
    if isinstance(function, Program):
        return _watching("fentry", function)
    return on("fentry", function, sleepable=sleepable)


def fexit(function: str | Program, *, sleepable: bool = False) -> Decorator:
    """Where a function of the kernel ends: its arguments, and as a last parameter ``result`` what it gives. 5.5.

    Of a program, where that ends, with its verdict.
    """
    if isinstance(function, Program):
        return _watching("fexit", function)
    return on("fexit", function, sleepable=sleepable)


def _watching(name: str, target: Program) -> Decorator:
    kind = replace(KINDS[name], context=Context.PROGRAM, struct=target.kind.struct)

    def decorate(function: Callable[..., Any]) -> Program:
        return Program(function, kind, target.name, onto=target)

    return decorate


def fmod_ret(function: str, *, sleepable: bool = False) -> Decorator:
    """In place of a function of the kernel: a result other than 0 is given instead of running it. Linux 5.7.

    It takes system calls, ``security_*`` and functions that the kernel marks for it. The last parameter ``result`` is
    what a program before this one gave.
    """
    return on("fmod_ret", function, sleepable=sleepable)


def lsm(hook: str, *, sleepable: bool = False, cgroup: bool = False) -> Decorator:
    """On a hook of the security modules, ``@lsm("file_open")``: 0 allows, a negative error number refuses. 5.7.

    ``cgroup``: for the processes of the cgroup that it is attached to; then 1 allows, 0 refuses (Linux 6.0).
    """
    return on("lsm_cgroup" if cgroup else "lsm", hook, sleepable=sleepable)


@overload
def syscall_program(function: Callable[..., Any]) -> Program: ...
@overload
def syscall_program(*, sleepable: bool = ...) -> Decorator: ...
def syscall_program(
    function: Callable[..., Any] | None = None, *, sleepable: bool = True
) -> Program | Decorator:
    """A program that only its loader runs, ``skep.run(program, request)``; its context is a Struct. Linux 5.14."""
    decorate = on("syscall", sleepable=sleepable)
    return decorate if function is None else decorate(function)
