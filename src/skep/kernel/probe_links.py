"""How it is tested whether programs can be linked, and events opened: makers of tests, as in ``probe_tests``."""

import errno
import struct

from skep.kernel import commands, perf
from skep.kernel.bpf import address, packed
from skep.kernel.commands import EXIT, Load
from skep.kernel.perf import Sampling
from skep.kernel.probe_tests import Kernel, Test, opened

_NOWHERE = 0x7FFFFFF0  # no network device has this index
_NO_FD = 0xFFFFFFFF


def link(
    load: Load, attach_type: int, answer: int, *, target: int = _NOWHERE, extra: bytes = b""
) -> Test:
    """A link to nothing is refused with ``answer`` by a kernel that knows the hook."""

    def test(kernel: Kernel) -> None:
        with opened(kernel.door) as keep:
            fd = keep(commands.prog_load(kernel.door, load))
            try:
                keep(commands.link_create(kernel.door, fd, target, attach_type, extra=extra))
            except OSError as error:
                if error.errno != answer:
                    raise

    return test


def descriptor_link(load: Load, attach_type: int) -> Test:
    """A link to a descriptor that is none."""
    return link(load, attach_type, errno.EBADF, target=_NO_FD)


def kprobe_multi(attach_type: int) -> Test:
    """Probes on many functions at once; set on a function that only the kernel's own tests call."""
    name = b"bpf_fentry_test1\0"
    names = struct.pack("<Q", address(name))
    load = Load(2, EXIT, expected_attach_type=attach_type)

    def test(kernel: Kernel) -> None:
        extra = bytes(packed("IIQQQ", 0, 1, address(names), 0, 0))
        with opened(kernel.door) as keep:
            fd = keep(commands.prog_load(kernel.door, load))
            keep(commands.link_create(kernel.door, fd, 0, attach_type, extra=extra))

    return test


def uprobe_multi(attach_type: int) -> Test:
    """Probes on many places of a file; "/" is no file, and the kernel says so (EBADF)."""
    path, offsets = b"/\0", struct.pack("<Q", 0)
    load = Load(2, EXIT, expected_attach_type=attach_type)

    def test(kernel: Kernel) -> None:
        extra = bytes(packed("QQQQIII", address(path), address(offsets), 0, 0, 1, 0, 0))
        link(load, attach_type, errno.EBADF, target=0, extra=extra)(kernel)

    return test


def raw_tracepoint(kernel: Kernel) -> None:
    """Raw tracepoints: one that does not exist answers ENOENT."""
    with opened(kernel.door) as keep:
        fd = keep(commands.prog_load(kernel.door, Load(17, EXIT)))
        try:
            keep(commands.raw_tracepoint_open(kernel.door, fd, "skep_probe"))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise


def sampling(event: str) -> Test:
    """A perf event can be opened on the first CPU."""
    chosen = Sampling(event, 1)

    def test(kernel: Kernel) -> None:
        try:
            kernel.door.close(perf.open_sampling(kernel.door, chosen, 0, -1))
        except FileNotFoundError as error:
            raise OSError(errno.ENOENT, "this machine has no such counter") from error

    return test
