"""Reads cgroups: the directories of a mount, and /proc/PID/cgroup. The only part of it that does I/O.

A cgroup's id is the inode of its directory (on 64-bit kernels), which programs get from
bpf_get_current_cgroup_id(). What vanishes while it is read is passed over.
"""

import os
from collections.abc import Iterator

from skep.node.cgroups import CgroupMounts, read_mounts
from skep.node.proc import of_initial_namespace

_LEAF = 2
_MEMBERSHIP = 16_384


class CgroupFiles:
    """The cgroups of this machine, or of the directories that a test gives."""

    def __init__(self, mounts: CgroupMounts | None = None, proc: str = "/proc") -> None:
        self._proc = proc
        self._knows_pids = of_initial_namespace(proc)
        self.mounts = mounts or read_mounts(_read(f"{proc}/self/mountinfo", 1 << 22))

    def scan(self, root: str | None = None) -> Iterator[tuple[int, str]]:
        """The (id, path) of every cgroup below ``root`` (the unified mount), parents first."""
        root = self.mounts.unified if root is None else root
        if not root:
            return
        pending = [("", _inode(root))]
        while pending:
            path, inode = pending.pop()
            if not inode:
                continue
            yield inode, path or "/"
            pending += _children(root, path)

    def id_of(self, path: str) -> int:
        """The id of a cgroup in the unified hierarchy, 0 where there is none."""
        return _inode(self.mounts.unified + path) if self.mounts.unified else 0

    def membership(self, pid: int) -> str:
        """The text of /proc/PID/cgroup, "" where the process has ended or pids are another namespace's."""
        return _read(f"{self._proc}/{pid}/cgroup", _MEMBERSHIP) if self._knows_pids else ""

    def legacy_paths(self) -> Iterator[str]:
        """Paths of the cgroups in one v1 hierarchy, the one that runtimes are sure to use."""
        mounts = {mount.rpartition("/")[2]: mount for mount in self.mounts.legacy}
        root = next((mounts[name] for name in ("systemd", "pids", "memory") if name in mounts), "")
        if root:
            yield from (path for _, path in self.scan(root))


def _children(root: str, path: str) -> list[tuple[str, int]]:
    """Subdirectories with their inodes. A cgroup file system counts them in the link count."""
    try:
        if os.stat(root + path).st_nlink == _LEAF:
            return []
        with os.scandir(root + path) as entries:
            return [
                (f"{path}/{entry.name}", entry.inode())
                for entry in entries
                if entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _read(path: str, limit: int) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(limit).decode("utf-8", "surrogateescape")
    except OSError:
        return ""
