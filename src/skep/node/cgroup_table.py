"""Cgroup ids -> what their paths say. Bounded; filled by a scan, by events, and by looking on a miss.

A miss is looked up once: by the process that was in it, else by a scan. An id that neither finds is
that of a cgroup which is gone: only another process in it has it looked for again. Where scans find
nothing new they are made more rarely. Asks a ``Source`` for everything, reads no clock.
"""

from collections.abc import Iterable
from typing import Protocol

from skep.node.cgroups import Cgroup, CgroupMounts, read_membership, read_path, unified_path

GONE = Cgroup("")
_LEGACY = 1 << 63
_MOST_PATIENT = 64


class Source(Protocol):
    """Where cgroups are read: ``CgroupFiles``, or a test's."""

    mounts: CgroupMounts

    def scan(self) -> Iterable[tuple[int, str]]:
        """(id, path) of each cgroup in the unified hierarchy."""

    def id_of(self, path: str) -> int:
        """The id of a path, 0 where there is none."""

    def membership(self, pid: int) -> str:
        """/proc/PID/cgroup."""

    def legacy_paths(self) -> Iterable[str]:
        """Paths in a v1 hierarchy."""


class CgroupTable:
    """The cgroups of this machine by id; at most about ``capacity`` of them."""

    def __init__(self, source: Source, capacity: int = 16_384) -> None:
        self._source, self._capacity = source, capacity
        self._known: dict[int, Cgroup] = {}
        self._legacy: dict[str, int] = {}
        self._next_legacy = _LEGACY
        self._patience = self._misses = 0
        self.scans = self.unknown = 0
        self.legacy = False
        self.scan()

    def __len__(self) -> int:
        return len(self._known)

    def scan(self) -> None:
        """Look at all cgroups now. Those that are gone stay known while there is room."""
        self.scans += 1
        present = dict(self._source.scan())
        for number, path in present.items():
            self.learn(number, path)
        self.legacy = self._uses_legacy(present.values())
        excess = len(self._known) - self._capacity
        if excess > 0:
            gone = [number for number in self._known if number not in present]
            for number in (gone + list(present))[:excess]:
                self.forget(number)

    def refresh(self) -> None:
        """See whether a runtime has begun to use v1; does nothing in the unified layout."""
        if not self.legacy and self._source.mounts.legacy:
            self.legacy = self._uses_legacy(known.path for known in self._known.values())

    def learn(self, number: int, path: str) -> None:
        """A cgroup was made, or is seen."""
        known = self._known.get(number)
        if known is None or known.path != path:
            self._known[number] = read_path(path)

    def forget(self, number: int) -> None:
        """Drop an id: its cgroup was removed a while ago."""
        known = self._known.pop(number, None)
        if known is not None and number & _LEGACY:
            self._legacy.pop(known.path, None)

    def get(self, number: int, pid: int = 0) -> Cgroup:
        """What is said by the path of cgroup ``number``, in which ``pid`` was; GONE if not found."""
        known = self._known.get(number)
        if known is None:
            return self._look(number, pid)
        if known is GONE and pid:
            return self._of_process(number, pid)
        return known

    def place(self, pid: int, number: int) -> int:
        """The id that describes the cgroup of ``pid``: another than ``number`` if a runtime uses v1.

        Needed in the hybrid and v1 layouts only; while ``legacy`` is true it reads /proc.
        """
        if not self.legacy or self.get(number, pid).container:
            return number
        found = read_membership(self._source.membership(pid))
        if not found.container:
            return number
        known = self._legacy.get(found.path)
        if known is None:
            known = self._legacy[found.path] = self._next_legacy
            self._next_legacy += 1
            self._known[known] = found
            self._bound()
        return known

    def _look(self, number: int, pid: int) -> Cgroup:
        self._known[number] = GONE
        found = self._of_process(number, pid) if pid else GONE
        if found is GONE:
            found = self._by_scan(number)
        if found is GONE:
            self.unknown += 1
        self._bound()
        return found

    def _of_process(self, number: int, pid: int) -> Cgroup:
        path = unified_path(self._source.membership(pid))
        if path and self._source.id_of(path) == number:
            self.learn(number, path)
        return self._known[number]

    def _by_scan(self, number: int) -> Cgroup:
        self._misses += 1
        if self._misses > self._patience:
            self._misses = 0
            self.scan()
            found = self._known.get(number, GONE) is not GONE
            self._patience = 0 if found else min(_MOST_PATIENT, 2 * self._patience + 1)
        return self._known.get(number, GONE)

    def _bound(self) -> None:
        while len(self._known) > self._capacity:
            self.forget(next(iter(self._known)))

    def _uses_legacy(self, unified: Iterable[str]) -> bool:
        if self._source.mounts.layout not in ("hybrid", "v1"):
            return False
        inside = {c.container for path in unified if (c := read_path(path)).container}
        legacy = (read_path(path).container for path in self._source.legacy_paths())
        return any(container and container not in inside for container in legacy)
