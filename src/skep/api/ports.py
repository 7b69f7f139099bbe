"""Who holds a TCP port of this host: its listening socket in /proc/net/tcp, and the process with that inode.

Reads /proc once, when asked. Sockets of other network namespaces are not seen.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

from skep.base.frozen import frozen

LISTEN = "0A"
LOCAL, STATE, INODE = 1, 3, 9


@frozen
class Holder:
    """The process that listens."""

    pid: int
    comm: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.comm})"


def holder(port: int, proc: str = "/proc") -> Holder | None:
    """The first process that listens on ``port``, None where none is found (it may be another user's)."""
    inodes = {f"socket:[{inode}]" for inode in _listening(port, proc)}
    if not inodes:
        return None
    for pid in filter(str.isdigit, os.listdir(proc)):
        if not inodes.isdisjoint(_links(f"{proc}/{pid}/fd")):
            return Holder(int(pid), _comm(f"{proc}/{pid}/comm"))
    return None


def _listening(port: int, proc: str) -> Iterator[str]:
    wanted = f":{port:04X}"
    for table in ("tcp", "tcp6"):
        with suppress(OSError), open(f"{proc}/net/{table}", encoding="ascii") as file:
            for line in file:
                words = line.split()
                if len(words) > INODE and words[LOCAL].endswith(wanted) and words[STATE] == LISTEN:
                    yield words[INODE]


def _links(directory: str) -> Iterator[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        with suppress(OSError):
            yield os.readlink(f"{directory}/{name}")


def _comm(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "?"
