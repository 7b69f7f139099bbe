"""The heap of a process of ours: what a flood left in it goes back to the kernel. It lives as long as its process."""

from skep.base.clock import SECOND
from skep.kernel import allocator

EVERY = 10 * SECOND
"""A look takes about a ms, and what went back is fetched anew when it is wanted."""


class Heap:
    """``tidy`` it each second; it does something every tenth."""

    def __init__(self) -> None:
        self._next = 0

    def tidy(self, now: int) -> bool:
        """Give gaps of whole pages back at ``now`` (boot time, ns), if it is time; whether there were some."""
        if now < self._next:
            return False
        self._next = now + EVERY
        return allocator.give_back()
