"""One HTTP/1.1 GET over a unix socket: what Docker's and Podman's APIs need, and no more.

A connection for each request, closed by the server. Sizes are bounded; time is the caller's.
"""

import asyncio

import h11

from skep.node.runtimes.client import LARGEST_ANSWER, NoAnswer

_LARGEST_HEAD = 65_536


async def get(socket: str, path: str) -> tuple[int, bytes]:
    """The status and body of ``GET path``. Raises NoAnswer; ``path`` holds no blanks or controls."""
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError as error:
        raise NoAnswer(socket, error.strerror or str(error)) from error
    wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
    fields = [("Host", "skep"), ("Connection", "close")]
    asked = (h11.Request(method="GET", target=path, headers=fields), h11.EndOfMessage())
    try:
        writer.write(b"".join(wire.send(event) or b"" for event in asked))
        await writer.drain()
        return await _answer(reader, wire)
    except (OSError, ValueError, h11.RemoteProtocolError) as error:
        raise NoAnswer(socket, f"malformed answer: {error}") from error
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, wire: h11.Connection) -> tuple[int, bytes]:
    head = await _next(reader, wire)
    if not isinstance(head, h11.Response):
        raise ValueError("there is none")  # noqa: TRY004 - no wrong type: the end of the connection
    body = bytearray()
    while isinstance(part := await _next(reader, wire), h11.Data):
        body += part.data
        if len(body) > LARGEST_ANSWER:
            raise ValueError(f"more than {LARGEST_ANSWER} bytes are too many")
    return head.status_code, bytes(body)


async def _next(
    reader: asyncio.StreamReader, wire: h11.Connection
) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
    while (event := wire.next_event()) is h11.NEED_DATA:
        wire.receive_data(await reader.read(_LARGEST_HEAD))
    return event
