"""A socket of AF_XDP as small as can be: it receives what XDP redirects to it into memory of its own, copied."""

import ctypes  # noqa: TID251 - Python's own bind knows no such addresses
import mmap
import select
import socket
import struct
from typing import Self

from skep.kernel.bpf import address

AF_XDP, SOL_XDP = 44, 283
OFFSETS, RX_RING, UMEM, FILL_RING, COMPLETION_RING = 1, 2, 4, 5, 6
RX_AT, FILL_AT = 0, 0x100000000
COPY = 2
FRAMES, SIZE = 8, 4096


class Xsk:
    """Of one queue of a device, in the calling thread's network namespace; packets are taken one by one."""

    def __init__(self, device: str, queue: int = 0) -> None:
        self._socket = socket.socket(AF_XDP, socket.SOCK_RAW)
        self._memory = mmap.mmap(-1, FRAMES * SIZE)
        place = address(memoryview(self._memory))
        self._socket.setsockopt(
            SOL_XDP, UMEM, struct.pack("<QQIIQ", place, FRAMES * SIZE, SIZE, 0, 0)
        )
        for ring in (FILL_RING, COMPLETION_RING, RX_RING):
            self._socket.setsockopt(SOL_XDP, ring, FRAMES)
        offsets = struct.unpack("<16Q", self._socket.getsockopt(SOL_XDP, OFFSETS, 128))
        self._rx, self._fill = offsets[:4], offsets[8:12]
        self._received = self._mapped(self._rx[2] + FRAMES * 16, RX_AT)
        self._free = self._mapped(self._fill[2] + FRAMES * 8, FILL_AT)
        for index in range(FRAMES):
            struct.pack_into("<Q", self._free, self._fill[2] + 8 * index, index * SIZE)
        struct.pack_into("<I", self._free, self._fill[0], FRAMES)
        self._bind(struct.pack("<HHIII", AF_XDP, COPY, socket.if_nametoindex(device), queue, 0))

    def _mapped(self, size: int, at: int) -> mmap.mmap:
        return mmap.mmap(self.fileno(), size, offset=at)

    def _bind(self, where: bytes) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.bind(self.fileno(), where, len(where)):
            raise OSError(ctypes.get_errno(), "bind of AF_XDP")

    def fileno(self) -> int:
        """The socket."""
        return self._socket.fileno()

    def recv(self, seconds: float) -> bytes:
        """The next packet. TimeoutError where none comes."""
        if not select.select([self], [], [], seconds)[0]:
            raise TimeoutError
        (taken,) = struct.unpack_from("<I", self._received, self._rx[1])
        at = self._rx[2] + 16 * (taken % FRAMES)
        place, size = struct.unpack_from("<QI", self._received, at)
        struct.pack_into("<I", self._received, self._rx[1], taken + 1)
        return self._memory[place : place + size]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
