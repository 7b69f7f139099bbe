"""The door to the kernel: bpf(2), perf_event_open(2), setns(2), a mount without a mount point, a thread's privileges.

This is the only module with ctypes and system calls by number; all that reaches bpf(2) goes through a ``Door``, so a
test can put ``skep.testing.door.FakeDoor`` in its place. A door holds no state and opens nothing by itself. It raises
OSError; ``kernel.refusal`` makes an error of skep of it. It knows no command: ``kernel.commands`` writes attributes.
"""

import ctypes  # noqa: TID251 - this is the door
import errno
import fcntl
import mmap
import os
import struct
import weakref
from typing import Protocol

NEW_NETWORK = 0x40000000

# System call numbers by machine: bpf, perf_event_open, setns, prctl, capset. fsopen and so on are the same everywhere.
_NUMBERS = {"x86_64": (321, 298, 308, 157, 126), "aarch64": (280, 241, 268, 167, 91)}
_UNKNOWN = (-1, -1, -1, -1, -1)  # answered with ENOSYS
_ZEROS = (0,) * 5  # for the arguments that a call does not take
_LONGS = (ctypes.c_long,) * (1 + len(_ZEROS))
_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_FSCONFIG_CREATE = 6
_CLOEXEC = 1
_CAPABILITY_VERSION = 0x20080522  # version 3: masks of 64 bits, in halves
_RETRIES = 5  # BPF_PROG_LOAD answers EAGAIN when a signal arrives in the verifier

Buffer = bytes | bytearray | memoryview


class Door(Protocol):
    """What the kernel is asked through. Each method raises OSError where the kernel refuses."""

    def bpf(self, command: int, attr: bytearray) -> int:
        """A command; ``attr`` is a union bpf_attr, cut behind its last used field. The kernel may write into it."""
        ...

    def perf_event_open(self, attr: bytes, pid: int, cpu: int) -> int:
        """A descriptor of a perf event, closed at exec."""
        ...

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """A control of a descriptor, with a number as argument."""
        ...

    def map_memory(self, fd: int, length: int, offset: int, *, writable: bool) -> mmap.mmap:
        """A shared mapping of a descriptor; it keeps the object alive until it is closed."""
        ...

    def read(self, fd: int, size: int) -> bytes:
        """At most ``size`` bytes, none at the end."""
        ...

    def close(self, fd: int) -> None:
        """Gives a descriptor back."""
        ...

    def enter(self, fd: int, kind: int) -> None:
        """setns(2): moves the calling thread, so it is called in a thread that ends afterwards."""
        ...

    def mount_detached(self, kind: str) -> int:
        """A descriptor of the root of a file system that is mounted nowhere; it vanishes with the descriptor."""
        ...

    def capabilities(self) -> int:
        """The effective capabilities of this process, as a bit mask."""
        ...


class Privileges(Protocol):
    """The privileges of the calling thread. Each method raises OSError where the kernel refuses."""

    def prctl(self, option: int, argument: int, detail: int = 0) -> int:
        """Sets or asks for one of the options that take numbers; 0, or what was asked for."""
        ...

    def capset(self, effective: int, permitted: int, inheritable: int) -> None:
        """Sets the capabilities, as bit masks (capset(2))."""
        ...


def address(buffer: Buffer) -> int:
    """The address of a buffer's bytes, 0 for an empty one. The caller keeps the buffer alive during the call."""
    if not len(buffer):
        return 0
    if isinstance(buffer, bytes):
        return ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def allocator(call: str, *values: int) -> bool:
    """Call a function of the C library's allocator (mallopt(3), malloc_trim(3)); False where it has none such."""
    function = getattr(ctypes.CDLL(None), call, None)
    return bool(function and function(*values))


def memory(at: int, size: int) -> memoryview:
    """The writable bytes at an address of this process: for a fake of the kernel, which follows pointers as it does."""
    return memoryview((ctypes.c_char * size).from_address(at)).cast("B")


class Code:
    """A function of the machine's own code, ``at`` bytes into the file ``fd`` of ``size`` bytes; it takes an address.

    The file is mapped to be executed, never to be written, as long as this object lives. OSError where it may not be.
    """

    def __init__(self, fd: int, at: int, size: int) -> None:
        if not at < size:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, (ctypes.c_void_p, *_LONGS[1:])
        libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
        flags = mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE
        start = libc.mmap(None, size, *flags, fd, 0)
        if start == ctypes.c_void_p(-1).value:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        self._function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(start + at)
        weakref.finalize(self, libc.munmap, start, size).atexit = False

    def __call__(self, address: int) -> int:
        """The function's result."""
        result: int = self._function(address)
        return result


class SystemDoor:
    """The kernel that this process runs on."""

    def __init__(self) -> None:
        numbers = _NUMBERS.get(os.uname().machine, _UNKNOWN)
        self._bpf, self._perf_event_open, self._setns, self._prctl, self._capset = numbers
        libc = ctypes.CDLL(None, use_errno=True)
        # Declared once: converting each argument by itself takes longer than a map lookup in the kernel.
        self._syscall = ctypes.CFUNCTYPE(ctypes.c_long, *_LONGS, use_errno=True)(("syscall", libc))

    def _call(self, number: int, *arguments: int) -> int:
        result: int = self._syscall(number, *arguments, *_ZEROS[len(arguments) :])
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    def bpf(self, command: int, attr: bytearray) -> int:
        """See Door."""
        for attempt in range(_RETRIES):
            try:
                return self._call(self._bpf, command, address(attr), len(attr))
            except OSError as error:
                if error.errno != errno.EAGAIN or attempt == _RETRIES - 1:
                    raise
        raise AssertionError

    def perf_event_open(self, attr: bytes, pid: int, cpu: int) -> int:
        """See Door."""
        return self._call(self._perf_event_open, address(attr), pid, cpu, -1, 1 << 3)

    def ioctl(self, fd: int, request: int, argument: int) -> int:
        """See Door."""
        return fcntl.ioctl(fd, request, argument)

    def map_memory(self, fd: int, length: int, offset: int, *, writable: bool) -> mmap.mmap:
        """See Door."""
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        return mmap.mmap(fd, length, mmap.MAP_SHARED, protection, offset=offset)

    def read(self, fd: int, size: int) -> bytes:
        """See Door."""
        return os.read(fd, size)

    def close(self, fd: int) -> None:
        """See Door."""
        os.close(fd)

    def enter(self, fd: int, kind: int) -> None:
        """See Door."""
        self._call(self._setns, fd, kind)

    def mount_detached(self, kind: str) -> int:
        """See Door."""
        name = kind.encode()
        context = self._call(_FSOPEN, address(name), _CLOEXEC)
        try:
            self._call(_FSCONFIG, context, _FSCONFIG_CREATE, 0, 0, 0)
            return self._call(_FSMOUNT, context, _CLOEXEC, 0)
        finally:
            os.close(context)

    def capabilities(self) -> int:
        """See Door."""
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            return next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))

    def prctl(self, option: int, argument: int, detail: int = 0) -> int:
        """See Privileges."""
        return self._call(self._prctl, option, argument, detail)

    def capset(self, effective: int, permitted: int, inheritable: int) -> None:
        """See Privileges."""
        masks = (effective, permitted, inheritable)
        halves = [mask >> shift & 0xFFFFFFFF for shift in (0, 32) for mask in masks]
        head, data = struct.pack("<Ii", _CAPABILITY_VERSION, 0), struct.pack("<6I", *halves)
        self._call(self._capset, address(head), address(data))


_SYSTEM = SystemDoor()
DOOR: Door = _SYSTEM
PRIVILEGES: Privileges = _SYSTEM


def pad(attr: bytes) -> bytearray:
    """An attribute as the kernel takes it: zero behind what is given, 8-aligned."""
    return bytearray(attr + bytes(-len(attr) % 8))


def packed(layout: str, *values: int | bytes) -> bytearray:
    """An attribute from a layout of the struct module, little-endian as all machines that skep runs on."""
    return pad(struct.pack("<" + layout, *values))
