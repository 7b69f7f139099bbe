"""The server's side of a connection, on asyncio's streams, in HTTP/1.1 as h11 reads and writes it."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

import h11

from skep.api.http import (
    CONTENT_TOO_LARGE,
    LARGEST_BODY,
    LARGEST_HEAD,
    Malformed,
    Request,
    malformed,
    request,
)

PIECE = 16 * 1024


class Conversation:
    """The server's side of one connection: one request after the other, and the answer to each.

    It lives as long as the connection, which whoever made it closes.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._wire = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)

    async def request(self) -> tuple[Request, bytes]:
        """The next request with its body. Raises EOFError where the client has gone, and Malformed."""
        event = await self._next()
        if not isinstance(event, h11.Request):
            raise EOFError  # noqa: TRY004 - no wrong type: the client has gone
        body = bytearray()
        while isinstance(part := await self._next(), h11.Data):
            body += part.data
            if len(body) > LARGEST_BODY:
                raise Malformed(CONTENT_TOO_LARGE, f"a body has at most {LARGEST_BODY} bytes")
        return request(event), bytes(body)

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Begin an answer. What it lacks in headers for a body of unknown length is added."""
        phrase = HTTPStatus(status).phrase
        fields = list(headers.items())
        self._send(h11.Response(status_code=status, headers=fields, reason=phrase))

    def send(self, data: bytes) -> None:
        """A piece of the body, which an answer to HEAD has not."""
        self._send(h11.Data(data=data))

    def end(self) -> bool:
        """End an answer; whether another request may follow."""
        self._send(h11.EndOfMessage())
        if self._wire.our_state is not h11.DONE or self._wire.their_state is not h11.DONE:
            return False
        self._wire.start_next_cycle()
        return True

    def _send(self, event: h11.Event) -> None:
        self.writer.write(self._wire.send(event) or b"")

    async def _next(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        try:
            while (event := self._wire.next_event()) is h11.NEED_DATA:
                self._wire.receive_data(await self.reader.read(PIECE))
        except h11.RemoteProtocolError as error:
            raise malformed(error) from error
        return event
