"""Arenas: memory that programs and this process share. The process maps it before a program is loaded that uses it.

Its pages are all there from the start: what a program writes to a page that is not there would be lost.
"""

from skep.kernel.bpf import DOOR, Door
from skep.kernel.handle import Handle
from skep.lang.spec import MapSpec

PAGE = 4096


class ArenaMemory(Handle):
    """An arena; ``memory()`` is all of it."""

    def __init__(self, spec: MapSpec, fd: int, *, door: Door = DOOR) -> None:
        super().__init__(spec, fd, door=door)
        try:
            view = self.memory()
            for page in range(0, len(view), PAGE):
                view[page] |= 0  # a page comes with its first use
        except BaseException:
            self.close()
            raise

    @property
    def mapped_bytes(self) -> int:
        """All of its pages."""
        return PAGE * self.spec.entries
