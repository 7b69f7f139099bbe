"""Connections of this node: which programs tell of them, and what they do not see.

Values only; who loads the programs reads the ring ``connections``.
"""

from skep.base.errors import Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.flows.programs.attempts import on_connect, on_connected
from skep.flows.programs.connections import (
    connections,
    on_accept,
    on_accept4,
    on_accept4_plain,
    on_accept_plain,
    on_accepted,
    on_io_uring,
    on_io_uring_before,
    on_state,
    open_now,
)
from skep.lang.programs import Program

__all__ = [
    "NARROWS",
    "WITHOUT_ACCEPT",
    "WITHOUT_ATTEMPTS",
    "WITHOUT_IO_URING",
    "attempts",
    "calls_only",
    "connections",
    "from_listeners",
    "open_now",
    "programs",
    "states_only",
]

_ENDS = "their ends are, with the process that ended them where it is known"
NARROWS = (
    f"accepts by 32-bit programs, or into io_uring's own table of files, are not told; {_ENDS}"
)
WITHOUT_IO_URING = f"accepts by io_uring or 32-bit programs are not told; {_ENDS}"
WITHOUT_ACCEPT = f"accepts are not told; {_ENDS}"
ATTEMPTS = "connects that fail before they begin are told of connect(2) by 64-bit programs only"
WITHOUT_ATTEMPTS = "connects that fail before they begin are not told"
_COMPLETED = 4
"""Arguments of the tracepoint io_uring_complete, its context included, since Linux 6.16."""


def from_listeners() -> tuple[Program, ...]:
    """For a kernel whose functions may be watched: everything is seen, and no system call is hooked."""
    return on_accepted, on_connected, on_state


def programs(btf: Btf) -> tuple[Program, ...]:
    """Connects, closes, and accepts where they are called for. NARROWS and ``attempts`` say what is not seen.

    Unsupported without io_uring.
    """
    found = btf.find(Kind.TYPEDEF, "btf_trace_io_uring_complete")
    if found is None:
        raise Unsupported("accepts by io_uring", "the kernel is built without it", since="5.1")
    now = len(btf.prototype(found).params) <= _COMPLETED
    return (*calls_only(btf), on_io_uring if now else on_io_uring_before)


def calls_only(btf: Btf) -> tuple[Program, ...]:
    """For a kernel without io_uring: WITHOUT_IO_URING and ``attempts`` say what is not seen."""
    multipath = btf.find(Kind.STRUCT, "mptcp_sock") is not None
    accepts = (on_accept, on_accept4) if multipath else (on_accept_plain, on_accept4_plain)
    connects = (on_connect,) if _has_arguments(btf) else ()
    return on_state, *accepts, *connects


def attempts(btf: Btf) -> str:
    """What is not seen of connects that fail before they begin, where system calls are watched."""
    return ATTEMPTS if _has_arguments(btf) else WITHOUT_ATTEMPTS


def _has_arguments(btf: Btf) -> bool:
    """Whether a call's arguments are found when it is over: on x86-64."""
    registers = btf.find(Kind.STRUCT, "pt_regs")
    return registers is not None and btf.field(registers, "di") is not None


def states_only() -> tuple[Program, ...]:
    """For a kernel without tracepoints of system calls: WITHOUT_ACCEPT and WITHOUT_ATTEMPTS say what is not seen."""
    return (on_state,)
