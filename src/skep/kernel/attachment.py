"""``Attachment``: a program at a place for which the kernel has no link, such as a socket, a map of sockets or a route.

It looks like a link, and closing it takes the program away; what remains after a kill -9 goes with the socket, map or
route itself.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Self

from skep.base.errors import SkepError, Unsupported
from skep.kernel.programs import Program


class Attachment:
    """An attached program, and how it is taken away: ``undo`` may raise where the place is gone already."""

    fd = -1

    def __init__(
        self, name: str, undo: Callable[[], object], *, remarks: tuple[str, ...] = ()
    ) -> None:
        self.name, self.remarks = name, remarks
        self._undo: Callable[[], object] | None = undo

    def update(self, program: Program) -> None:
        """Such a place does not take another program atomically."""
        instead = "closing it, then attaching the other program"
        what = f"replacing {self.name} in place by {program.spec.name}"
        raise Unsupported(what, "it is no link", instead=instead)

    def pin(self, path: str) -> None:
        """Such a place has no pin."""
        instead = "a process that holds it"
        raise Unsupported(f"the pin {path} of {self.name}", "it is no link", instead=instead)

    def close(self) -> None:
        """Takes the program away."""
        undo, self._undo = self._undo, None
        if undo is not None:
            with suppress(SkepError, OSError):
                undo()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Attachment {self.name}>"
