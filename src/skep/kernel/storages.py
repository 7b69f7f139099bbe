"""Live storages: the value of a task, socket, inode or cgroup. Values are exact, as in ``maps``.

The kernel finds an owner by a descriptor; here a task is given by its pid, a socket as a socket, an inode and a cgroup
by path, and any of them by a descriptor or an object that has one. Owners cannot be listed: an iterator program does.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar, Protocol

from skep.kernel.chunks import MAX_BATCH, Chunks
from skep.kernel.commands import Command
from skep.kernel.handle import Handle
from skep.kernel.maps import Map, Value
from skep.lang.exact import exact
from skep.lang.spec import MapType
from skep.lang.struct import unpack
from skep.lang.types import s32


class HasFile(Protocol):
    """A socket, a file."""

    def fileno(self) -> int:
        """Its descriptor."""
        ...


Owner = int | str | HasFile
PIDFD_THREAD = os.O_EXCL
_NO_OWNER = (errno.ENOENT, errno.ESRCH, errno.EINVAL)


def _task(tid: int) -> int:
    """A thread; before Linux 6.9 only the first of a process has a descriptor."""
    try:
        return os.pidfd_open(tid, PIDFD_THREAD)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.pidfd_open(tid)


def _path(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_CLOEXEC)


def _directory(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


OPENED: dict[tuple[MapType, type], Callable[..., int]] = {
    (MapType.TASK_STORAGE, int): _task,
    (MapType.INODE_STORAGE, str): _path,
    (MapType.CGRP_STORAGE, str): _directory,
}
"""How an owner that has no descriptor gets one."""


class Attached(Map):
    """Values by cgroup to which programs were attached: ``storage["/sys/fs/cgroup/x"]``, or its number, the inode's.

    KeyError where none was. Nothing is deleted.
    """

    REFUSED: ClassVar = {errno.EINVAL: "a value is there as long as the map and the cgroup are"}

    def __setitem__(self, key: Value, value: Value) -> None:
        if self.element(Command.MAP_UPDATE, self.pack_key(key), self.pack_value(value)) is not None:
            raise KeyError(key)

    def pack_key(self, key: Value) -> bytes:
        """The bytes of a key. KeyError where there is no such directory."""
        if not isinstance(key, str):
            return super().pack_key(key)
        try:
            return super().pack_key(os.stat(key).st_ino)
        except FileNotFoundError as error:
            raise KeyError(key) from error

    def chunks(self, size: int = MAX_BATCH, *, take: bool = False) -> Chunks:
        """Keys, values and their number; there is no limit to these."""
        return Chunks(self, size, take=take)


class Storage(Handle):
    """``storage[pid] = value``: KeyError where the owner is gone, or has no value."""

    @contextmanager
    def _key(self, owner: Owner) -> Iterator[bytes]:
        opened = OPENED.get((self.spec.type, type(owner)))
        try:
            fd = opened(owner) if opened else self._descriptor(owner)
        except OSError as error:
            if error.errno not in _NO_OWNER:
                raise
            raise KeyError(owner) from error
        try:
            yield exact(s32, fd, f"{self.spec.name}: owner")
        finally:
            if opened:
                os.close(fd)

    def _descriptor(self, owner: Owner) -> int:
        fd = owner if isinstance(owner, int) else getattr(owner, "fileno", lambda: None)()
        if not isinstance(fd, int):
            wanted = "a descriptor, or an object that has one"
            raise TypeError(f"{self.spec.name}: the owner is {wanted}, not {owner!r}")
        return fd

    def __getitem__(self, owner: Owner) -> Value:
        data = bytearray(self.value_bytes)
        with self._key(owner) as key:
            if self.element(Command.MAP_LOOKUP, key, data, self.lock) is not None:
                raise KeyError(owner)
        return unpack(self.spec.value, bytes(data))

    def __setitem__(self, owner: Owner, value: Value) -> None:
        raw = exact(self.spec.value, value, f"{self.spec.name}: value")
        with self._key(owner) as key:
            self.element(Command.MAP_UPDATE, key, raw, self.lock)

    def __delitem__(self, owner: Owner) -> None:
        with self._key(owner) as key:
            if self.element(Command.MAP_DELETE, key) is not None:
                raise KeyError(owner)

    def __contains__(self, owner: Owner) -> bool:
        try:
            self[owner]
        except KeyError:
            return False
        return True

    def get(self, owner: Owner, default: Value = None) -> Value:
        """The value of an owner, else ``default``."""
        try:
            return self[owner]
        except KeyError:
            return default

    def __iter__(self) -> Iterator[Value]:
        hint = "an iterator program goes over them (skep.iterator)"
        raise TypeError(f"{self.spec.name}: the owners of a storage cannot be listed here; {hint}")
