"""One unary gRPC call over a unix socket. HTTP/2 is h2's (pure, without I/O); the framing is here.

A connection for each call: on a unix socket that is cheap, and nothing is left to keep alive.
Source: grpc/grpc doc/PROTOCOL-HTTP2.md. Sizes are bounded; time is the caller's.
"""

import asyncio
import struct
from typing import Any
from urllib.parse import unquote

from skep.base.errors import SkepError
from skep.base.lazy import lazy
from skep.node.runtimes.client import LARGEST_ANSWER, NoAnswer

h2_config = lazy("h2.config")
h2_connection = lazy("h2.connection")
h2_events = lazy("h2.events")
h2_exceptions = lazy("h2.exceptions")

NOT_FOUND, UNIMPLEMENTED = 5, 12
_READ = 65_536
_STREAM = 1


class Status(SkepError):
    """The server answered with another status than OK: its code and message."""

    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)

    def __str__(self) -> str:
        return f"gRPC status {self.code}: {self.message}"


async def unary(socket: str, method: str, request: bytes) -> bytes:
    """The answer of ``method`` (/package.Service/Method). Raises Status and NoAnswer."""
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError as error:
        raise NoAnswer(socket, error.strerror or str(error)) from error
    try:
        answer = await _Call(reader, writer).run(method, request)
        return _body(answer)
    except (OSError, ValueError, EOFError, h2_exceptions.H2Error) as error:
        reason = str(error) or type(error).__name__
        raise NoAnswer(socket, f"malformed answer: {reason}") from error
    finally:
        writer.close()


class _Call:
    """A connection with one stream, until that ends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        config = h2_config.H2Configuration(client_side=True, header_encoding="utf-8")
        self._h2: Any = h2_connection.H2Connection(config)
        self._body = bytearray()
        self._headers: dict[str, str] = {}
        self._ended = False

    async def run(self, method: str, request: bytes) -> bytes:
        self._h2.initiate_connection()
        self._h2.send_headers(_STREAM, _headers(method))
        self._h2.send_data(_STREAM, struct.pack(">BI", 0, len(request)) + request, end_stream=True)
        await self._flush()
        while not self._ended:
            data = await self._reader.read(_READ)
            if not data:
                raise EOFError("the connection was closed")
            for event in self._h2.receive_data(data):
                self._take(event)
            await self._flush()
        _check(self._headers)
        return bytes(self._body)

    def _take(self, event: object) -> None:
        match event:
            case h2_events.ResponseReceived() | h2_events.TrailersReceived():
                self._headers.update(event.headers)
            case h2_events.DataReceived():
                self._body += event.data
                if len(self._body) > LARGEST_ANSWER:
                    raise ValueError(f"more than {LARGEST_ANSWER} bytes")
                self._h2.acknowledge_received_data(event.flow_controlled_length, _STREAM)
            case h2_events.StreamEnded():
                self._ended = True
            case h2_events.StreamReset() | h2_events.ConnectionTerminated():
                raise ValueError(f"the server gave up (HTTP/2 error {event.error_code})")
            case _:
                pass

    async def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())
        await self._writer.drain()


def _headers(method: str) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "skep"),
    ]


def _check(headers: dict[str, str]) -> None:
    if headers.get(":status") != "200":
        raise ValueError(f"HTTP status {headers.get(':status')}")
    code = int(headers.get("grpc-status", "2"))
    if code:
        raise Status(code, unquote(headers.get("grpc-message", "")))


def _body(data: bytes) -> bytes:
    if len(data) < 5:
        raise ValueError("no message")
    compressed, size = struct.unpack_from(">BI", data)
    if compressed or len(data) != 5 + size:
        raise ValueError("not one plain message")
    return data[5:]
