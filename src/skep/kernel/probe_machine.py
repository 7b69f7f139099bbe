"""How it is tested what the machine and its settings allow: makers of tests, as in ``probe_tests``."""

import errno
import os
import resource

from skep.kernel import commands
from skep.kernel.commands import Create
from skep.kernel.pins import mounts_of
from skep.kernel.probe_tests import Kernel, Test
from skep.kernel.refusal import CAPABILITIES
from skep.kernel.tracefs import MOUNTS

_LARGE = 64 << 20


def statistics(kernel: Kernel) -> None:
    """Run statistics can be switched on."""
    kernel.door.close(commands.enable_stats(kernel.door))


def mounted(kind: str) -> Test:
    """A file system of that kind is mounted."""

    def test(_: Kernel) -> None:
        if not mounts_of(kind):
            raise OSError(errno.ENOENT, f"no {kind} file system is mounted")

    return test


def tracefs(kernel: Kernel) -> None:
    """Tracepoints can be looked up, in a mounted tracefs or in one of our own."""
    if not any(os.access(f"{root}/events", os.R_OK | os.X_OK) for root in MOUNTS):
        kernel.door.close(kernel.door.mount_detached("tracefs"))


def readable(path: str, lacking: str) -> Test:
    """A file of the kernel's can be read; where it is not there, the kernel is ``lacking`` it."""

    def test(_: Kernel) -> None:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError as error:
            raise OSError(errno.ENOENT, lacking) from error

    return test


def memlock(kernel: Kernel) -> None:
    """BPF memory is charged to the cgroup and not to RLIMIT_MEMLOCK."""
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if 0 <= limit < _LARGE:
        create = Create(2, 4, 4096, limit // 4096 + 1)
        kernel.door.close(commands.map_create(kernel.door, create))


def capability(name: str) -> Test:
    """This process has a capability."""

    def test(kernel: Kernel) -> None:
        if not kernel.door.capabilities() >> CAPABILITIES[name] & 1:
            raise PermissionError(errno.EPERM, f"this process lacks {name}")

    return test
