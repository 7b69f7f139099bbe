"""Connections of this node: which programs tell of them, and what they do not see.

Values only; who loads the programs reads the ring ``connections``.
"""

from skep.base.errors import Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Kind
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
    "WITHOUT_IO_URING",
    "calls_only",
    "connections",
    "from_listeners",
    "open_now",
    "programs",
    "states_only",
]

NARROWS = (
    "accepts by 32-bit programs, or into io_uring's own table of files, are not told; "
    "their ends are, with the process that ended them where it is known"
)
WITHOUT_IO_URING = (
    "accepts by io_uring or 32-bit programs are not told; their ends are, "
    "with the process that ended them where it is known"
)
WITHOUT_ACCEPT = (
    "accepts are not told; the ends of accepted connections are, "
    "with the process that ended them where it is known"
)
_COMPLETED = 4
"""Arguments of the tracepoint io_uring_complete, its context included, since Linux 6.16."""


def from_listeners() -> tuple[Program, ...]:
    """For a kernel whose functions may be watched: everything is seen, and no system call is hooked."""
    return on_accepted, on_state


def programs(btf: Btf) -> tuple[Program, ...]:
    """Connects, closes, and accepts where they are called for. What NARROWS says is not seen.

    Unsupported without io_uring.
    """
    found = btf.find(Kind.TYPEDEF, "btf_trace_io_uring_complete")
    if found is None:
        raise Unsupported("accepts by io_uring", "the kernel is built without it", since="5.1")
    now = len(btf.prototype(found).params) <= _COMPLETED
    return (*calls_only(btf), on_io_uring if now else on_io_uring_before)


def calls_only(btf: Btf) -> tuple[Program, ...]:
    """For a kernel without io_uring: WITHOUT_IO_URING says what is not seen."""
    if btf.find(Kind.STRUCT, "mptcp_sock") is None:
        return on_state, on_accept_plain, on_accept4_plain
    return on_state, on_accept, on_accept4


def states_only() -> tuple[Program, ...]:
    """For a kernel without tracepoints of system calls: WITHOUT_ACCEPT says what is not seen."""
    return (on_state,)
