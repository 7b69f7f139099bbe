"""Cpio archives (newc) as the kernel unpacks them for its first root, one after another where several are joined.

``archive`` makes one of bytes, ``folder`` one of what lies on the disk; nothing is unpacked here.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

TRAILER = "TRAILER!!!"
ALIGNMENT = 4


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


def _member(index: int, name: str, mode: int, data: bytes, time: int = 0) -> bytes:
    path = name.encode() + b"\0"
    numbers = (index, mode, 0, 0, 1, time, len(data), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % number for number in numbers)
    return _padded(header + path) + _padded(data)


def archive(
    files: dict[str, bytes], *, programs: frozenset[str], folders: tuple[str, ...]
) -> bytes:
    """An archive of ``folders``, then ``files`` (path -> content); those in ``programs`` may be executed."""
    parents = {f.rsplit("/", i)[0] for f in files for i in range(1, f.count("/") + 1)}
    members = [
        (name, stat.S_IFDIR | 0o755, b"") for name in sorted(parents | set(folders), key=len)
    ]
    members += [
        (name, stat.S_IFREG | (0o755 if name in programs else 0o644), data)
        for name, data in files.items()
    ]
    members.append((TRAILER, 0, b""))
    return b"".join(_member(i, *member) for i, member in enumerate(members, 1))


def folder(source: Path, name: str, without: Sequence[str] = ()) -> bytes:
    """An archive of what lies in ``source``, as ``name``: modes, links and times in whole seconds are kept, owners not.

    ``without`` are patterns of names that are left out, with what is in them.
    """
    parts = name.split("/")
    above = [("/".join(parts[:i]), stat.S_IFDIR | 0o755, b"", 0) for i in range(1, len(parts))]
    members = [*above, *_found(source, name, without), (TRAILER, 0, b"", 0)]
    return b"".join(_member(i, *member) for i, member in enumerate(members, 1))


def _found(path: Path, name: str, without: Sequence[str]) -> Iterator[tuple[str, int, bytes, int]]:
    status = path.lstat()
    data = b""
    if stat.S_ISLNK(status.st_mode):
        data = os.readlink(path).encode()
    elif stat.S_ISREG(status.st_mode):
        data = path.read_bytes()
    yield name, status.st_mode, data, int(status.st_mtime)
    if stat.S_ISDIR(status.st_mode):
        for below in sorted(path.iterdir()):
            if not any(fnmatchcase(below.name, pattern) for pattern in without):
                yield from _found(below, f"{name}/{below.name}", without)
