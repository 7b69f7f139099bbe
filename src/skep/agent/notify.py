"""sd_notify: tells the service manager that the agent is ready, alive, or ending. Without one, nothing.

The protocol is sd_notify(3): datagrams of KEY=VALUE lines to the socket in NOTIFY_SOCKET.
"""

import socket
from contextlib import suppress


class Notifier:
    """``path`` as NOTIFY_SOCKET has it: a file, or an abstract name behind "@"; "" is nobody."""

    def __init__(self, path: str) -> None:
        self._path = "\0" + path[1:] if path.startswith("@") else path

    def ready(self, status: str) -> None:
        """The agent serves."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self, monotonic_us: int) -> None:
        """The configuration is being read again; `ready` follows."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_us}")

    def stopping(self) -> None:
        """The agent ends."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """For the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._path:
            return
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager,
        ):
            manager.settimeout(0)
            manager.sendto(text.encode(), self._path)
