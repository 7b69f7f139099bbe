"""``Place``: where and how a program is attached, as the hooks take it."""

from typing import NamedTuple, Protocol

from skep.kernel.link import Link
from skep.kernel.programs import Program


class HasFileno(Protocol):
    """A socket, or what else has a descriptor."""

    def fileno(self) -> int:
        """The descriptor."""
        ...


class Place(NamedTuple):
    """Where and how a program is attached; see ``kernel.links.attach``."""

    target: str | int = ""
    netns: str = ""
    before: Link | bool = False
    mode: str = ""
    pid: int = -1
    cookie: int = 0


def name_of(program: Program, place: Place) -> str:
    """A link's name: the kind, and where it is."""
    return f"{program.spec.kind.name} {place.target}".rstrip()
