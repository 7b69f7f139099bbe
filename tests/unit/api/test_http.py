"""Heads and chunks: what is taken, and with which status the rest is refused."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep.api import http
from skep.api.http import Chunks, Malformed, chunk, parse_answer, parse_request

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_a_request_is_split_into_path_query_and_headers() -> None:
    request = parse_request(b"GET /v1/events?pid=1&pid=2&comm=a%20b HTTP/1.1\r\nHost: x\r\nA: 1 ")
    assert (request.method, request.path) == ("GET", "/v1/events")
    assert request.query == (("pid", "1"), ("pid", "2"), ("comm", "a b"))
    assert request.headers == {"host": "x", "a": "1"}
    assert request.keep_alive


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", 400),
        (b"GET /", 400),
        (b"GET / HTTP/2", 505),
        (b"GET / SPDY", 400),
        (b"G(T / HTTP/1.1", 400),
        (b"GET x HTTP/1.1", 400),
        (b"GET /\xff HTTP/1.1", 400),
        (b"GET /%ff HTTP/1.1", 400),
        (b"GET /?a HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r\nno colon", 400),
        (b"GET / HTTP/1.1\r\n: empty", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", 400),
        (b"GET / HTTP/1.1" + b"\r\nA: b" * 65, 431),
    ],
)
def test_a_malformed_head_is_refused_with_a_status(head: bytes, status: int) -> None:
    with pytest.raises(Malformed) as caught:
        parse_request(head)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("field", "status"),
    [
        (b"Transfer-Encoding: chunked", 411),
        (b"Content-Length: -1", 400),
        (b"Content-Length: 1e3", 400),
        (b"Content-Length: 65537", 413),
        (b"Content-Length: 99999999999999999999", 413),
    ],
)
def test_a_body_of_unknown_or_excessive_length_is_refused(field: bytes, status: int) -> None:
    request = parse_request(b"POST / HTTP/1.1\r\n" + field)
    with pytest.raises(Malformed) as caught:
        _ = request.body_bytes
    assert caught.value.status == status


def test_keep_alive_follows_version_and_wish() -> None:
    assert not parse_request(b"GET / HTTP/1.0").keep_alive
    assert parse_request(b"GET / HTTP/1.0\r\nConnection: keep-alive").keep_alive
    assert not parse_request(b"GET / HTTP/1.1\r\nConnection: close").keep_alive


@PATIENT
@given(st.binary(max_size=300))
def test_no_head_does_anything_but_parse_or_be_refused(head: bytes) -> None:
    with suppress(Malformed):
        assert parse_request(head).method


def test_what_the_server_writes_the_client_reads() -> None:
    head = http.write_head(404, {"Content-Length": "3"})
    answer = parse_answer(head.removesuffix(http.END_OF_HEAD))
    assert (answer.status, answer.headers) == (404, {"content-length": "3"})


@PATIENT
@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.integers(1, 20))
def test_chunks_come_back_whole_however_they_are_cut(parts: list[bytes], step: int) -> None:
    wire = b"".join(map(chunk, parts)) + http.LAST_CHUNK
    reader, got = Chunks(), b""
    for at in range(0, len(wire), step):
        got += reader.feed(wire[at : at + step])
    assert got == b"".join(parts)
    assert reader.ended


@pytest.mark.parametrize("wire", [b"zz\r\n", b"1" * 40])
def test_a_chunk_without_a_size_is_refused(wire: bytes) -> None:
    with pytest.raises(Malformed):
        Chunks().feed(wire)
