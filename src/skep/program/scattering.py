"""The function that makes columns of a ring, from the cache or else from the compiler; None where there can be none.

Without it a drain does the same by numpy. What of the cache was not used, or may not be executed, is counted as it is
for programs; a processor whose code cannot be made, or a compiler that is not there, is no fault.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from skep.base.errors import CompileError
from skep.events.drain import Drain, numbered
from skep.events.live import RingMemory
from skep.kernel.native import Function
from skep.lang import native, scatter
from skep.lang.cache import Cache, Opened
from skep.lang.private import CacheRefusal, Reason
from skep.lang.struct import StructType
from skep.program.objects import compiler_identity


class Keeper(Protocol):
    """Where functions are kept ("": nowhere); ``refusals`` is as ``program.objects.Host`` has it."""

    cache: str
    refusals: "Counter[CacheRefusal]"


def drain(ring: RingMemory, records: Sequence[StructType], keeper: Keeper) -> Drain:
    """A drain of the ring, by its function where there is one."""
    (found,) = opened([records], keeper)
    if found is None:
        return Drain(ring, records)
    try:
        return Drain(ring, records, native=Function(found.fd, found.at))
    finally:
        os.close(found.fd)


def opened(carried: Sequence[Sequence[StructType]], keeper: Keeper) -> list[Opened | None]:
    """For each ring, by the records that it carries: the file of its function, which this process may execute.

    Those that are missing are compiled together.
    """
    machine = native.processor()
    if not (keeper.cache and machine):
        return [None] * len(carried)
    cache = Cache(f"{keeper.cache}/objects")
    texts = [
        scatter.text(numbered(records)) if records[0].size <= scatter.LARGEST else ""
        for records in carried
    ]
    found = _files(cache, texts, machine)
    keeper.refusals.update(cache.refusals)
    return found


def _files(cache: Cache, texts: Sequence[str], machine: str) -> list[Opened | None]:
    keys = [_key(text, machine) for text in texts]
    files = [cache.open(key) for key in keys]
    missing = {
        key: text for key, text, file in zip(keys, texts, files, strict=True) if text and not file
    }
    if missing:
        _compile(cache, missing, machine)
        files = [file or cache.open(key) for key, file in zip(keys, files, strict=True)]
    return [
        file if file and _runs(cache, file, key) else None
        for key, file in zip(keys, files, strict=True)
    ]


def _key(text: str, machine: str) -> bytes:
    return hashlib.sha256(compiler_identity().encode() + native.signature(text, machine)).digest()


def _compile(cache: Cache, missing: Mapping[bytes, str], machine: str) -> None:
    with suppress(CompileError):
        made = native.made(scatter.NAME, list(missing.values()), machine)
        for key, payload in zip(missing, made, strict=True):
            cache.put(key, payload)


def _runs(cache: Cache, file: Opened, key: bytes) -> bool:
    """Whether the file may be executed, else it is closed: its disk may be mounted otherwise, or a policy forbid it."""
    try:
        Function(file.fd, file.at)
    except OSError as error:
        os.close(file.fd)
        place, why = f"{cache.directory}/{key.hex()}", f"to be executed: {error.strerror}"
        cache.refusals[CacheRefusal(place, Reason.DENIED, why)] += 1
        return False
    return True
