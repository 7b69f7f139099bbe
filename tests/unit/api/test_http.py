"""Requests as values: what is taken, and with which status the rest is refused."""

import asyncio
from contextlib import suppress
from typing import cast

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep.api.conversation import Conversation
from skep.api.http import LARGEST_BODY, Malformed, Request

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
POST = b"POST /v1/stop HTTP/1.1\r\nHost: skep\r\n"


def heard(data: bytes) -> tuple[Request, bytes]:
    """The first request of a client that sends this, and goes."""

    async def listen() -> tuple[Request, bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await Conversation(reader, cast(asyncio.StreamWriter, None)).request()

    return asyncio.run(listen())


def test_a_request_is_split_into_path_query_and_headers() -> None:
    line = b"GET /v1/events?pid=1&pid=2&comm=a%20b HTTP/1.1\r\n"
    request, body = heard(line + b"Host: x\r\nA: 1 \r\n\r\n")
    assert (request.method, request.path) == ("GET", "/v1/events")
    assert request.query == (("pid", "1"), ("pid", "2"), ("comm", "a b"))
    assert request.headers == {"host": "x", "a": "1"}
    assert body == b""


@pytest.mark.parametrize("size", [0, 5, LARGEST_BODY])
def test_a_body_comes_whole_however_it_is_sent(size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    whole = POST + b"Content-Length: %d\r\n\r\n" % size + body
    assert heard(whole)[1] == body
    chunks = b"%x\r\n%b\r\n" % (size, body) if size else b""
    assert heard(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")[1] == body


@pytest.mark.parametrize(
    "fields", [b"Content-Length: %d" % (LARGEST_BODY + 1), b"Transfer-Encoding: chunked"]
)
def test_a_body_is_bounded(fields: bytes) -> None:
    body = bytes(LARGEST_BODY + 1)
    chunk = body if fields.startswith(b"Content") else b"%x\r\n%b\r\n" % (len(body), body)
    with pytest.raises(Malformed) as caught:
        heard(POST + fields + b"\r\n\r\n" + chunk)
    assert caught.value.status == 413


def test_a_client_that_says_nothing_has_gone() -> None:
    with pytest.raises(EOFError):
        heard(b"")


@PATIENT
@given(
    st.binary(max_size=300) | st.binary(max_size=60).map(lambda end: b"GET /" + end + b"\r\n\r\n")
)
def test_whatever_is_sent_is_parsed_or_refused(data: bytes) -> None:
    with suppress(Malformed, EOFError):
        assert heard(data)[0].method


class Written:
    """A writer that keeps what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


@pytest.mark.parametrize(("version", "chunked"), [(b"1.1", True), (b"1.0", False)])
def test_an_answer_without_a_length_is_sent_as_the_client_can_read_it(
    version: bytes, *, chunked: bool
) -> None:
    async def talk() -> bytes:
        reader, writer = asyncio.StreamReader(), Written()
        reader.feed_data(b"GET / HTTP/" + version + b"\r\nHost: x\r\n\r\n")
        talk = Conversation(reader, cast(asyncio.StreamWriter, writer))
        await talk.request()
        talk.begin(200, {"Content-Type": "text/plain"})
        talk.send(b"a line\n")
        assert talk.end() == chunked  # the end of the connection is the end of the other
        return writer.data

    wire = asyncio.run(talk())
    assert (b"7\r\na line\n\r\n0\r\n\r\n" in wire) == chunked
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(wire)
    client.receive_data(b"")
    head, data, end = client.next_event(), client.next_event(), client.next_event()
    assert isinstance(head, h11.Response)
    assert isinstance(data, h11.Data)
    assert (bytes(data.data), type(end)) == (b"a line\n", h11.EndOfMessage)
