"""The server and the client over a real socket file, with an agent that is only values."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from skep.api import routes, server
from skep.api.client import Client, Cut
from skep.api.http import Malformed
from skep.api.query import Position, Query
from skep.api.server import Server
from skep.api.sink import PATIENCE
from skep.api.version import VERSION, compatible
from skep.base.errors import Busy, Refused, Unreachable
from tests.unit.api.fake_node import FakeNode

T = TypeVar("T")


def serve(
    node: FakeNode,
    path: Path,
    talk: Callable[[Server], Awaitable[T]],
    *,
    patience: float = PATIENCE,
) -> T:
    async def run() -> T:
        serving = Server(routes.local(node), patience=patience)
        await serving.listen_unix(str(path))
        try:
            async with asyncio.timeout(60):
                return await talk(serving)
        finally:
            await serving.close()

    return asyncio.run(run())


def _asks(line: bytes, fields: bytes = b"A: b", *, body: bytes = b"") -> bytes:
    """A request."""
    return line + b" HTTP/1.1\r\nHost: skep\r\n" + fields + b"\r\n\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"
HEAD = b"HTTP/1.1 200 OK\r\nSkep-Version: 0.1.0\r\n" + CHUNKED + b"\r\n\r\n"


def ask(node: FakeNode, path: Path, call: Callable[[Client], T]) -> T:
    async def talk(_: Server) -> T:
        return await asyncio.to_thread(call, Client(str(path), seconds=60.0))

    return serve(node, path, talk)


def raw(path: Path, data: bytes) -> tuple[int, dict[str, Any]]:
    """The status and the JSON that answer ``data``."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.fixture(name="path")
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "agent.sock"


def test_objects_come_back_as_the_agent_gave_them(path: Path) -> None:
    assert ask(FakeNode(), path, Client.status) == {"version": "0.1.0", "pid": 7}
    assert ask(FakeNode(), path, Client.summary) == {"events": {"exec": 3}}
    assert ask(FakeNode(), path, Client.features) == {"features": []}


def test_the_socket_is_for_its_owner_alone(path: Path) -> None:
    async def mode(_: Server) -> int:
        return stat.S_IMODE(os.stat(path).st_mode)

    assert serve(FakeNode(), path, mode) == 0o600


def test_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "peer_uid", lambda _: 12345)
    with pytest.raises(Refused, match="only root") as caught:
        ask(FakeNode(), path, Client.status)
    assert caught.value.status == 403


def test_reload_and_stop_reach_the_agent(path: Path) -> None:
    node = FakeNode()
    assert ask(node, path, Client.reload) == {"changed": []}
    assert ask(node, path, Client.stop) == {"stopping": True}
    assert (node.reloads, node.stops) == (1, 1)


def test_a_refused_reload_names_the_place_and_changes_nothing(path: Path) -> None:
    node = FakeNode()
    node.bad_config = True
    with pytest.raises(Refused, match=r"skep\.yaml:3: metrics\.port") as caught:
        ask(node, path, Client.reload)
    assert (caught.value.status, node.reloads) == (400, 0)


def test_a_fault_of_the_agent_is_answered_and_it_serves_on(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = FakeNode()
    node.broken = True

    def both(client: Client) -> dict[str, Any]:
        with pytest.raises(Refused, match="failed to answer") as caught:
            client.status()
        assert caught.value.status == 500
        return client.summary()

    assert ask(node, path, both) == {"events": {"exec": 3}}
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("request_bytes", "status", "text"),
    [
        (b"hello\r\n\r\n", 400, "illegal request line"),
        (b"GET /v1/status HTTP/1.1\r\n", 400, "closed connection"),
        (b"GET /v1/status HTTP/1.1\r\n\r\n", 400, "Host"),
        (_asks(b"GET /nothing"), 404, "there are /v1/status"),
        (_asks(b"GET nothing"), 400, "not a path"),
        (_asks(b"GET /%ff"), 400, "cannot be read"),
        (_asks(b"GET /v1/events?kind"), 400, "cannot be read"),
        (_asks(b"POST /v1/status"), 405, "takes GET"),
        (_asks(b"GET /v1/reload"), 405, "takes POST"),
        (_asks(b"GET /v1/status?a=1"), 400, "a: /v1/status takes no parameters"),
        (_asks(b"GET /v1/events?kind=x"), 400, "kind: there is no kind 'x'"),
        (
            _asks(b"POST /v1/stop", b"Content-Length: 9", body=b"short"),
            400,
            "complete message body",
        ),
        (_asks(b"POST /v1/stop", b"Content-Length: 2", body=b"{}"), 400, "no body"),
        (_asks(b"POST /v1/stop", b"Content-Length: -1"), 400, "Content-Length"),
        (_asks(b"POST /v1/stop", b"Content-Length: 1\r\nContent-Length: 2"), 400, "Content-Length"),
        (
            _asks(b"POST /v1/stop", b"Content-Length: 70000", body=bytes(70000)),
            413,
            "at most 65536",
        ),
        (_asks(b"POST /v1/stop", CHUNKED, body=b"3\r\nabc\r\n0\r\n\r\n"), 400, "no body"),
        (_asks(b"GET /", b"A: " + b"x" * 40000), 431, "at most 16384 bytes"),
        (_asks(b"GET /v1/status", b"Skep-Version: 7.0.0"), 426, "one minor apart"),
    ],
)
def test_a_bad_request_is_answered_and_changes_nothing(
    path: Path, request_bytes: bytes, status: int, text: str
) -> None:
    node = FakeNode()

    async def talk(_: Server) -> tuple[int, dict[str, Any]]:
        return await asyncio.to_thread(raw, path, request_bytes)

    code, body = serve(node, path, talk)
    assert (code, body["error"]["status"]) == (status, status)
    assert text in body["error"]["text"]
    assert (node.reloads, node.stops) == (0, 0)


def test_connections_beyond_the_most_are_refused_and_those_far_beyond_are_closed(
    path: Path,
) -> None:
    most = server.MOST_CONNECTIONS + server.MOST_REFUSED

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(_asks(b"GET /v1/status", b"Connection: close"))
        answer = await reader.read()
        writer.close()
        return answer

    async def talk(serving: Server) -> tuple[bytes, ...]:
        opened = [await asyncio.open_unix_connection(str(path)) for _ in range(most + 30)]
        closed = [await reader.read() for reader, _ in opened[most:]]
        assert closed == [b""] * 30
        assert serving.counts.connections == most
        ends = (most - 1, server.MOST_CONNECTIONS, 0, server.MOST_CONNECTIONS - 1)
        said = [await answered(*opened[one]) for one in ends]
        for _, writer in opened:
            writer.close()
        while serving.counts.connections:  # noqa: ASYNC110 - a condition of the server
            await asyncio.sleep(0)
        return *said, await answered(*await asyncio.open_unix_connection(str(path)))

    *refused, first, last, later = serve(FakeNode(), path, talk)
    for answer in refused:
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"the agent serves 64 connections already" in answer
    for answer in (first, last, later):
        assert b'"pid":7' in answer


def test_a_client_that_asks_nothing_is_told_so_in_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.02)

    async def talk(_: Server) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(path))
        answer = await reader.read()
        writer.close()
        return answer

    answer = serve(FakeNode(), path, talk)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.endswith(b'"no request within 0.02 s"}}')


def test_a_head_alone_is_answered_as_a_get_without_a_body(path: Path) -> None:
    """A body would be taken for the next answer of the connection."""
    asked = [b"HEAD /v1/status", b"HEAD /v1/stop", b"HEAD /v1/events?follow=1"]
    asked += [b"HEAD /no", b"GET /no"]

    def talk() -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(path))
            connection.sendall(b"".join(_asks(one) for one in asked))
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    async def run(_: Server) -> bytes:
        return await asyncio.to_thread(talk)

    node = FakeNode()
    status, stop, events, missing, last = serve(node, path, run).split(b"\r\n\r\nHTTP/1.1 ")
    assert status.startswith(b"HTTP/1.1 200 OK\r\n")
    assert int(status.partition(b"Content-Length: ")[2].split()[0]) > 0
    assert stop.startswith(b"405 ")
    assert b"\r\nAllow: POST" in stop
    assert events.startswith(b"200 OK\r\nContent-Type: application/x-ndjson")
    assert missing.startswith(b"404 ")
    assert last.endswith(b"}")
    assert node.stops == 0


def test_two_requests_share_a_connection(path: Path) -> None:
    async def talk(serving: Server) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(_asks(b"GET /v1/status") + _asks(b"GET /v1/summary"))
        writer.write(_asks(b"GET /v1/status", b"Connection: close"))
        answers = await reader.read()
        writer.close()
        assert serving.counts.requests == 3
        return answers

    assert serve(FakeNode(), path, talk).count(b"HTTP/1.1 200 OK") == 3


def test_stored_events_come_as_lines(path: Path) -> None:
    node = FakeNode(pieces=(b'{"a":1}\n{"a":2}\n', b"", b'{"a":3}\n'))
    lines = ask(node, path, lambda client: list(client.lines(Query(last=3))))
    assert lines == [b'{"a":1}', b'{"a":2}', b'{"a":3}']
    assert node.asked == [Query(last=3)]


def test_a_wrong_choice_of_events_is_refused_before_the_stream(path: Path) -> None:
    with pytest.raises(Refused, match="pid: "):
        ask(FakeNode(), path, lambda client: list(client.lines(Query(pids=frozenset({1 << 40})))))


def test_following_sends_what_comes_and_ends_with_the_client(path: Path) -> None:
    node = FakeNode(pieces=(b"old\n",))

    async def talk(_: Server) -> list[bytes]:
        client = Client(str(path))
        lines = client.lines(Query(follow=True, last=1))
        got = [await asyncio.to_thread(next, lines)]
        while not node.sends:  # noqa: ASYNC110 - a condition of a fake
            await asyncio.sleep(0)
        node.sends[0](b"new\nnewer\n")
        got += [await asyncio.to_thread(next, lines), await asyncio.to_thread(next, lines)]
        cast(Generator[bytes, None, None], lines).close()
        while node.sends:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0)
        return got

    assert serve(node, path, talk) == [b"old", b"new", b"newer"]


LONG_LINE = b"x" * 65535 + b"\n"


async def fill(node: FakeNode) -> int:
    """Send to the one client until no more is taken; the bytes that were."""
    while not node.sends:  # noqa: ASYNC110 - a condition of a fake
        await asyncio.sleep(0)
    sent = 0
    while sent < 1000 * len(LONG_LINE) and node.sends[0](LONG_LINE):
        sent += len(LONG_LINE)
        await asyncio.sleep(0)
    return sent


def test_a_client_that_stops_reading_is_told_and_dropped(path: Path) -> None:
    node = FakeNode()

    async def talk(serving: Server) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=1024)
        writer.write(_asks(b"GET /v1/events?follow=1"))
        assert 4 << 20 < await fill(node) < 8 << 20
        node.fells[0](Position(7, 2, 100))
        while not node.given_up:  # noqa: ASYNC110 - a condition of a fake
            await asyncio.sleep(0.001)
        assert serving.counts.dropped == 1
        answer = b""
        while piece := await reader.read(1 << 20):
            answer += piece
        writer.close()
        return answer

    answer = serve(node, path, talk, patience=0.01)
    assert node.given_up == [Position(7, 2, 100)]
    assert b'{"notice":"dropped","reason":"the client stopped reading","unread_bytes":4' in answer
    assert answer.endswith(b"\r\n0\r\n\r\n")


def test_a_client_that_fell_behind_goes_on_where_it_did(path: Path) -> None:
    node = FakeNode(pieces=(b"stored\n",))

    async def talk(serving: Server) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 20)
        writer.write(_asks(b"GET /v1/events?follow=1"))
        await fill(node)
        node.fells[0](Position(7, 2, 100))
        answer = b""
        while b"stored\n" not in answer:
            answer += await reader.read(1 << 20)
        while not node.sends:  # noqa: ASYNC110 - a condition of a fake
            await asyncio.sleep(0)
        assert node.sends[0](b"live\n")
        while b"live\n" not in answer:
            answer += await reader.read(1 << 20)
        writer.close()
        assert serving.counts.dropped == 0
        return answer

    serve(node, path, talk)
    assert node.begins == [Position(7, 2, 100)]
    assert node.given_up == []


def test_a_client_that_goes_while_much_waits_for_it_is_no_fault(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    node = FakeNode(pieces=(LONG_LINE,))

    async def talk(serving: Server) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=1024)
        writer.write(_asks(b"GET /v1/events?follow=1"))
        await fill(node)
        node.fells[0](Position(7, 2, 100))
        assert await reader.read(1)
        writer.transport.abort()
        while serving.counts.connections:  # noqa: ASYNC110 - a condition of the server
            await asyncio.sleep(0)

    serve(node, path, talk)
    assert capfd.readouterr().err == ""


def test_an_agent_that_closes_ends_the_stream_in_order(path: Path) -> None:
    node = FakeNode(pieces=(b"old\n",))

    async def talk(serving: Server) -> list[bytes]:
        lines = Client(str(path)).lines(Query(follow=True, last=1))
        reading = asyncio.ensure_future(asyncio.to_thread(lambda: list(lines)))
        while not node.sends:  # noqa: ASYNC110 - a condition of a fake
            await asyncio.sleep(0)
        await serving.close()
        return await reading

    assert serve(node, path, talk) == [b"old"]


def test_an_agent_that_is_killed_cuts_the_stream(path: Path) -> None:
    async def killed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"4\r\nold\n\r\n9\r\nha")
        writer.close()

    async def talk() -> list[bytes]:
        got: list[bytes] = []
        async with await asyncio.start_unix_server(killed, path):
            with pytest.raises(Cut):
                await asyncio.to_thread(lambda: got.extend(Client(str(path)).lines(Query())))
        return got

    assert asyncio.run(talk()) == [b"old"]


@pytest.mark.parametrize("step", [1, 7, 64])
def test_lines_come_whole_however_they_are_cut(path: Path, step: int) -> None:
    wire = HEAD + b"6\r\na\nbc\nd\r\n" + b"3\r\ne\nf\r\n2\r\ng\n\r\n0\r\n\r\n"

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for at in range(0, len(wire), step):
            writer.write(wire[at : at + step])
            await asyncio.sleep(0)
        writer.close()

    async def talk() -> list[bytes]:
        async with await asyncio.start_unix_server(slow, path):
            return await asyncio.to_thread(lambda: list(Client(str(path)).lines(Query())))

    assert asyncio.run(talk()) == [b"a", b"bc", b"de", b"fg"]


def test_what_is_no_agent_is_told(path: Path) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example.org ESMTP\r\n\r\n")
        writer.close()

    async def talk() -> None:
        async with await asyncio.start_unix_server(other, path):
            with pytest.raises(Malformed, match="illegal status line"):
                await asyncio.to_thread(Client(str(path)).status)

    asyncio.run(talk())


def test_no_agent_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        Client(str(tmp_path / "none.sock")).status()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(Unreachable, match="Connection refused"):
        Client(str(tmp_path / "dead.sock")).status()


@pytest.mark.parametrize("before", [0, 1])
def test_an_agent_that_is_silent_is_told_from_none(tmp_path: Path, before: int) -> None:
    """Also where more wait already than the kernel lets wait, so that there is not even a connection."""
    path = str(tmp_path / "silent.sock")
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as other:
        silent.bind(path)
        silent.listen(0)
        if before:
            other.connect(path)
        with pytest.raises(Busy) as caught:
            Client(path, seconds=0.05).status()
    assert str(caught.value) == (
        f"the agent at {path} runs, but gives no answer within 0.05 s;"
        " it is busy, or hangs: `skep down --force` ends it"
    )


def test_releases_one_minor_apart_understand_each_other() -> None:
    assert compatible("1.3.0", "1.4.9")
    assert compatible("1.3.0", "1.2")
    assert not compatible("1.3.0", "1.5.0")
    assert not compatible("1.3.0", "2.3.0")
    assert not compatible("1.3.0", "junk")
    assert compatible(VERSION, VERSION)
