"""The way back to the face that started the agent: what is being done, then that it is ready, or why not.

One line of JSON each: ``{"doing": TEXT}``, ``{"ready": true}``, ``{"error": NAME, "text": TEXT}``, and
``{"alive": true}`` to whatever the face sends. The face ends the agent by closing its end; one that is killed does so
too.
"""

import json
import socket
from contextlib import suppress
from typing import Any, Protocol

from skep.base.errors import SkepError


class Face(Protocol):
    """Who is told how the start goes."""

    def doing(self, what: str) -> None:
        """Something that may take a while begins."""

    def ready(self) -> None:
        """The agent serves."""

    def failed(self, error: SkepError) -> None:
        """The agent cannot run."""


class SocketFace:
    """A face at the other end of an inherited socket, which this owns."""

    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)
        self.socket.set_inheritable(False)

    def doing(self, what: str) -> None:
        """Tell it."""
        self._send({"doing": what})

    def ready(self) -> None:
        """Tell it."""
        self._send({"ready": True})

    def asked(self) -> bool:
        """Take what it has sent, and answer; False where it is gone. Called when the socket is readable."""
        if not self.socket.recv(64):
            return False
        self._send({"alive": True})
        return True

    def failed(self, error: SkepError) -> None:
        """Tell it: the name of the class, and the text for people."""
        self._send({"error": type(error).__name__, "text": str(error)})

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(OSError):  # it is gone: the loop sees that too
            self.socket.sendall(json.dumps(message).encode() + b"\n")


class NoFace:
    """Nobody waits: a service. Errors are printed by who runs the agent."""

    def doing(self, what: str) -> None:
        """Nothing."""

    def ready(self) -> None:
        """Nothing."""

    def failed(self, error: SkepError) -> None:
        """Nothing."""
