"""The entries of a live map as bytes: one system call each, or many at once.

What an entry means is ``maps``' matter. A value that holds a lock is read and written under it.
"""

import errno
from collections.abc import Iterator

from skep.kernel import commands
from skep.kernel.bpf import Buffer
from skep.kernel.chunks import MAX_BATCH, Chunks
from skep.kernel.commands import Batch, Command
from skep.kernel.handle import Handle
from skep.kernel.refusal import ABSENT, refusal

ANY, NOEXIST, EXIST = 0, 1, 2


class Elements(Handle):
    """A map whose keys and values are bytes; values have ``value_bytes`` of them, all CPUs' slots."""

    def lookup(self, key: bytes) -> bytes | None:
        """The bytes of a value, None where there is no such key."""
        value = bytearray(self.value_bytes)
        if self.element(Command.MAP_LOOKUP, key, value, self.lock) is not None:
            return None
        return bytes(value)

    def take(self, key: bytes) -> bytes | None:
        """Looks up and deletes, at once where the kernel can (hash maps since Linux 5.14)."""
        value = bytearray(self.value_bytes)
        command = Command.MAP_LOOKUP_AND_DELETE
        try:
            commands.map_element(self.door, command, self.fd, key, value, flags=self.lock)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            if error.errno not in ABSENT:
                raise self.refusal(error, command) from error
            found = self.lookup(key)
            return found if found is not None and self.delete(key) else None
        return bytes(value)

    def put(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        """Writes an entry. KernelError [E2BIG] where the map is full, [EEXIST] and [ENOENT] by NOEXIST and EXIST."""
        missing = self.element(Command.MAP_UPDATE, key, value, flags | self.lock)
        if missing is not None:
            raise self.refusal(missing, Command.MAP_UPDATE) from missing

    def delete(self, key: bytes) -> bool:
        """Whether the entry was there."""
        return self.element(Command.MAP_DELETE, key) is None

    def raw_keys(self) -> Iterator[bytes]:
        """The keys as bytes."""
        after, key = b"", bytearray(self.spec.key_size)
        while self.element(Command.MAP_NEXT_KEY, after, key) is None:
            after = bytes(key)
            yield after

    def chunks(self, size: int = 4096, *, take: bool = False) -> Chunks:
        """Keys, values and their number, ``size`` entries at a time; ``take`` deletes what it reads."""
        if size < 1:
            raise ValueError(f"a batch has at least one entry, not {size}")
        return Chunks(self, min(size, self.spec.entries, MAX_BATCH), take=take)

    def write(self, keys: Buffer, values: Buffer) -> int:
        """Writes packed entries (many at once since Linux 5.6); gives how many. Full: KernelError [E2BIG]."""
        length = len(keys) // self.spec.key_size
        batch = Batch(keys, values, length, bytearray(8), self.lock)
        done, code = commands.map_batch(self.door, Command.MAP_UPDATE_BATCH, self.fd, batch)
        if code in ABSENT:
            return self._write_singly(bytes(keys), bytes(values))
        if code:
            room = f"the map is declared for {self.spec.entries}; {done} of {length} were written"
            call, name = "BPF_MAP_UPDATE_BATCH", self.spec.name
            raise refusal(OSError(code, ""), call, name, detail=room, door=self.door)
        return done

    def _write_singly(self, keys: bytes, values: bytes) -> int:
        key, value = self.spec.key_size, self.value_bytes
        count = len(keys) // key
        for at in range(count):
            self.put(keys[at * key : (at + 1) * key], values[at * value : (at + 1) * value])
        return count
