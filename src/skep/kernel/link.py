"""``Link``: a program at a hook, for as long as it is open.

Closing it, or the end of the process, detaches the program; only a pin outlives both. ``kernel.links``
makes links; this knows what can be done with one.
"""

from typing import Self

from skep.base.errors import Unsupported
from skep.kernel import commands
from skep.kernel.bpf import DOOR, Door
from skep.kernel.objects import LinkInfo, link_info
from skep.kernel.programs import Program
from skep.kernel.refusal import NETWORK, TRACING, refused


class Link:
    """An attached program. ``remarks`` say what was fallen back to."""

    def __init__(
        self, fds: tuple[int, ...], name: str, *, remarks: tuple[str, ...] = (), door: Door = DOOR
    ) -> None:
        self._fds, self.name, self.remarks, self._door = fds, name, remarks, door

    @property
    def fd(self) -> int:
        """The descriptor, of a link over several CPUs the first; -1 when closed."""
        return self._fds[0] if self._fds else -1

    def info(self) -> LinkInfo:
        """What the kernel says of it."""
        with refused("BPF_OBJ_GET_INFO_BY_FD", self.name, door=self._door):
            return link_info(self._door, self.fd)

    def update(self, program: Program) -> None:
        """Puts another program of the same kind in the place, atomically."""
        with refused("BPF_LINK_UPDATE", self.name, needs=NETWORK, door=self._door):
            for fd in self._fds:
                commands.link_update(self._door, fd, program.fd)

    def detach(self) -> None:
        """Detaches now, though somebody else hold the link (xdp, tcx, cgroup; not tracing)."""
        with refused("BPF_LINK_DETACH", self.name, needs=NETWORK, door=self._door):
            for fd in self._fds:
                commands.link_detach(self._door, fd)

    def pin(self, path: str) -> None:
        """Gives the link a name in a bpffs: it then outlives this process. Unsupported of one that is several."""
        if len(self._fds) > 1:
            reason = f"it is {len(self._fds)} links, which one name does not hold"
            raise Unsupported(
                f"the pin {path} of {self.name}", reason, instead="a process that holds it"
            )
        with refused("BPF_OBJ_PIN", path, exclusive=True, door=self._door):
            commands.obj_pin(self._door, path, self.fd)

    @classmethod
    def pinned(cls, path: str, *, door: Door = DOOR) -> Self:
        """The link that is pinned at ``path``."""
        with refused("BPF_OBJ_GET", path, door=door):
            return cls((commands.obj_get(door, path),), path, door=door)

    def read(self) -> bytes:
        """What one pass of an iterator writes."""
        with refused("BPF_ITER_CREATE", self.name, needs=TRACING, door=self._door):
            fd = commands.iter_create(self._door, self.fd)
            try:
                return b"".join(iter(lambda: self._door.read(fd, 1 << 16), b""))
            finally:
                self._door.close(fd)

    def close(self) -> None:
        """Detaches, unless the link is pinned."""
        for fd in self._fds:
            self._door.close(fd)
        self._fds = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Link {self.name}>"
