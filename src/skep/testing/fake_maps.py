"""Maps of the fake kernel: entries as bytes, with the errors that the kernel gives. ``door`` reads the attributes.

Hashes, arrays, per-CPU maps, LPM tries, queues, stacks and bloom filters work; of a ring or a mapped array the memory
lies behind a file. Maps of descriptors keep the id of the object that was given.
"""

import errno
import os
import struct
from dataclasses import dataclass, field

from skep.kernel import cpus

ARRAYS, PER_CPU, LPM, RING, BLOOM = (2, 6), (5, 6, 10), 11, 27, 30
HASHES = (1, 5, 9, 10, LPM)
QUEUE, STACK = 22, 23
KEYLESS = (QUEUE, STACK, BLOOM)
MMAPABLE = 1 << 10
NOEXIST, EXIST, LOCK = 1, 2, 4
U32 = struct.Struct("<I")


def refused(code: int) -> OSError:
    """What the kernel answers."""
    return OSError(code, os.strerror(code))


@dataclass(slots=True)
class FakeMap:
    """A map: ``values`` by key, as bytes; of a map without keys ``pushed``; of a ring the memory behind ``file``.

    ``btf`` are the ids of the BTF object and of the types of key and value. ``unlocked`` counts what was read and
    written without the lock of the value.
    """

    id: int
    type: int
    key_size: int
    value_size: int
    entries: int
    flags: int
    name: str
    values: dict[bytes, bytes] = field(default_factory=dict)
    pushed: list[bytes] = field(default_factory=list)
    file: int = -1
    frozen: bool = False
    btf: tuple[int, int, int] = (0, 0, 0)
    unlocked: int = 0

    @property
    def stored(self) -> int:
        """Bytes of a value as a system call sees it."""
        slot = -(-self.value_size // 8) * 8
        return slot * len(cpus.possible()) if self.type in PER_CPU else self.value_size

    def note(self, flags: int) -> None:
        """Something is read or written, with flags."""
        self.unlocked += not flags & LOCK

    def fill(self) -> None:
        """What a new map holds: an array is zero."""
        if self.type in ARRAYS:
            self.values = {U32.pack(n): bytes(self.stored) for n in range(self.entries)}

    def read(self, key: bytes) -> bytes:
        """The value of a key, of a map without keys the next one; OSError where there is none."""
        if self.type in KEYLESS:
            return self._next(key)
        found = self._find(key)
        if found is None:
            raise refused(errno.ENOENT)
        return self.value(found)

    def value(self, key: bytes) -> bytes:
        """The value of a key that is there."""
        if self.type in ARRAYS and self.file >= 0:
            step = -(-self.stored // 8) * 8
            return os.pread(self.file, self.stored, U32.unpack(key)[0] * step)
        return self.values[key]

    def _next(self, wanted: bytes) -> bytes:
        if self.type == BLOOM and wanted in self.pushed:
            return wanted
        if self.type == BLOOM or not self.pushed:
            raise refused(errno.ENOENT)
        return self.pushed[0 if self.type == QUEUE else -1]

    def _find(self, key: bytes) -> bytes | None:
        """The stored key for ``key``: of an LPM map the longest prefix of it."""
        if self.type != LPM:
            return key if key in self.values else None
        matching = [one for one in self.values if _covers(one, key)]
        return max(matching, key=lambda one: U32.unpack_from(one)[0], default=None)

    def take(self, key: bytes) -> bytes:
        """Reads and removes."""
        found = self.read(key)
        if self.type in (QUEUE, STACK):
            return self.pushed.pop(0 if self.type == QUEUE else -1)
        self.remove(key)
        return found

    def store(self, key: bytes, value: bytes, flags: int) -> None:
        """Writes an entry; OSError as the kernel's."""
        if self.frozen:
            raise refused(errno.EPERM)
        if self.type in KEYLESS:
            self._push(value, flags)
            return
        there, flags = key in self.values, flags & ~LOCK
        if there and flags == NOEXIST:
            raise refused(errno.EEXIST)
        if not there and flags == EXIST:
            raise refused(errno.ENOENT)
        if not there and (len(self.values) >= self.entries or self.type in ARRAYS):
            raise refused(errno.E2BIG)
        self.values[key] = value
        if self.type in ARRAYS and self.file >= 0:
            step = -(-self.stored // 8) * 8
            os.pwrite(self.file, value, U32.unpack(key)[0] * step)

    def _push(self, value: bytes, flags: int) -> None:
        if self.type != BLOOM and len(self.pushed) >= self.entries:
            if flags != EXIST:
                raise refused(errno.E2BIG)
            self.pushed.pop(0)
        self.pushed.append(value)

    def remove(self, key: bytes) -> None:
        """Deletes an entry."""
        if self.type in ARRAYS:
            raise refused(errno.EINVAL)
        if key not in self.values:
            raise refused(errno.ENOENT)
        del self.values[key]

    def after(self, key: bytes | None) -> bytes:
        """The key after ``key``, the first where that is not there."""
        keys = list(self.values)
        index = keys.index(key) + 1 if key in self.values else 0
        if index >= len(keys):
            raise refused(errno.ENOENT)
        return keys[index]


def _covers(prefix: bytes, key: bytes) -> bool:
    """Whether the LPM key ``prefix`` matches the address in ``key``."""
    bits: int = U32.unpack_from(prefix)[0]
    shift = (len(key) - 4) * 8 - bits
    same = int.from_bytes(prefix[4:], "big") >> shift == int.from_bytes(key[4:], "big") >> shift
    return same and bits <= U32.unpack_from(key)[0]
