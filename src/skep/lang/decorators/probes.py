"""Decorators of probes: on functions of the kernel, and on functions and static probes of programs and libraries.

A binary is a path, a program found on PATH, or a library by its name: ``"libc"``, ``"libssl.so.3"``.
"""

from skep.lang.programs import Decorator, on, require_names


def kprobe(function: str, *, offset: int = 0) -> Decorator:
    """Where a function of the kernel begins: its arguments by BTF, read by probe; ``ctx`` is the registers.

    With an ``offset`` in bytes, at an instruction further in, where only registers are known.
    """
    return on("kprobe", f"{function}+{offset:#x}" if offset else function)


def kretprobe(function: str) -> Decorator:
    """Where a function of the kernel ends; the parameter ``result`` is what it gives."""
    return on("kretprobe", function)


def ksyscall(name: str) -> Decorator:
    """Where a system call begins, ``@ksyscall("openat")``: its arguments as numbers, by annotation as narrower ones."""
    return on("ksyscall", name)


def kretsyscall(name: str) -> Decorator:
    """Where a system call ends; the parameter ``result`` is what it gives."""
    return on("kretsyscall", name)


def kprobe_multi(*functions: str) -> Decorator:
    """Where any of some functions begins, by name or pattern (``"tcp_*"``); types that they share. Linux 5.18."""
    require_names("kprobe_multi", *functions)
    return on("kprobe_multi", ",".join(functions))


def kretprobe_multi(*functions: str) -> Decorator:
    """Where any of some functions ends. Linux 5.18."""
    require_names("kretprobe_multi", *functions)
    return on("kretprobe_multi", ",".join(functions))


def kprobe_session(*functions: str) -> Decorator:
    """Where functions begin and, unless the program returns 1 there, where they end. Linux 6.10."""
    require_names("kprobe_session", *functions)
    return on("kprobe_session", ",".join(functions))


def uprobe(
    binary: str = "", symbol: str = "", *, offset: int = 0, sleepable: bool = False
) -> Decorator:
    """Where a function of a binary begins: its arguments as numbers, by annotation as narrower ones.

    ``symbol`` names it, ``offset`` is further in; without a symbol it is the place in the file. What is left out is
    named when it is attached: ``live.attach(program, "libc:malloc", pid=...)``.
    """
    require_names("uprobe", binary, symbol)
    return on("uprobe", place(binary, symbol, offset), sleepable=sleepable)


def uretprobe(
    binary: str = "", symbol: str = "", *, offset: int = 0, sleepable: bool = False
) -> Decorator:
    """Where a function of a binary ends; the parameter ``result`` is what it gives."""
    require_names("uretprobe", binary, symbol)
    return on("uretprobe", place(binary, symbol, offset), sleepable=sleepable)


def uprobe_multi(binary: str, *symbols: str, sleepable: bool = False) -> Decorator:
    """Where any of some functions of a binary begins, by name or pattern (``"SSL_*"``). Linux 6.6."""
    require_names("uprobe_multi", binary, *symbols)
    return on("uprobe_multi", place(binary, ",".join(symbols)), sleepable=sleepable)


def uretprobe_multi(binary: str, *symbols: str, sleepable: bool = False) -> Decorator:
    """Where any of some functions of a binary ends. Linux 6.6."""
    require_names("uretprobe_multi", binary, *symbols)
    return on("uretprobe_multi", place(binary, ",".join(symbols)), sleepable=sleepable)


def uprobe_session(binary: str, *symbols: str, sleepable: bool = False) -> Decorator:
    """Where functions of a binary begin and, unless the program returns 1 there, where they end. Linux 6.13."""
    require_names("uprobe_session", binary, *symbols)
    return on("uprobe_session", place(binary, ",".join(symbols)), sleepable=sleepable)


def usdt(binary: str, probe: str) -> Decorator:
    """On a static probe of a binary, ``@usdt("libc", "libc:setjmp")``: its arguments, where its notes say."""
    require_names("usdt", binary, probe)
    if probe.count(":") != 1:
        raise ValueError(f'a static probe is named "provider:name", not {probe!r}')
    return on("usdt", place(binary, probe))


def place(binary: str, symbol: str, offset: int = 0) -> str:
    """A place in a binary as one word: ``binary:symbol+0x10``, ``binary:+0x1234``; "" where there is no binary."""
    if not binary:
        return ""
    return f"{binary}:{symbol}{f'+{offset:#x}' if offset else ''}"
