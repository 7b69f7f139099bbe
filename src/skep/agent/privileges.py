"""What each process of the agent may do, and when. A table, and the moments at which it comes into force.

Found by leaving out one after the other (6.18) and running with the rest (6.1, 6.12): docs/agent.md says what for.
The user stays root, without what makes root almighty: files of others are not written, no device is opened.
"""

from contextlib import AbstractContextManager

from skep.kernel import privileges

DRAINING = ("CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE")
"""The drain: reads what /proc says of processes of any user, though it be mounted with hidepid=ptraceable."""
DRAIN_START = (*DRAINING, "CAP_SYS_NICE")
"""The drain until it has raised its priority."""
COMPILING = ("CAP_DAC_READ_SEARCH",)
"""The compiler: Python and LLVM may lie in another user's directory."""
SERVING = (*DRAINING, "CAP_SYSLOG")
"""In force in the agent while it serves: names of processes that hold a port, of functions of the kernel."""
LOADING = ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYS_ADMIN")
"""In force in the agent while it loads programs, probes the kernel, or has it count runs; permitted always."""
AGENT = (*SERVING, *LOADING, "CAP_SYS_NICE")


def begin() -> str:
    """The agent's start: all but what it or a child ever needs is given up. What could not be done, or ""."""
    return privileges.confine(AGENT, DRAIN_START)


def compiling() -> AbstractContextManager[None]:
    """While the compiler is started."""
    return privileges.passing(COMPILING)


def draining() -> AbstractContextManager[None]:
    """While a drain is started."""
    return privileges.passing(DRAIN_START)


def serve() -> None:
    """Programs are attached: from now on loading takes ``loading``."""
    privileges.rest(SERVING)


def loading() -> AbstractContextManager[None]:
    """While the kernel is asked for what only a loader may."""
    return privileges.raised(LOADING)


def drain() -> None:
    """The drain's start is over."""
    privileges.confine(DRAINING)


def face() -> str:
    """A face needs none: the agent's socket belongs to its user."""
    return privileges.confine(())
