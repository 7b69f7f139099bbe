"""Accepts one connection in a way that Python has no call for: run as ``python calls.py WAY``.

Prints the port on which it listens; closes the connection when its peer has, and exits.
"""

import ctypes  # noqa: TID251 - calls that Python has not
import mmap
import os
import socket
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
SETUP, ENTER, REGISTER = 425, 426, 427
GETEVENTS, REGISTER_FILES = 1, 2
ACCEPT, CONNECT, CLOSE, RECV = 13, 16, 19, 27
MULTISHOT, FIXED_FILE = 1, 1
IA32_ACCEPT4 = 364


def call(number: int, *arguments: object) -> int:
    result = LIBC.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


class Uring:
    """A ring of io_uring with room for one request at a time (io_uring(7))."""

    def __init__(self) -> None:
        parameters = (ctypes.c_uint32 * 30)()
        self.fd = call(SETUP, 4, parameters)
        self.sq, self.cq = parameters[10:20], parameters[20:30]
        self.rings = mmap.mmap(self.fd, 4096 * 4, offset=0)
        self.entries = mmap.mmap(self.fd, 4096, offset=0x10000000)

    def submit(self, entry: bytes) -> int:
        """Submit one request and wait for its first completion; the result."""
        self.entries[:64] = entry.ljust(64, b"\0")
        (tail,) = struct.unpack_from("I", self.rings, self.sq[1])
        (mask,) = struct.unpack_from("I", self.rings, self.sq[2])
        struct.pack_into("I", self.rings, self.sq[6] + 4 * (tail & mask), 0)
        struct.pack_into("I", self.rings, self.sq[1], tail + 1)
        call(ENTER, self.fd, 1, 1, GETEVENTS, None, 0)
        (head,) = struct.unpack_from("I", self.rings, self.cq[0])
        (mask,) = struct.unpack_from("I", self.rings, self.cq[2])
        at = self.cq[5] + 16 * (head & mask)
        result = int(struct.unpack_from("i", self.rings, at + 8)[0])
        struct.pack_into("I", self.rings, self.cq[0], head + 1)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result


def request(code: int, fd: int, **more: int) -> bytes:
    """A request, as struct io_uring_sqe."""
    flags, priority, slot = (more.get(name, 0) for name in ("flags", "priority", "slot"))
    offset, address, size = (more.get(name, 0) for name in ("offset", "address", "size"))
    head = struct.pack("<BBHiQQIIQ", code, flags, priority, fd, offset, address, size, 0, 1)
    return head + struct.pack("<HHI", 0, 0, slot)


def connect(one: socket.socket, address: bytes) -> int:
    """Connect a socket; the error, 0 where there is none."""
    raw = ctypes.create_string_buffer(address)
    place = {"address": ctypes.addressof(raw), "offset": len(address)}
    try:
        return Uring().submit(request(CONNECT, one.fileno(), **place))
    except OSError as error:
        return error.errno or 0


def one(listener: socket.socket) -> int:
    return Uring().submit(request(ACCEPT, listener.fileno()))


def many(listener: socket.socket) -> int:
    return Uring().submit(request(ACCEPT, listener.fileno(), priority=MULTISHOT))


def direct(listener: socket.socket) -> int:
    """Into the ring's own table: the process has no descriptor. Reads and closes by the ring."""
    ring = Uring()
    call(REGISTER, ring.fd, REGISTER_FILES, (ctypes.c_int32 * 1)(-1), 1)
    ring.submit(request(ACCEPT, listener.fileno(), slot=1))
    buffer = ctypes.create_string_buffer(64)
    place = {"address": ctypes.addressof(buffer), "size": 64}
    while ring.submit(request(RECV, 0, flags=FIXED_FILE, **place)):
        pass
    ring.submit(request(CLOSE, 0, slot=1))
    return -1


def compat(listener: socket.socket) -> int:
    """As a 32-bit program calls the kernel: accept4 by interrupt 0x80."""
    code = b"\x53\x56\x89\xfb\x31\xc9\x31\xd2\x31\xf6\xb8" + struct.pack("<I", IA32_ACCEPT4)
    code += b"\xcd\x80\x5e\x5b\xc3"
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = int(ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(address)(listener.fileno()))
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


WAYS = {"one": one, "many": many, "direct": direct, "compat": compat}


def main(way: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - for the test
    accepted = WAYS[way](listener)
    if accepted < 0:
        return
    with socket.socket(fileno=accepted) as server:
        while server.recv(4096):
            pass


if __name__ == "__main__":
    main(sys.argv[1])
