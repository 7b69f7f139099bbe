"""The port for Prometheus: served where it is free; where it is taken, a warning that names its owner.

It opens and closes a server of its own; metrics are read only when somebody asks.
"""

import errno
import os
import socket

from skep.api import ports, routes
from skep.api.routes import Node
from skep.api.server import Server
from skep.base.config import Metrics


class MetricsPort:
    """``state`` is what `skep status` says of it, ``warning`` what is wrong, "" where nothing is."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._server: Server | None = None
        self.state, self.warning = "off", ""

    async def open(self, wanted: Metrics) -> None:
        """Serve as ``wanted``, instead of as before."""
        await self.close()
        self.state, self.warning = "off", ""
        if not wanted.enabled:
            return
        host, _, port = wanted.address.rpartition(":")
        server = Server(routes.prometheus(self._node))
        try:
            await server.listen_tcp(host.strip("[]"), int(port))
        except (OSError, UnicodeError) as error:
            self.warning = f"no metrics on {wanted.address}: {_why(error, int(port))}"
            return
        self._server, self.state = server, wanted.address

    async def close(self) -> None:
        """Serve no more."""
        if self._server is not None:
            await self._server.close()
            self._server = None


def _why(error: OSError | UnicodeError, port: int) -> str:
    if isinstance(error, UnicodeError | socket.gaierror):
        return "the host's name is not known"
    if error.errno != errno.EADDRINUSE:
        # Of an address that is not this machine's, asyncio of Python 3.12 and later gives no number.
        return os.strerror(error.errno or errno.EADDRNOTAVAIL)
    return f"the port is taken by {ports.holder(port) or 'a process that cannot be seen'}"
