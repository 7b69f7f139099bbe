"""The local API, version 1: which path asks the agent what. The agent is a Protocol here.

``GET /v1/status``, ``/v1/summary``, ``/v1/features``: one JSON object. ``GET /v1/events``: NDJSON, see `query`. ``POST
/v1/reload``, ``/v1/stop``. ``GET /metrics``, on the port for Prometheus alone.
"""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Protocol

from skep.api import metrics, query
from skep.api.http import Request
from skep.api.metrics import Family
from skep.api.query import Position, Query
from skep.api.server import Body, Feed, Handler, Routes
from skep.api.sink import Sink
from skep.base.errors import BadInput

Object = Mapping[str, object]
FRESH_SECONDS = 1.0
"""For so long metrics are given again as they were: to read them takes 10 ms of CPU."""


class Node(Protocol):
    """What the API needs of an agent; all of it is called in the loop's thread and answers at once."""

    def status(self) -> Object:
        """What runs: see docs/api.md for the keys, as for the next two."""

    def summary(self) -> Object:
        """What happened since the start."""

    def features(self) -> Object:
        """What the kernel offers."""

    def reload(self) -> Object:
        """Read the configuration again; raises BadInput, and then nothing has changed."""

    def stop(self) -> None:
        """Begin to end."""

    def stored(self, choice: Query, begin: Position | None = None) -> Iterator[bytes]:
        """Lines of stored events, in pieces, until none newer is stored (or, without follow, was at the start)."""

    def follow(
        self, choice: Query, send: Callable[[bytes], bool], fell: Callable[[Position], None]
    ) -> Callable[[], None]:
        """Have lines of events to come sent; what comes back ends it. ``fell``: some were not taken, from there on."""

    def give_up(self, position: Position) -> None:
        """A client that fell behind there reads no more."""

    def families(self) -> Iterable[Family]:
        """The metrics."""

    def now(self) -> int:
        """Wall time, ns."""


def local(node: Node) -> Routes:
    """The routes of the socket file."""
    return {
        "/v1/status": {"GET": _object(node.status)},
        "/v1/summary": {"GET": _object(node.summary)},
        "/v1/features": {"GET": _object(node.features)},
        "/v1/events": {"GET": _events(node)},
        "/v1/reload": {"POST": _object(node.reload)},
        "/v1/stop": {"POST": _object(_stopped(node))},
    }


def prometheus(node: Node, clock: Callable[[], float] = time.monotonic) -> Routes:
    """The routes of the metrics port. Any user of the machine may ask: what they cost is bounded."""
    text, stale = b"", -math.inf

    async def handle(_: Request, __: bytes) -> Body:
        nonlocal text, stale
        if clock() >= stale:
            text, stale = metrics.text(node.families()), clock() + FRESH_SECONDS
        return Body(text, metrics.CONTENT_TYPE)

    return {"/metrics": {"GET": handle}}


def _object(ask: Callable[[], Object]) -> Handler:
    async def handle(request: Request, body: bytes) -> Body:
        if request.query or body:
            what = request.query[0][0] if request.query else "body"
            raise BadInput(what, f"{request.path} takes no parameters and no body")
        return Body(json.dumps(ask(), separators=(",", ":")).encode() + b"\n")

    return handle


def _stopped(node: Node) -> Callable[[], Object]:
    def stop() -> Object:
        node.stop()
        return {"stopping": True}

    return stop


def _events(node: Node) -> Handler:
    async def handle(request: Request, _: bytes) -> Feed:
        choice = query.parse(request.query, node.now())
        return Feed(_feed(node, choice))

    return handle


def _feed(node: Node, choice: Query) -> Callable[[Sink], Awaitable[None]]:
    async def run(sink: Sink) -> None:
        position: Position | None = None
        while not sink.done.is_set():
            if choice.stored or position is not None:
                for lines in node.stored(choice, position):
                    sink.send(lines)
                    await sink.flushed()
            if not choice.follow or sink.done.is_set():
                return
            # Nothing awaits between the last stored event and this line: none falls between the two.
            position = await _followed(node, choice, sink)
            await sink.flushed()
            if sink.done.is_set():
                node.give_up(position)

    return run


async def _followed(node: Node, choice: Query, sink: Sink) -> Position:
    """Send what comes until the client falls behind; where it did."""
    fell: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
    end = node.follow(choice, sink.send, fell.set_result)
    try:
        return await fell
    finally:
        end()
