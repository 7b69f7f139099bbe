"""Names in the bpffs: what an instance lets outlive its process lies in a directory of its own.

Nothing is mounted: where there is no bpffs, pinning is Unsupported, with the command that mounts one.
A directory of pins has no state of its own here; the file system is the state.
"""

import os
from contextlib import suppress

from skep.base.errors import BadInput, Forbidden, Unsupported

ROOT = "/sys/fs/bpf"
MOUNTS = "/proc/self/mountinfo"


def mounts_of(kind: str, table: str = MOUNTS) -> list[str]:
    """Where file systems of a kind are mounted."""
    found = []
    with open(table, encoding="utf-8") as lines:
        for line in lines:
            fields, _, rest = line.partition(" - ")
            if rest.split(" ", 1)[0] == kind:
                found.append(fields.split(" ")[4])
    return found


class Pins:
    """The pins in ``directory``, which lies in a bpffs."""

    def __init__(self, directory: str, *, table: str = MOUNTS) -> None:
        self.directory, self._table = directory, table

    def ensure(self) -> None:
        """Makes the directory (0700) unless it is there; Unsupported without a bpffs, Forbidden without root."""
        if os.path.isdir(self.directory):
            return
        found = mounts_of("bpf", self._table)
        if not any(self.directory.startswith(f"{mount}/") for mount in found):
            reason = f"no bpffs is mounted at {ROOT}; mount one with: mount -t bpf bpf {ROOT}"
            raise Unsupported("pinning", reason, "4.4", "state that ends with the agent")
        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
        except PermissionError as error:
            raise Forbidden(f"making {self.directory}") from error

    def path(self, name: str) -> str:
        """The path of a pin; a bpffs takes no dots in names."""
        if not name or not name.replace("_", "").replace("-", "").isalnum():
            raise BadInput("pin", f"{name!r} cannot name a pin", "take letters, digits, - and _")
        return f"{self.directory}/{name}"

    def names(self) -> list[str]:
        """What is pinned, sorted; nothing where there is no directory."""
        try:
            return sorted(os.listdir(self.directory))
        except FileNotFoundError:
            return []

    def remove(self, name: str) -> bool:
        """Takes a pin away; whether it was there. The object goes with its last holder."""
        try:
            os.unlink(self.path(name))
        except FileNotFoundError:
            return False
        return True

    def clear(self) -> list[str]:
        """Takes all pins and the directory away; gives their names."""
        gone = [name for name in self.names() if self.remove(name)]
        with suppress(FileNotFoundError):
            os.rmdir(self.directory)
        return gone
