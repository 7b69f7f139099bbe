"""Live maps that say where packets and data go: devices, CPUs, sockets."""

import errno
import os
from collections.abc import Callable
from typing import Any, ClassVar

from skep.base.lazy import lazy
from skep.kernel.bpf import DOOR, Door
from skep.kernel.references import References, descriptor
from skep.lang.declared.redirects import Device, Processor
from skep.lang.exact import exact
from skep.lang.spec import MapSpec
from skep.lang.struct import StructType
from skep.lang.types import u32

socket = lazy("socket")


Place = Any
"""A value, or a tuple of one and the program that runs there."""


def _as_it_is(program: Any) -> Any:  # noqa: ANN401 - a live program
    return program


class Places(References):
    """Where packets go, with a program that may run there (``@skep.xdp(at="devmap")``, ``"cpumap"``).

    ``loaded`` gives the live program of what stands in a tuple.
    """

    kind: ClassVar[StructType]

    def __init__(self, spec: MapSpec, fd: int, *, door: Door = DOOR) -> None:
        super().__init__(spec, fd, door=door)
        self.loaded: Callable[[Any], Any] = _as_it_is

    def pack_value(self, value: Place) -> bytes:
        """The bytes of a value."""
        if isinstance(value, self.kind):
            return exact(self.kind, value, f"{self.spec.name}: value")
        alone, program = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
        descriptor = 0 if program is None else getattr(self.loaded(program), "fd", None)
        if descriptor is None:
            problem = f"beside a {self.kind.__name__} stands a loaded program, not {program!r}"
            raise TypeError(f"{self.spec.name}: {problem}")
        made = self.kind(self.first(alone), descriptor)
        return exact(self.kind, made, f"{self.spec.name}: value")

    def first(self, value: Place) -> int:
        """The number of a place."""
        raise NotImplementedError


class Devices(Places):
    """Devices by key: ``live[devices][0] = "eth0"``, also ``("eth0", program)``; a value read is a Device.

    A name is that of a device in the network namespace of the calling thread. OSError where there is none.
    """

    kind = Device

    def first(self, value: Place) -> int:
        """The index of a device."""
        if not isinstance(value, int | str):
            raise TypeError(f"{self.spec.name} takes names or indexes of devices, not {value!r}")
        return int(socket.if_nametoindex(value)) if isinstance(value, str) else value


class Processors(Places):
    """CPUs by number: ``live[cpus][1] = 192`` packets may wait, also ``(192, program)``; read, a Processor."""

    kind = Processor

    def first(self, value: Place) -> int:
        """How many packets may wait."""
        if not isinstance(value, int) or value < 1:
            raise TypeError(f"{self.spec.name} takes how many packets may wait, not {value!r}")
        return value


class Sockets(References):
    """Sockets by key: ``live[sockets][5] = connection``; a value read is the socket's cookie."""

    REFUSED: ClassVar[dict[int, str]] = {
        errno.EOPNOTSUPP: "it takes connected TCP sockets, and others that the kernel redirects",
        errno.EINVAL: "the socket is not of the kind that it takes",
        errno.ENOTSOCK: "it takes sockets",
    }

    def pack_value(self, value: Any) -> bytes:  # noqa: ANN401 - what has a descriptor
        """The bytes of a value."""
        fd = descriptor(value, self.spec.name, "sockets")
        return exact(self.spec.value, fd, f"{self.spec.name}: value")


class Unreadable(References):
    """A map whose entries are put in and taken out, and cannot be read back."""

    def lookup(self, key: bytes) -> bytes | None:
        """Refuses."""
        hint = "an entry is replaced or deleted without being read"
        raise TypeError(f"{self.spec.name}: its entries cannot be read back ({key.hex()}); {hint}")


class Queues(Sockets, Unreadable):
    """AF_XDP sockets by number."""


class Cgroups(Unreadable):
    """Cgroups by number: ``live[cgroups][0] = "/sys/fs/cgroup/x"``, or a descriptor."""

    REFUSED: ClassVar[dict[int, str]] = {errno.EBADF: "it takes directories of cgroup v2"}

    def __setitem__(self, key: Any, value: Any) -> None:  # noqa: ANN401 - a number; a path, or what has a descriptor
        """OSError where there is no such directory; KernelError [EBADF] where it is no cgroup."""
        fd = os.open(value, os.O_RDONLY | os.O_DIRECTORY) if isinstance(value, str) else -1
        try:
            given = fd if fd >= 0 else descriptor(value, self.spec.name, "directories of cgroups")
            self.put(self.pack_key(key), exact(u32, given, f"{self.spec.name}: value"))
        finally:
            if fd >= 0:
                os.close(fd)
