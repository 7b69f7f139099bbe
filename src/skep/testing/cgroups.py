"""Cgroups (version 2) for tests: made for one test; what denies or kills is attached to one of these only.

At its end a cgroup's processes, which the test started in it, are killed, and the cgroup is removed.
"""

import os
import subprocess
import time
from contextlib import suppress

from skep.base.errors import Unsupported
from skep.node.cgroups import read_mounts

SECONDS = 60.0


def root() -> str:
    """Where cgroup2 is mounted, also beside version 1; Unsupported where it is not."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        found = read_mounts(mounts.read()).unified
    if not found:
        raise Unsupported("cgroup2", "it is not mounted", since="4.5")
    return found


class Cgroup:
    """A cgroup below the root of version 2."""

    def __init__(self, name: str) -> None:
        self.path = f"{root()}/{name}"
        os.mkdir(self.path)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)

    @property
    def id(self) -> int:
        """What bpf_get_current_cgroup_id() gives to a process inside."""
        return os.fstat(self.fd).st_ino

    @property
    def pids(self) -> list[int]:
        """The processes inside."""
        with open(f"{self.path}/cgroup.procs", encoding="ascii") as procs:
            return [int(line) for line in procs]

    def add(self, pid: int) -> None:
        """Move a process of the test's own into it."""
        with open(f"{self.path}/cgroup.procs", "w", encoding="ascii") as procs:
            procs.write(str(pid))

    def command(self, *arguments: str) -> list[str]:
        """``arguments`` as a command that is inside from its first instruction on."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', f"{self.path}/cgroup.procs", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, with its output."""
        return subprocess.run(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def close(self) -> None:
        """Kill what is still inside and remove it."""
        os.close(self.fd)
        deadline = time.monotonic() + SECONDS
        while True:
            for pid in self.pids:
                if pid != os.getpid():
                    with suppress(ProcessLookupError):  # it has ended since it was listed
                        os.kill(pid, 9)
            try:
                os.rmdir(self.path)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return
