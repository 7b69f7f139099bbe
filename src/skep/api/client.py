"""A client of the local API, for faces: blocking, on one socket file, without a framework.

Each call opens a connection of its own and closes it. What comes back is JSON as the agent wrote it; keys that a newer
agent adds are passed on, and what an older one lacks is the caller's to do without. Errors of the agent are raised as
Refused, its absence as Unreachable, its silence as Busy.
"""

import json
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import h11

from skep.api import query
from skep.api.http import LARGEST_HEAD, Malformed, malformed
from skep.api.query import Query
from skep.api.version import HEADER, VERSION, compatible
from skep.base.errors import Busy, Forbidden, Refused, SkepError, Unreachable

SECONDS = 30.0
PIECE = 256 * 1024


class Cut(SkepError):
    """A stream ended before its end: the agent is gone."""

    def __init__(self) -> None:
        start = "`skep up` or `skep agent` starts one"
        super().__init__(f"the agent ended while its events were read; {start}")


class Client:
    """Calls of the agent behind ``path``; ``seconds`` is the longest silence it waits for an answer."""

    def __init__(self, path: str, seconds: float = SECONDS) -> None:
        self.path, self.seconds = path, seconds

    def status(self) -> dict[str, Any]:
        """``/v1/status``: release, pid, powers, programs, maps, rings, processes, metrics, warnings."""
        return self._json("GET", "/v1/status")

    def summary(self) -> dict[str, Any]:
        """``/v1/summary``: events by kind, losses by queue, CPU and memory, ns per run of programs."""
        return self._json("GET", "/v1/summary")

    def features(self) -> dict[str, Any]:
        """``/v1/features``: what this kernel offers, as the agent probed it."""
        return self._json("GET", "/v1/features")

    def reload(self) -> dict[str, Any]:
        """Have the agent read its configuration again; what changed comes back."""
        return self._json("POST", "/v1/reload")

    def stop(self) -> dict[str, Any]:
        """Ask the agent to end; it answers, then ends."""
        return self._json("POST", "/v1/stop")

    def lines(self, choice: Query, until: int = -1) -> Iterator[bytes]:
        """Events as JSON lines without newlines. See `pieces`."""
        rest = b""
        for piece in self.pieces(choice, until):
            head, newline, tail = piece.rpartition(b"\n")
            if newline:
                yield from (rest + head).splitlines(keepends=False)
                rest = tail
            else:
                rest += tail

    def pieces(self, choice: Query, until: int = -1) -> Iterator[bytes]:
        """Events as JSON lines, some at a time: for who only passes them on.

        It waits for as long as the stream lasts, or until descriptor ``until`` is readable. Raises Cut.
        """
        with self._sent("GET", f"/v1/events?{query.write(choice)}") as answer:
            if answer.status != 200:
                raise _refused(answer.status, answer.body())
            yield from answer.pieces(until)

    def _json(self, method: str, target: str) -> dict[str, Any]:
        with self._sent(method, target) as answer:
            body = answer.body()
        if answer.status != 200:
            raise _refused(answer.status, body)
        found = json.loads(body)
        if not isinstance(found, dict):
            raise Malformed(500, "the agent did not answer with an object")
        return found

    @contextmanager
    def _sent(self, method: str, target: str) -> Iterator["_Answer"]:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            try:
                self._connect(connection)
                yield _Answer(connection, method, target)
            except PermissionError as error:
                raise Forbidden("speaking to the agent") from error
            except (TimeoutError, BlockingIOError) as error:
                raise Busy(self.path, self.seconds) from error
            except (ConnectionError, FileNotFoundError) as error:
                raise Unreachable(self.path, os.strerror(error.errno or 0)) from error

    def _connect(self, connection: socket.socket) -> None:
        """Connect, and wait where many wait before: with a timeout of Python's that would fail at once."""
        whole, rest = divmod(self.seconds, 1)
        limit = struct.pack("ll", int(whole), int(rest * 1_000_000))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        connection.connect(self.path)
        connection.settimeout(self.seconds)


class _Answer:
    """What comes back on a connection to which a request was sent: its status is there, its body is read in one way."""

    def __init__(self, connection: socket.socket, method: str, target: str) -> None:
        self._connection = connection
        self._wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        fields = [("Host", "skep"), (HEADER, VERSION), ("Connection", "close")]
        self._send(h11.Request(method=method, target=target, headers=fields))
        self._send(h11.EndOfMessage())
        head = self._next()
        if not isinstance(head, h11.Response):
            raise ConnectionResetError(104, "the agent closed the connection")
        self.status = head.status_code
        release = dict(head.headers).get(HEADER.lower().encode(), b"").decode("latin-1")
        if self.status == 200 and not compatible(VERSION, release):
            raise Refused(
                426, f"the agent is skep {release or '?'}, this is skep {VERSION}: too far apart"
            )

    def body(self) -> bytes:
        """The whole of it."""
        return b"".join(self._data())

    def pieces(self, until: int) -> Iterator[bytes]:
        """What was sent at a time, as it becomes whole, until the end, or until descriptor ``until`` is readable."""
        self._connection.settimeout(None)
        poll, parts = select.poll(), list[bytes]()
        poll.register(self._connection, select.POLLIN)
        if until >= 0:
            poll.register(until, select.POLLIN)

        def over() -> bool:
            return any(fd == until for fd, _ in poll.poll())

        try:
            while isinstance(event := self._next(over), h11.Data):
                parts.append(event.data)
                if event.chunk_end:
                    yield b"".join(parts)
                    parts.clear()
        except ConnectionError as error:
            raise Cut from error

    def _data(self) -> Iterator[bytes]:
        while isinstance(event := self._next(), h11.Data):
            yield event.data

    def _send(self, event: h11.Event) -> None:
        """Send it; an agent that has answered and closed meanwhile has its answer read all the same."""
        with suppress(BrokenPipeError):
            self._connection.sendall(self._wire.send(event) or b"")

    def _next(
        self, over: Callable[[], bool] = lambda: False
    ) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        """The next event; NEED_DATA where one would have to be waited for, and it is ``over``."""
        try:
            while (event := self._wire.next_event()) is h11.NEED_DATA and not over():
                self._wire.receive_data(self._connection.recv(PIECE))
        except h11.RemoteProtocolError as error:
            if self._wire.trailing_data[1]:
                raise ConnectionResetError(104, "the agent closed the connection") from error
            raise malformed(error) from error
        return event


def _refused(status: int, body: bytes) -> Refused:
    try:
        text = str(json.loads(body)["error"]["text"])
    except (ValueError, KeyError, TypeError):
        text = f"status {status}"
    return Refused(status, text)
