"""The streams of a loaded program: text that it prints, and that the kernel tells of its runs. Linux 6.17.

A stream belongs to the program, and is kept by the kernel until it is read, up to 100 kB; what is read is taken out.
"""

import errno

from skep.base.errors import Unsupported
from skep.kernel import commands
from skep.kernel.bpf import DOOR, Door
from skep.kernel.refusal import refused

STDOUT, STDERR = 1, 2
NAMES = {"stdout": STDOUT, "stderr": STDERR}
ROOM = 1 << 14
SINCE = "6.17"


def read(fd: int, stream: int, subject: str, *, door: Door = DOOR) -> str:
    """All that is in a stream of a program now. Unsupported where the kernel has none."""
    parts: list[bytes] = []
    with refused("BPF_PROG_STREAM_READ_BY_FD", subject, door=door):
        while part := _part(fd, stream, door):
            parts.append(part)
    return b"".join(parts).decode("utf-8", "backslashreplace")


def _part(fd: int, stream: int, door: Door) -> bytes:
    try:
        return commands.prog_stream_read(door, fd, stream, ROOM)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        why = "it has no streams of programs"
        raise Unsupported("print(..., file=)", why, SINCE, "print() and --trace") from error
