"""Files that nobody but the effective user can have written, reached without following a link.

What the cache holds becomes code in the kernel, so a directory or a file is used only when it is
what it should be, belongs to the effective user and is writable by no one else. Each check is made
on the descriptor that is then used. A ``Refused`` never leaves ``lang``; it carries the value that
callers count and faces show. It knows nothing of what the files are for.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG

from skep.base.frozen import frozen

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS = 0o022

Stat = Callable[[int], os.stat_result]


class Reason(Enum):
    """Why a cache, or an entry of it, is not used."""

    LINK = "it is a symbolic link"
    KIND = "it is neither a directory nor a regular file with one name, as it should be"
    OWNER = "another user owns it"
    WRITABLE = "others may write to it"
    CORRUPT = "its checksum does not match"
    SWAPPED = "it was written for another program"
    LARGE = "it is larger than any entry"
    FULL = "the disk is full"
    DENIED = "the system refuses it"


@frozen
class CacheRefusal:
    """What is not used, and why; ``detail`` is the system's own word where there is one."""

    place: str
    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.place} is not used: {self.reason.value}{detail}"


class Refused(Exception):
    """A refusal on its way to the one who counts it."""

    def __init__(self, place: str, reason: Reason, detail: str = "") -> None:
        self.refusal = CacheRefusal(place, reason, detail)
        super().__init__(place)


@contextmanager
def directory(path: str, *, make: bool, stat: Stat = os.fstat) -> Iterator[int]:
    """A descriptor of the directory ``path`` (absolute), reached from / one name at a time.

    Raises Refused, and FileNotFoundError where a part is missing and ``make`` is false.
    """
    at, reached = os.open("/", _DIRECTORY), ""
    try:
        for name in path.strip("/").split("/"):
            reached += f"/{name}"
            with translated(reached, at, name):
                below = _enter(at, name, make=make)
            os.close(at)
            at = below
        _check(at, reached, S_ISDIR, stat)
        yield at
    finally:
        os.close(at)


def _enter(at: int, name: str, *, make: bool) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=at)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):  # another start makes it at the same time
        os.mkdir(name, 0o700, dir_fd=at)
    return os.open(name, _DIRECTORY, dir_fd=at)


@contextmanager
def reading(at: int, name: str, place: str, stat: Stat = os.fstat) -> Iterator[tuple[int, int]]:
    """Descriptor and size of the file ``name`` in directory ``at``; raises as ``directory``."""
    with translated(place, at, name):
        fd = os.open(name, _READ, dir_fd=at)
    try:
        yield fd, _check(fd, place, S_ISREG, stat).st_size
    finally:
        os.close(fd)


@contextmanager
def new(at: int, name: str, place: str) -> Iterator[int]:
    """A descriptor of a file that did not exist before (0600)."""
    with translated(place, at, name):
        fd = os.open(name, _NEW, 0o600, dir_fd=at)
    try:
        yield fd
    finally:
        os.close(fd)


def _check(fd: int, place: str, kind: Callable[[int], bool], stat: Stat) -> os.stat_result:
    found = stat(fd)
    if kind is S_ISREG and found.st_nlink == 0:  # another writer put one in its place meanwhile
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), place)
    if not kind(found.st_mode) or (kind is S_ISREG and found.st_nlink != 1):
        raise Refused(place, Reason.KIND)
    if found.st_uid != os.geteuid():
        raise Refused(place, Reason.OWNER, f"uid {found.st_uid}")
    if found.st_mode & _OTHERS:
        raise Refused(place, Reason.WRITABLE, f"mode {S_IMODE(found.st_mode):o}")
    return found


@contextmanager
def translated(place: str, at: int = -1, name: str = "") -> Iterator[None]:
    """OSError becomes Refused, but for a missing file. ``name`` in ``at`` may be what is wrong."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Refused(place, _reason(error, at, name), error.strerror or "") from error


def _reason(error: OSError, at: int, name: str) -> Reason:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Reason.FULL
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO) and name:
        try:
            mode = os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
        except OSError:
            return Reason.DENIED
        return Reason.LINK if S_ISLNK(mode) else Reason.KIND
    return Reason.DENIED
