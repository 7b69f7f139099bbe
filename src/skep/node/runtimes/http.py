"""One HTTP/1.1 GET over a unix socket: what Docker's and Podman's APIs need, and no more.

A connection for each request, closed by the server. Sizes are bounded; time is the caller's.
"""

import asyncio

from skep.node.runtimes.client import LARGEST_ANSWER, NoAnswer

_LARGEST_HEAD = 65_536


async def get(socket: str, path: str) -> tuple[int, bytes]:
    """The status and body of ``GET path``. Raises NoAnswer; ``path`` holds no blanks or controls."""
    try:
        reader, writer = await asyncio.open_unix_connection(socket, limit=_LARGEST_HEAD)
    except OSError as error:
        raise NoAnswer(socket, error.strerror or str(error)) from error
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: skep\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        return await _answer(reader)
    except (OSError, ValueError, EOFError, asyncio.LimitOverrunError) as error:
        raise NoAnswer(socket, f"malformed answer: {error}") from error
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    version, status, *_ = lines[0].split(" ")
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise ValueError("no status line")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return int(status), await _chunks(reader)
    if "content-length" in headers:
        return int(status), await reader.readexactly(_size(headers["content-length"], 10))
    return int(status), await _rest(reader)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        size = _size(line.partition(b";")[0].decode("latin-1").strip(), 16)
        if not size:
            return bytes(body)
        body += await reader.readexactly(size)
        _size(str(len(body)), 10)
        await reader.readexactly(2)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while data := await reader.read(_LARGEST_HEAD):
        body += data
        _size(str(len(body)), 10)
    return bytes(body)


def _size(text: str, base: int) -> int:
    size = int(text, base)
    if not 0 <= size <= LARGEST_ANSWER:
        raise ValueError(f"{size} bytes are too many")
    return size
