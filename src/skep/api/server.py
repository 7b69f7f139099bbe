"""A small HTTP/1.1 server on asyncio: the local API on a socket file, and metrics on a loopback port.

One server serves one table of routes. It lives from `listen` to `close`, which ends its streams and connections. A
request that is malformed or refused is answered with one clear error and changes nothing. It knows no agent.
"""

import asyncio
import json
import os
import socket
import struct
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from skep.api.conversation import Conversation
from skep.api.http import Malformed, Request
from skep.api.sink import PATIENCE, Sink, notice
from skep.api.version import HEADER, VERSION, compatible
from skep.base.errors import BadInput, Conflict, Forbidden, SkepError, Unsupported
from skep.base.frozen import frozen

HEAD_SECONDS, IDLE_SECONDS, LINGER_SECONDS = 10.0, 60.0, 30.0
MOST_CONNECTIONS = 64
MOST_REFUSED = 8
"""Connections beyond those whose request is read before it is refused. Others are closed at once, for anybody on the
machine may open some on a port: descriptors must not run out in the agent."""
WAITING = 16
"""Connections on a port that the kernel holds until they are accepted: so many are at one time, whatever follows."""
FIRST_ERROR = 400
JSON, NDJSON = "application/json", "application/x-ndjson"
STATUSES: tuple[tuple[type[SkepError], int], ...] = (
    (BadInput, 400),
    (Forbidden, 403),
    (Conflict, 409),
    (Unsupported, 501),
)


@frozen
class Body:
    """A whole answer."""

    data: bytes
    kind: str = JSON
    status: int = 200
    allow: str = ""
    """The methods that a path takes, where it was asked by another."""


@frozen
class Feed:
    """An answer that goes on: ``run`` fills the sink until that is done, or it is cancelled."""

    run: Callable[[Sink], Awaitable[None]]
    kind: str = NDJSON


Handler = Callable[[Request, bytes], Awaitable[Body | Feed]]
Routes = Mapping[str, Mapping[str, Handler]]


@dataclass(slots=True)
class Counts:
    """What the server counts: connections now, requests and refused requests since the start, dropped clients."""

    connections: int = 0
    requests: int = 0
    refused: int = 0
    dropped: int = 0


def error_body(status: int, text: str) -> Body:
    """The one form of an error: ``{"error": {"status", "text"}}``."""
    return Body(json.dumps({"error": {"status": status, "text": text}}).encode(), JSON, status)


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end of a unix socket, as the kernel knows it (SO_PEERCRED)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", credentials)[1])


class Server:
    """Serves ``routes`` (path -> method -> handler) on as many sockets as it is told to.

    ``patience`` is for how many seconds a client of a stream may read nothing while more waits for it.
    """

    def __init__(self, routes: Routes, *, patience: float = PATIENCE) -> None:
        self.routes, self.counts, self._patience = routes, Counts(), patience
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen_unix(self, path: str) -> None:
        """Serve on a socket file that only the effective user opens; a stale one in its place is replaced."""
        with suppress(FileNotFoundError):
            os.unlink(path)
        mask = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._accept, path)
        finally:
            os.umask(mask)
        self._servers.append(server)

    async def listen_tcp(self, host: str, port: int) -> None:
        """Serve on a TCP port; OSError when it is taken."""
        self._servers.append(await asyncio.start_server(self._accept, host, port, backlog=WAITING))

    async def close(self) -> None:
        """Stop listening and end every connection; streams get their end if the client still reads."""
        for server in self._servers:
            server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond = len(self._tasks) - MOST_CONNECTIONS
        if beyond >= MOST_REFUSED:
            self.counts.refused += 1
            writer.transport.abort()
            return
        talk = Conversation(reader, writer)
        task = asyncio.ensure_future(self._serve(talk, refuse=beyond >= 0))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, talk: Conversation, *, refuse: bool) -> None:
        self.counts.connections += 1
        try:
            await (self._turn_away(talk) if refuse else self._converse(talk))
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            talk.writer.transport.abort()
        finally:
            self.counts.connections -= 1
            talk.writer.close()

    async def _converse(self, talk: Conversation) -> None:
        seconds = HEAD_SECONDS
        while await self._exchange(talk, seconds):
            seconds = IDLE_SECONDS

    async def _turn_away(self, talk: Conversation) -> None:
        with suppress(Malformed, EOFError):  # whatever it asks
            async with asyncio.timeout(HEAD_SECONDS):
                await talk.request()
        text = f"the agent serves {MOST_CONNECTIONS} connections already"
        await self._reply(talk, error_body(503, text), keep=False)

    def _refusal(self, talk: Conversation) -> Body | None:
        connection = talk.writer.get_extra_info("socket")
        if connection.family == socket.AF_UNIX and peer_uid(connection) not in (0, os.geteuid()):
            return error_body(403, "only root may ask this agent")
        return None

    async def _exchange(self, talk: Conversation, seconds: float) -> bool:
        """One request and its answer; whether another may follow."""
        try:
            async with asyncio.timeout(seconds):
                request, body = await talk.request()
        except EOFError:
            return False
        except TimeoutError:
            late = error_body(408, f"no request within {seconds:g} s")
            return await self._reply(talk, late, keep=False)
        except Malformed as error:
            return await self._reply(talk, error_body(error.status, error.problem), keep=False)
        self.counts.requests += 1
        answer = self._refusal(talk) or await self._answer(request, body)
        if request.method == "HEAD":
            return await self._reply(talk, answer, bare=True)
        if isinstance(answer, Body):
            return await self._reply(talk, answer)
        await self._stream(talk, answer)
        return False

    async def _answer(self, request: Request, body: bytes) -> Body | Feed:
        theirs = request.headers.get(HEADER.lower(), VERSION)
        if not compatible(VERSION, theirs):
            text = f"the agent is skep {VERSION}, which does not understand skep {theirs[:20]}"
            return error_body(426, f"{text}: use releases at most one minor apart")
        methods = self.routes.get(request.path)
        if methods is None:
            return error_body(
                404, f"there is no {request.path}; there are {', '.join(self.routes)}"
            )
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            allow = ", ".join(methods)
            return replace(error_body(405, f"{request.path} takes {allow}"), allow=allow)
        try:
            return await handler(request, body)
        except SkepError as error:
            status = next((code for kind, code in STATUSES if isinstance(error, kind)), 500)
            return error_body(status, str(error))
        except Exception:  # noqa: BLE001 - a fault of ours must not end the agent; it is told and printed
            traceback.print_exc(file=sys.stderr)
            return error_body(500, "the agent failed to answer; its log says why")

    async def _reply(
        self, talk: Conversation, answer: Body | Feed, *, keep: bool = True, bare: bool = False
    ) -> bool:
        """Send an answer, ``bare``: without its body, as HEAD wants it. Whether another request may follow."""
        body = answer if isinstance(answer, Body) else Body(b"", answer.kind)
        self.counts.refused += body.status >= FIRST_ERROR
        headers = {"Content-Type": body.kind, HEADER: VERSION}
        headers |= {"Content-Length": str(len(body.data))} if body is answer else {}
        headers |= {"Allow": body.allow} if body.allow else {}
        headers |= {} if keep else {"Connection": "close"}
        talk.begin(body.status, headers)
        if not bare:
            talk.send(body.data)
        more = talk.end()
        async with asyncio.timeout(LINGER_SECONDS):
            await talk.writer.drain()
        return more

    async def _stream(self, talk: Conversation, feed: Feed) -> None:
        talk.begin(200, {"Content-Type": feed.kind, HEADER: VERSION, "Connection": "close"})
        sink = Sink(talk, patience=self._patience, dropped=self._count_dropped)
        running = asyncio.ensure_future(feed.run(sink))
        gone = asyncio.ensure_future(_hung_up(talk.reader))
        done = asyncio.ensure_future(sink.done.wait())
        try:
            await asyncio.wait({running, gone, done}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (running, gone, done):
                task.cancel()
            outcome = await asyncio.gather(running, gone, done, return_exceptions=True)
            sink.end(_epitaph(outcome[0]))
        await _linger(talk.writer)

    def _count_dropped(self) -> None:
        self.counts.dropped += 1


def _epitaph(outcome: object) -> bytes:
    """The last line of a stream that a fault of ours ended; that the client has gone is none."""
    if not isinstance(outcome, Exception) or isinstance(outcome, ConnectionError):
        return b""
    traceback.print_exception(outcome, file=sys.stderr)
    return notice("failed", reason="the agent failed; its log says why")


async def _hung_up(reader: asyncio.StreamReader) -> None:
    while await reader.read(4096):
        pass


async def _linger(writer: asyncio.StreamWriter) -> None:
    """Give a client some time to read the end; one that does not is cut off, and its buffer freed."""
    writer.close()
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
