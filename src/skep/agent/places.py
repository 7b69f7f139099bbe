"""Events that name a cgroup and no process: what is known of the cgroup, by a ref of its own.

A dropped packet belongs to a socket, whose process may be unknown or gone; its cgroup says which
container it was for. Bounded; what is forgotten is told again when it is met again.
"""

from collections.abc import Iterable
from typing import Protocol

REFS = 1 << 63
"""Refs of cgroups begin here; those of processes never get so far."""
MOST = 4096


class Names(Protocol):
    """What is known of a cgroup: `node.attribution.Attribution`."""

    def cgroup(self, place: int, pid: int) -> bytes:
        """``,"cgroup":..`` and so on, or nothing."""


class Places:
    """Gives refs for cgroups. ``definitions`` and ``retired`` are for who sends them, as the process table's."""

    def __init__(self, names: Names, most: int = MOST) -> None:
        self._names, self._most = names, most
        self._known: dict[int, int] = {}
        self._fresh: list[tuple[int, bytes]] = []
        self._retired: list[int] = []

    def resolve(self, cgroups: Iterable[int]) -> list[int]:
        """A ref for each cgroup id, 0 where nothing is known of it."""
        known = self._known
        return [known[one] if one in known else self._meet(one) for one in cgroups]

    def definitions(self) -> list[tuple[int, bytes]]:
        """Refs that were given for the first time since the last call, with their fragments."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def retired(self) -> list[int]:
        """Refs that were given and will not be given again, since the last call."""
        retired, self._retired = self._retired, []
        return retired

    def _meet(self, cgroup: int) -> int:
        fragment = self._names.cgroup(cgroup, 0)[1:] if cgroup else b""
        if not fragment:
            return 0
        if len(self._known) >= self._most:
            self._retired.append(self._known.pop(next(iter(self._known))))
        ref = self._known[cgroup] = REFS | cgroup
        self._fresh.append((ref, fragment))
        return ref
