"""Files of a run directory: whole-file writes, reads, errors translated.

A file is replaced in one step, so that a reader never sees half of it. It knows nothing of what is written.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from skep.base.errors import Forbidden, KernelError, SkepError

PRIVATE_FILE = 0o600


def _translated(error: OSError, action: str) -> SkepError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return Forbidden(action)
    return KernelError(action, error.errno or 0, os.strerror(error.errno or 0))


@contextmanager
def translating(action: str) -> Iterator[None]:
    """Turn an OSError of ``action`` ("write /run/x") into the error that a person can act on."""
    try:
        yield
    except OSError as error:
        raise _translated(error, action) from error


def fresh(path: str) -> str:
    """Where the next content of ``path`` is written before it replaces the old one."""
    return f"{path}.new"


def replace(path: str, data: bytes) -> None:
    """Write ``data`` as the whole of ``path``; on an error the old content stays."""
    draft = fresh(path)
    with translating(f"write {path}"):
        try:
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
            with open(fd, "wb") as file:
                file.write(data)
            os.replace(draft, path)
        except OSError:
            remove(draft)
            raise


def read(path: str) -> bytes | None:
    """The content of ``path``, None where there is no such file."""
    with translating(f"read {path}"):
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None


def remove(path: str) -> bool:
    """Unlink ``path``; whether there was one."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
