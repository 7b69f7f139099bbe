"""Compiled programs on disk, from one start to the next.

An entry is used only when nobody else can have written it (``private``) and its own checksum binds
its bytes to the key that was asked for. Anything else is a CacheRefusal: it is counted, and the
caller compiles. A cache holds no descriptor between calls, and never raises for what it finds on
the disk. It knows nothing of what it keeps.
"""

import hashlib
import os
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from skep.base.frozen import frozen
from skep.lang import private
from skep.lang.private import CacheRefusal, Reason, Refused

KEY_SIZE = 32
LIMIT = 64 << 20
LARGEST = 16 << 20
_MAGIC = b"skep.cache.1\n\0\0\0"
_HEADER = struct.Struct("<16s32sQ")
_DIGEST = 32
_NEW = ".new-"
T = TypeVar("T")
_STALE = 3600.0  # seconds, after which the file of a writer that died is taken away


@frozen
class Opened:
    """An entry as a file: a descriptor, the taker's to close, and where in the file the payload begins.

    Nobody but the user can have changed it since it was checked, and what takes its place is another file.
    """

    fd: int
    at: int


class Cache:
    """Entries of bytes by key (a sha256 digest) in ``directory``, which the first ``put`` makes.

    ``limit`` is in bytes, of all entries; those that were not read for longest go first.
    ``refusals`` counts what was not used. ``stat`` and ``write`` are the system's, or a test's.
    """

    def __init__(
        self,
        directory: str,
        *,
        limit: int = LIMIT,
        stat: private.Stat = os.fstat,
        write: Callable[[int, memoryview], int] = os.write,
    ) -> None:
        self.directory, self.limit = os.path.abspath(directory), limit
        self.refusals: Counter[CacheRefusal] = Counter()
        self._stat, self._write = stat, write

    def get(self, key: bytes) -> bytes | None:
        """The payload that was put under ``key``; None where there is none, or none to be used."""
        return self._found(key, lambda _, payload: payload)

    def open(self, key: bytes) -> Opened | None:
        """The file of what ``get`` would give, for whoever maps it."""
        return self._found(key, lambda fd, _: Opened(os.dup(fd), _HEADER.size))

    def _found(self, key: bytes, take: Callable[[int, bytes], T]) -> T | None:
        try:
            with private.directory(self.directory, make=False, stat=self._stat) as at:
                return self._read(at, key, take)
        except FileNotFoundError:
            return None
        except Refused as refused:
            self.refusals[refused.refusal] += 1
            return None

    def put(self, key: bytes, payload: bytes) -> bool:
        """Keep ``payload`` under ``key``, in place of what was there; False where that fails."""
        try:
            with private.directory(self.directory, make=True, stat=self._stat) as at:
                self._replace(at, key, payload)
                self._prune(at)
        except FileNotFoundError:
            self.refusals[CacheRefusal(self.directory, Reason.DENIED, "it went away")] += 1
            return False
        except Refused as refused:
            self.refusals[refused.refusal] += 1
            return False
        return True

    def _place(self, key: bytes) -> str:
        return f"{self.directory}/{_name(key)}"

    def _read(self, at: int, key: bytes, take: Callable[[int, bytes], T]) -> T:
        place = self._place(key)
        with private.reading(at, _name(key), place, self._stat) as (fd, size):
            if size > LARGEST:
                raise Refused(place, Reason.LARGE, f"{size} bytes")
            with private.translated(place):
                data = os.read(fd, size + 1)
            payload = _payload(data, key, place)
            _touch(fd)
            with private.translated(place):
                return take(fd, payload)

    def _replace(self, at: int, key: bytes, payload: bytes) -> None:
        place, name = self._place(key), f"{_NEW}{os.urandom(8).hex()}"
        data = _entry(key, payload)
        if len(data) > LARGEST:
            raise Refused(place, Reason.LARGE, f"{len(data)} bytes")
        try:
            with private.new(at, name, place) as fd, private.translated(place):
                self._write_all(fd, data)
            with private.translated(place, at, _name(key)):
                os.rename(name, _name(key), src_dir_fd=at, dst_dir_fd=at)
        except BaseException:
            _remove(at, name)
            raise

    def _write_all(self, fd: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._write(fd, rest) :]

    def _prune(self, at: int) -> None:
        """Take away what was read least recently until three quarters of the limit are left."""
        with private.translated(self.directory):
            entries = _entries(at)
        total = sum(size for _, size, _ in entries)
        if total <= self.limit:
            return
        for _, size, name in sorted(entries):
            if total <= self.limit * 3 // 4:
                break
            _remove(at, name)
            total -= size


def _name(key: bytes) -> str:
    if len(key) != KEY_SIZE:
        raise ValueError(f"a key has {KEY_SIZE} bytes, not {len(key)}")
    return key.hex()


def _entry(key: bytes, payload: bytes) -> bytes:
    data = _HEADER.pack(_MAGIC, key, len(payload)) + payload
    return data + hashlib.sha256(data).digest()


def _payload(data: bytes, key: bytes, place: str) -> bytes:
    if len(data) < _HEADER.size + _DIGEST:
        raise Refused(place, Reason.CORRUPT, f"{len(data)} bytes")
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    magic, written, length = _HEADER.unpack_from(body)
    if hashlib.sha256(body).digest() != digest or magic != _MAGIC:
        raise Refused(place, Reason.CORRUPT)
    if written != key:
        raise Refused(place, Reason.SWAPPED)
    if length != len(body) - _HEADER.size:
        raise Refused(place, Reason.CORRUPT, f"{length} bytes are said")
    return body[_HEADER.size :]


def _touch(fd: int) -> None:
    """Note the time of use: the modification time, as many disks keep no time of access."""
    with suppress(OSError):  # a disk that is read-only keeps what it has
        os.utime(fd)


def _entries(at: int) -> list[tuple[float, int, str]]:
    """Time of use, size and name of each entry; what writers that died left is taken away.

    "Now" is the latest of those times: the caller has just written an entry.
    """
    found: list[tuple[float, int, str]] = []
    with os.scandir(at) as listing:
        for item in listing:
            with suppress(FileNotFoundError):  # another start has taken it away
                stat = item.stat(follow_symlinks=False)
                found.append((stat.st_mtime, stat.st_size, item.name))
    now = max((time for time, _, _ in found), default=0.0)
    for time, _, name in found:
        if name.startswith(_NEW) and now - time > _STALE:
            _remove(at, name)
    return [entry for entry in found if not entry[2].startswith(_NEW)]


def _remove(at: int, name: str) -> None:
    with suppress(OSError):  # gone already, or a directory that somebody put there
        os.unlink(name, dir_fd=at)
