"""Container runtimes to test against: real servers on unix sockets, with answers that a test sets.

``FakeDocker`` speaks HTTP/1.1 as Docker and Podman do, ``FakeCri`` gRPC as containerd does. Each can
also misbehave: hang, close, or say nonsense. They live in an event loop, inside ``async with``.
"""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from skep.base.lazy import lazy
from skep.node.runtimes.protobuf import decode, encode, text

h2_config = lazy("h2.config")
h2_connection = lazy("h2.connection")
h2_events = lazy("h2.events")

OK, NOT_FOUND, UNIMPLEMENTED = 0, 5, 12


@asynccontextmanager
async def _serve(path: str, handle: Any) -> AsyncIterator[None]:  # noqa: ANN401 - a connection handler
    open_writers: set[asyncio.StreamWriter] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.add(writer)
        try:
            await handle(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            open_writers.discard(writer)
            writer.close()

    server = await asyncio.start_unix_server(guarded, path)
    try:
        yield
    finally:
        server.close()
        for writer in open_writers:
            writer.transport.abort()
        await server.wait_closed()


@dataclass
class FakeDocker:
    """``containers``: the JSON of an inspection by id, or of another path. ``raw``, where set, is answered instead.

    ``chunked`` sends bodies in chunks of that many bytes. ``hang``: never answers. ``asked`` lists
    the paths that were asked for.
    """

    containers: dict[str, Any] = field(default_factory=dict)
    raw: bytes | None = None
    chunked: int = 0
    hang: bool = False
    asked: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def at(self, path: str) -> AsyncIterator[str]:
        """Serve on the unix socket ``path`` until the end of the block."""
        async with _serve(path, self._handle):
            yield path

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(request.split(" ")[1])
        if self.hang:
            await reader.read()
            return
        writer.write(self._answer(self.asked[-1]) if self.raw is None else self.raw)
        await writer.drain()

    def _answer(self, path: str) -> bytes:
        found = self.containers.get(path.removesuffix("/json").removeprefix("/containers/"))
        status = "404 Not Found" if found is None else "200 OK"
        body = json.dumps({"message": "No such container"} if found is None else found).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        if not self.chunked:
            return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        parts = [body[i : i + self.chunked] for i in range(0, len(body), self.chunked)]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks


def pairs(number: int, values: Mapping[str, str]) -> bytes:
    """A map of text to text as field ``number``."""
    entries = (encode(1, key) + encode(2, value) for key, value in values.items())
    return b"".join(encode(number, entry) for entry in entries)


def container_status(
    container: str,
    name: str,
    image: str,
    *,
    labels: Mapping[str, str] | None = None,
    info: object = None,
    mounts: Iterable[tuple[str, str, bool]] = (),
) -> bytes:
    """A ContainerStatusResponse; ``mounts`` are (source, destination, read only)."""
    status = encode(1, container) + encode(2, encode(1, name)) + encode(8, encode(1, image))
    status += pairs(12, labels or {})
    for source, destination, read_only in mounts:
        mount = encode(1, destination) + encode(2, source)
        status += encode(14, mount + encode(3, int(read_only)))
    return encode(1, status) + (pairs(2, {"info": json.dumps(info)}) if info is not None else b"")


def sandbox_status(
    sandbox: str, namespace: str, name: str, uid: str, labels: Mapping[str, str] | None = None
) -> bytes:
    """A PodSandboxStatusResponse."""
    metadata = encode(1, name) + encode(2, uid) + encode(3, namespace)
    return encode(1, encode(1, sandbox) + encode(2, metadata) + pairs(7, labels or {}))


@dataclass
class FakeCri:
    """``containers`` and ``sandboxes``: encoded answers by id. ``version``: which CRI it speaks.

    ``raw`` is written instead of HTTP/2, ``status`` answered to everything but Version. ``hang``:
    never answers. ``asked`` lists methods and ids.
    """

    containers: dict[str, bytes] = field(default_factory=dict)
    sandboxes: dict[str, bytes] = field(default_factory=dict)
    name: str = "containerd"
    version: str = "runtime.v1"
    raw: bytes | None = None
    status: tuple[int, str] | None = None
    hang: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    @asynccontextmanager
    async def at(self, path: str) -> AsyncIterator[str]:
        """Serve on the unix socket ``path`` until the end of the block."""
        async with _serve(path, self._handle):
            yield path

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.raw is not None:
            writer.write(self.raw)
            await writer.drain()
            return
        if self.hang:
            await reader.read()
            return
        await _Connection(self, reader, writer).run()

    def answer(self, path: str, request: bytes) -> tuple[int, str, bytes]:
        """Status, message and body for a method and its request."""
        service, _, method = path.removeprefix("/").partition("/")
        subject = text(decode(request), 1)
        self.asked.append((method, subject))
        if service != f"{self.version}.RuntimeService":
            return UNIMPLEMENTED, f"unknown service {service}", b""
        if method == "Version":
            return OK, "", encode(1, "0.1.0") + encode(2, self.name)
        if self.status is not None:
            return *self.status, b""
        known = {"ContainerStatus": self.containers, "PodSandboxStatus": self.sandboxes}[method]
        if subject not in known:
            return NOT_FOUND, f'an error occurred: "{subject}": not found', b""
        return OK, "", known[subject]


class _Connection:
    """The server's side of one HTTP/2 connection with gRPC calls."""

    def __init__(
        self, fake: FakeCri, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._fake, self._reader, self._writer = fake, reader, writer
        config = h2_config.H2Configuration(client_side=False, header_encoding="utf-8")
        self._h2: Any = h2_connection.H2Connection(config)
        self._paths: dict[int, str] = {}
        self._bodies: dict[int, bytes] = {}
        self._unsent: dict[int, tuple[bytes, list[tuple[str, str]]]] = {}

    async def run(self) -> None:
        self._h2.initiate_connection()
        self._flush()
        while data := await self._reader.read(65_536):
            for event in self._h2.receive_data(data):
                self._take(event)
            self._send()
            self._flush()
            await self._writer.drain()

    def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())

    def _take(self, event: object) -> None:
        match event:
            case h2_events.RequestReceived():
                self._paths[event.stream_id] = dict(event.headers)[":path"]
                self._bodies[event.stream_id] = b""
            case h2_events.DataReceived():
                self._bodies[event.stream_id] += event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2_events.StreamEnded():
                self._answer(event.stream_id)
            case _:
                pass

    def _answer(self, stream: int) -> None:
        path, body = self._paths.pop(stream), self._bodies.pop(stream)
        code, message, answer = self._fake.answer(path, body[5:])
        head = [(":status", "200"), ("content-type", "application/grpc")]
        end = [("grpc-status", str(code)), ("grpc-message", message)]
        if code:
            self._h2.send_headers(stream, [*head, *end], end_stream=True)
            return
        self._h2.send_headers(stream, head)
        self._unsent[stream] = (struct.pack(">BI", 0, len(answer)) + answer, end)

    def _send(self) -> None:
        """As much of each answer as the windows take."""
        for stream, (data, end) in list(self._unsent.items()):
            rest = data
            while rest:
                room = self._h2.local_flow_control_window(stream)
                size = min(len(rest), room, self._h2.max_outbound_frame_size)
                if not size:
                    break
                self._h2.send_data(stream, rest[:size])
                rest = rest[size:]
            self._unsent[stream] = (rest, end)
            if not rest:
                self._h2.send_headers(stream, end, end_stream=True)
                del self._unsent[stream]
