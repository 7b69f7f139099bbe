"""How many descriptors the agent's processes may open: enough for all that they hold and for their clients.

Asked once, at the start: a limit that is too low is raised as far as it may be, or told, instead of some open(2) that
fails later and ends a part of the agent. A limit that was set for good is not exceeded.
"""

import errno
import resource

from skep.base.errors import KernelError

ENOUGH = 256
"""About fifty for programs, maps, rings and links, and those of the clients: ``api.server.MOST_CONNECTIONS`` for each
of two servers."""


def provide() -> None:
    """Let this process and its children open ``ENOUGH``. Raises KernelError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised(soft, hard), hard))


def raised(soft: int, hard: int) -> int:
    """The soft limit to have, where ``soft`` and ``hard`` are those that there are. Raises KernelError."""
    if hard < ENOUGH:
        detail = f"`ulimit -n {ENOUGH}`, or LimitNOFILE={ENOUGH} of a service"
        allowed = f"at most {hard} are allowed, and the agent needs {ENOUGH}"
        raise KernelError("open files", errno.EMFILE, allowed, detail)
    return max(soft, ENOUGH)
