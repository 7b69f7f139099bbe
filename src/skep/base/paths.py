"""Where an instance keeps what it owns, and the check of its name. Values, and a directory maker.

Paths are plain text: everything that starts imports this, and pathlib costs more than it gives.
"""

import os
import re
import stat

from skep.base.errors import BadInput, Conflict
from skep.base.frozen import frozen

DEFAULT_INSTANCE = "default"
RUN_ROOT = "/run/skep"
PINS_ROOT = "/sys/fs/bpf/skep"
CACHE_ROOT = "/var/cache/skep"
_NAME = r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"


def check_instance(name: str, place: str = "instance") -> str:
    """``name`` if it can name an instance: a directory of /run and bpffs (which takes no dots)."""
    if re.fullmatch(_NAME, name, re.ASCII):
        return name
    raise BadInput(
        place,
        f"{name!r} cannot name an instance",
        "take 1 to 32 of a-z, 0-9 and -, with a letter or digit at both ends",
    )


@frozen
class Paths:
    """The directories and files of one instance."""

    instance: str
    run: str
    pins: str
    cache: str

    @property
    def agent_socket(self) -> str:
        """The local API."""
        return f"{self.run}/agent.sock"

    @property
    def lock(self) -> str:
        """Held by the agent of the instance; holds its pid."""
        return f"{self.run}/lock"

    @property
    def owned(self) -> str:
        """What the instance has put into the kernel, for ``skep down``."""
        return f"{self.run}/owned.json"


def instance_paths(name: str, cache: str, *, run_root: str = RUN_ROOT) -> Paths:
    """The paths of instance ``name``; ``cache`` is what ``cache_directory`` gave."""
    checked = check_instance(name)
    return Paths(checked, f"{run_root}/{checked}", f"{PINS_ROOT}/{checked}", cache)


def cache_directory(uid: int, home: str, xdg: str = "") -> str:
    """/var/cache/skep for root; else below ``xdg`` (ignored unless absolute) or ``home``/.cache."""
    if uid == 0:
        return CACHE_ROOT
    return f"{xdg if xdg.startswith('/') else f'{home}/.cache'}/skep"


def make_private(path: str) -> str:
    """Make directory ``path`` (0700) and its parents; Conflict unless only we may write it.

    What lies in it can become code in the kernel: a link, another's directory, or one that others
    may write is refused, not repaired.
    """
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode):
            raise Conflict(path, "something that is not a directory", "remove it") from None
        if found.st_uid != os.geteuid():
            instead = "remove it, or run as that user"
            raise Conflict(path, f"user {found.st_uid}", instead) from None
        if found.st_mode & 0o022:
            instead = "remove it: what lies in it may be theirs"
            raise Conflict(path, "a directory that others may write", instead) from None
    return path
