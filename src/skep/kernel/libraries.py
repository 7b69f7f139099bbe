"""Which file a name means: a path, a program on PATH, or a library as the dynamic linker finds it.

Nothing is loaded or run. Source of the cache's layout: sysdeps/generic/dl-cache.h of glibc.
"""

import os
import shutil
import struct
from collections.abc import Iterable

from skep.base.errors import BadInput
from skep.base.similar import similar

CACHE = "/etc/ld.so.cache"
_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = struct.Struct("<20sIIB3xI12x")
_ENTRY = struct.Struct("<iIIIQ")
_FLAGS = {"x86_64": 0x0303, "aarch64": 0x0A03}
FOLDERS = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")


def find(name: str, *, cache: str = CACHE) -> str:
    """The path of a binary: ``"/usr/bin/bash"``, ``"bash"``, ``"libc"``, ``"libssl.so.3"``. BadInput: there is none."""
    if "/" in name:
        return os.path.abspath(name)  # links stay: /proc/PID/root leads into a container
    libraries = cached(cache)
    path = _library(name, libraries) or shutil.which(name) or _in_folders(name)
    if path is None:
        near = similar(name, (library.partition(".so")[0] for library in libraries))
        expected = f"did you mean {near!r}?" if near else "give a path"
        raise BadInput(name, "there is no program and no library of that name", expected)
    return os.path.realpath(path)


def cached(path: str = CACHE) -> dict[str, str]:
    """The libraries of this machine's kind in the dynamic linker's cache, by file name; {} where there is no cache."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return {}
    return parse(data, _FLAGS.get(os.uname().machine, 0))


def parse(data: bytes, flags: int) -> dict[str, str]:
    """The entries of a cache with these flags; none of what is malformed."""
    start = data.find(_MAGIC)
    if start < 0 or start + _HEADER.size > len(data):
        return {}
    count = _HEADER.unpack_from(data, start)[1]
    found: dict[str, str] = {}
    for i in range(count):
        at = start + _HEADER.size + i * _ENTRY.size
        if at + _ENTRY.size > len(data):
            break
        own, name, path, _, _ = _ENTRY.unpack_from(data, at)
        if own == flags:
            found.setdefault(_text(data, start + name), _text(data, start + path))
    return found


def _text(data: bytes, at: int) -> str:
    return data[at : data.find(b"\0", at)].decode("utf-8", "replace")


def _library(name: str, libraries: dict[str, str]) -> str | None:
    """The library ``libc.so.6``, also as ``libc``; of several versions the highest."""
    if name in libraries:
        return libraries[name]
    versions = [one for one in libraries if one.startswith(f"{name}.so")]
    return libraries[max(versions, key=_version)] if versions else None


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdigit())


def _in_folders(name: str, folders: Iterable[str] = FOLDERS) -> str | None:
    """Where there is no cache: the usual folders, and those of the machine's kind below them."""
    triple = f"{os.uname().machine}-linux-gnu"
    for folder in (path for base in folders for path in (f"{base}/{triple}", base)):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        found = _library(name, {one: f"{folder}/{one}" for one in names})
        if found:
            return found
    return None
