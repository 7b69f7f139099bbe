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
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from skep.api import http, query
from skep.api.http import Answer, Chunks, Malformed
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
        with self._sent("GET", f"/v1/events?{query.write(choice)}") as connection:
            answer, rest = _read_head(connection)
            if answer.status != 200:
                raise _refused(answer, _read_body(connection, answer, rest))
            connection.settimeout(None)
            yield from _unchunk(connection, rest, until)

    def _json(self, method: str, target: str) -> dict[str, Any]:
        with self._sent(method, target) as connection:
            answer, rest = _read_head(connection)
            body = _read_body(connection, answer, rest)
        if answer.status != 200:
            raise _refused(answer, body)
        found = json.loads(body)
        if not isinstance(found, dict):
            raise Malformed(500, "the agent did not answer with an object")
        return found

    @contextmanager
    def _sent(self, method: str, target: str) -> Iterator[socket.socket]:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            try:
                self._connect(connection)
                headers = {"Host": "skep", HEADER: VERSION, "Connection": "close"}
                connection.sendall(http.write_request(method, target, headers))
                yield connection
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


def _read_head(connection: socket.socket) -> tuple[Answer, bytes]:
    data = b""
    while http.END_OF_HEAD not in data:
        piece = connection.recv(http.LARGEST_HEAD)
        if not piece or len(data) > http.LARGEST_HEAD:
            raise ConnectionResetError(104, "the agent closed the connection")
        data += piece
    head, _, rest = data.partition(http.END_OF_HEAD)
    answer = http.parse_answer(head)
    release = answer.headers.get(HEADER.lower(), "")
    if answer.status == 200 and not compatible(VERSION, release):
        raise Refused(
            426, f"the agent is skep {release or '?'}, this is skep {VERSION}: too far apart"
        )
    return answer, rest


def _read_body(connection: socket.socket, answer: Answer, rest: bytes) -> bytes:
    wanted = int(answer.headers.get("content-length", "0"))
    parts, have = [rest], len(rest)
    while have < wanted:
        parts.append(connection.recv(PIECE))
        if not parts[-1]:
            raise ConnectionResetError(104, "the agent closed the connection")
        have += len(parts[-1])
    return b"".join(parts)[:wanted]


def _unchunk(connection: socket.socket, piece: bytes, until: int) -> Iterator[bytes]:
    chunks, poll = Chunks(), select.poll()
    poll.register(connection, select.POLLIN)
    if until >= 0:
        poll.register(until, select.POLLIN)
    while True:
        ready = chunks.feed(piece)
        if ready:
            yield ready
        if chunks.ended or any(fd == until for fd, _ in poll.poll()):
            return
        piece = _received(connection)


def _received(connection: socket.socket) -> bytes:
    try:
        piece = connection.recv(PIECE)
    except ConnectionError as error:
        raise Cut from error
    if not piece:
        raise Cut
    return piece


def _refused(answer: Answer, body: bytes) -> Refused:
    try:
        text = str(json.loads(body)["error"]["text"])
    except (ValueError, KeyError, TypeError):
        text = f"status {answer.status}"
    return Refused(answer.status, text)
