"""Connections of this node: which programs tell of them, and what they do not see.

Values only; who loads the programs reads the ring ``connections``.
"""

from skep.flows.programs.connections import (
    connections,
    on_accept,
    on_accept4,
    on_state,
    open_now,
)
from skep.lang.programs import Program

__all__ = ["NARROWS", "WITHOUT_ACCEPT", "connections", "open_now", "programs", "states_only"]

NARROWS = (
    "accepts by io_uring or 32-bit programs are not told; their ends are, with user and cgroup"
)
WITHOUT_ACCEPT = "accepts are not told; the ends of accepted connections are, with user and cgroup"


def programs() -> tuple[Program, ...]:
    """All: connects, accepts and closes. What NARROWS says is not seen."""
    return on_state, on_accept, on_accept4


def states_only() -> tuple[Program, ...]:
    """For a kernel without tracepoints of system calls: WITHOUT_ACCEPT says what is not seen."""
    return (on_state,)
