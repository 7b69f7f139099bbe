"""A cgroup as the place of a program: its directory, held open while the kernel is asked."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from skep.base.errors import BadInput, KernelError

DIRECTORY = "its directory below /sys/fs/cgroup"


@contextmanager
def opened(path: str) -> Iterator[int]:
    """The descriptor of a directory. BadInput where there is none, and where the kernel says that it is no cgroup."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        problem = f"{path} cannot be opened ({error.strerror})"
        raise BadInput("cgroup", problem, f"give {DIRECTORY}") from error
    try:
        yield fd
    except KernelError as error:
        if error.errno != errno.EBADF:
            raise
        expected = f"give {DIRECTORY}, or where `mount -t cgroup2` says"
        raise BadInput("cgroup", f"{path} is no cgroup of version 2", expected) from error
    finally:
        os.close(fd)
