"""How the agent's processes stand to others where CPUs are short: whoever waits too long there loses events.

What each takes is little, and the same either way; it is when it gets it that decides (docs/decisions/0007-floods.md).
"""

import os
from contextlib import suppress

DRAIN = -10
"""The kernel's rings fill in a quarter of a second."""
AGENT = -5
"""What the drain sends, and what clients have not read, wait for longer."""


def take(niceness: int) -> None:
    """Run at ``niceness``; without CAP_SYS_NICE as before."""
    with suppress(OSError):
        os.nice(niceness - os.nice(0))
