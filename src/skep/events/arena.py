"""Shared memory between a writer and a reader: a ring of messages in a memfd, which dies with both.

A message appears to the reader when it is complete, because the writer's position moves last; a
writer that is killed in between leaves nothing. Nobody waits here: a message that finds no room is
refused. What messages mean is not known here.

Both positions are aligned 64-bit words, stored and loaded whole. Their order against the bytes is
kept where stores are not reordered with stores (x86); elsewhere the wake-up that follows, a system
call, orders them for all but a racing reader.
"""

import fcntl
import mmap
import os
import struct

_PAGE = 4096
_HEAD, _TAIL, _COUNTERS = 8, 16, 24
COUNTERS = 8
_PREFIX = struct.Struct("<II")
SKIP = 0
"""The kind of what fills the end of the ring; the reader passes over it."""


def padded(size: int) -> int:
    """``size`` rounded up to 8."""
    return -(-size // 8) * 8


def create(capacity: int) -> int:
    """A descriptor of a new arena of at least ``capacity`` bytes; its size is sealed."""
    fd = os.memfd_create("skep-events", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, _PAGE + -(-capacity // _PAGE) * _PAGE)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


class Arena:
    """A mapping of the arena ``fd``, the caller's; ``counters`` are words of both sides."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, os.fstat(fd).st_size)
        memory = memoryview(self._map)
        self._words = memory[:_PAGE].cast("Q")
        self.counters = self._words[_COUNTERS : _COUNTERS + COUNTERS]
        self._data = memory[_PAGE:]
        self.capacity = len(self._data)
        memory.release()

    @property
    def longest(self) -> int:
        """The largest body of a message, in bytes: what is larger is to be sent in parts."""
        return self.capacity // 4 - _PREFIX.size

    @property
    def written(self) -> int:
        """Bytes that were ever written: where the writer is."""
        return self._words[_HEAD]

    @property
    def taken(self) -> int:
        """Bytes of them that were read: where the reader is."""
        return self._words[_TAIL]

    @property
    def used(self) -> int:
        """Bytes that the reader has not yet taken."""
        return self.written - self.taken

    def write(self, kind: int, body: bytes) -> bool:
        """Appends a message; False where there is no room. The reader sees ``body`` padded to 8."""
        length = _PREFIX.size + padded(len(body))
        head, free = self._words[_HEAD], self.capacity - self.used
        at = head % self.capacity
        gap = self.capacity - at if at + length > self.capacity else 0
        if gap + length > free:
            return False
        if gap:
            _PREFIX.pack_into(self._data, at, gap, SKIP)
            at = 0
        _PREFIX.pack_into(self._data, at, length, kind)
        at += _PREFIX.size
        self._data[at : at + len(body)] = body
        self._words[_HEAD] = head + gap + length
        return True

    def read(self) -> tuple[int, bytes] | None:
        """Takes the next message: its kind and a copy of its body. None where there is none.

        ValueError where the memory makes no sense; all up to the writer's position is dropped then.
        """
        head, tail = self._words[_HEAD], self._words[_TAIL]
        while tail < head:
            at = tail % self.capacity
            length, kind = _PREFIX.unpack_from(self._data, at)
            if _PREFIX.size > length or length % 8 or length > min(head - tail, self.capacity - at):
                self._words[_TAIL] = head
                raise ValueError(f"a message of {length} bytes at {at}")
            body = b"" if kind == SKIP else bytes(self._data[at + _PREFIX.size : at + length])
            tail += length
            self._words[_TAIL] = tail
            if kind != SKIP:
                return kind, body
        return None

    def close(self) -> None:
        """Unmaps."""
        for view in (self.counters, self._words, self._data):
            view.release()
        self._map.close()
