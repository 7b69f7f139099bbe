"""The entries of a map in pieces: many keys and values as bytes for one system call.

A map that changes while it is read may show an entry twice or not at all; with ``take`` each entry is read once and is
gone from the map then. Where the kernel has no batch command for the map's type (stack traces), it is one entry a call.
"""

import errno
from collections.abc import Iterator
from typing import Protocol

from skep.kernel import commands
from skep.kernel.bpf import Door
from skep.kernel.commands import Batch, Command
from skep.kernel.refusal import ABSENT, refusal
from skep.lang.spec import MapSpec

MAX_BATCH = 1 << 16

Chunk = tuple[bytearray, bytearray, int]
"""Keys, values, and how many they are; what stands behind so many has no meaning."""


class Source(Protocol):
    """The map that is read, as far as it matters here."""

    @property
    def spec(self) -> MapSpec:
        """Its sizes."""
        ...

    fd: int
    door: Door
    value_bytes: int
    lock: int

    def raw_keys(self) -> Iterator[bytes]:
        """The keys."""
        ...

    def lookup(self, key: bytes) -> bytes | None:
        """A value."""
        ...

    def take(self, key: bytes) -> bytes | None:
        """A value, which is then deleted."""
        ...


class Chunks:
    """Iterates over chunks of at most ``size`` entries, or more where one bucket of the kernel's holds more."""

    def __init__(self, source: Source, size: int, *, take: bool) -> None:
        self._source, self._size, self._take = source, size, take
        self._command = Command.MAP_LOOKUP_AND_DELETE_BATCH if take else Command.MAP_LOOKUP_BATCH

    def __iter__(self) -> Iterator[Chunk]:
        source, size, first = self._source, self._size, True
        cursor = bytearray(max(source.spec.key_size, 8))
        while True:
            keys = bytearray(size * source.spec.key_size)
            values = bytearray(size * source.value_bytes)
            batch = Batch(keys, values, size, cursor, source.lock)
            count, code = commands.map_batch(
                source.door, self._command, source.fd, batch, first=first
            )
            if code == errno.ENOSPC:  # one bucket holds more than the arrays do
                size *= 2
                continue
            if code in ABSENT and first:
                yield from self._singly()
                return
            if code not in (0, errno.ENOENT):
                name = f"BPF_{self._command.name}"
                raise refusal(OSError(code, ""), name, source.spec.name, door=source.door)
            if count:
                yield keys, values, count
            if code:
                return
            first = False

    def _singly(self) -> Iterator[Chunk]:
        """All of it, with one system call for each entry."""
        read = self._source.take if self._take else self._source.lookup
        keys, values = bytearray(), bytearray()
        for key in list(self._source.raw_keys()):
            value = read(key)
            if value is not None:
                keys += key
                values += value
        if keys:
            yield keys, values, len(keys) // self._source.spec.key_size
