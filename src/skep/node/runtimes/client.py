"""What a client of a runtime is, and what it raises. Knows no protocol."""

from typing import Protocol

from skep.base.errors import SkepError
from skep.model.container import Container

LARGEST_ANSWER = 8 << 20


class NoAnswer(SkepError):
    """A runtime could not be asked, or what it said makes no sense: the socket, and why."""

    def __init__(self, socket: str, reason: str) -> None:
        self.socket, self.reason = socket, reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"{self.socket}: {self.reason}"


class Client(Protocol):
    """One runtime behind one socket. ``family``: cri, docker or podman."""

    @property
    def family(self) -> str:
        """The protocol, and so the runtimes, that it speaks for."""

    @property
    def socket(self) -> str:
        """The path of the socket."""

    async def inspect(self, container: str) -> Container | None:
        """What the runtime says of a container, None where it knows no such. Raises NoAnswer."""


def text(value: object) -> str:
    """``value`` if it is text, else "": answers are another program's, and are not trusted."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> tuple[tuple[str, str], ...]:
    """The pairs of text in a mapping, sorted; empty for what is none."""
    if not isinstance(value, dict):
        return ()
    return tuple(sorted((k, v) for k, v in value.items() if isinstance(v, str)))


def part(value: object, *keys: str) -> object:
    """What lies in nested mappings under ``keys``, None where one lacks."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
