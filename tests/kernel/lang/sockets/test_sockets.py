"""Sockets that programs found are put into maps, and hand on their values to those that they accept."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import skep
from skep.testing.network import Namespace
from tests.kernel.lang.sockets import programs as p
from tests.kernel.lang.sockets.programs import Limit


@contextmanager
def connected(netns: Namespace) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    with netns.entered():
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname())
    with server, client:
        accepted, _ = server.accept()
        with accepted:
            yield client, accepted


def test_a_socket_that_was_looked_up_is_put_into_other_maps(netns: Namespace) -> None:
    with skep.load(p.copies, attach=False) as live, connected(netns) as (client, _):
        assert live.programs["copies"].test_run(bytes(64)).retval == 1
        live[p.found][1] = client
        assert live.programs["copies"].test_run(bytes(64)).retval == 0
        assert list(live[p.results].values()) == [1, 1]
        assert live[p.kept][2] == live[p.by_number][7] == live[p.found][1]
        assert live.programs["copies"].test_run(bytes(64)).retval == 0
        assert live[p.results][1] != 1  # there is one already


@pytest.mark.requires("iterator.sockmap")
def test_an_iterator_puts_sockets_into_another_map(netns: Namespace) -> None:
    with (
        skep.load(p.copies_all, p.copies, attach=False) as live,
        connected(netns) as (client, accepted),
    ):
        live[p.found][0], live[p.found][3] = client, accepted
        live.attach(p.copies_all, p.found)
        live.read(p.copies_all)
        for number in (0, 3):
            assert live[p.by_number][number + 10] == live[p.found][number]


def test_an_accepted_socket_has_the_value_of_the_one_that_listens(netns: Namespace) -> None:
    with skep.load(p.limits_listeners, attach=False) as live:
        with netns.entered():
            server = socket.create_server(("127.0.0.1", 0))
            client = socket.socket()
        with server, client:
            live[p.limits][server], live[p.others][server] = Limit(5), Limit(6)
            client.connect(server.getsockname())
            accepted, _ = server.accept()
            with accepted:
                assert live[p.limits][accepted] == Limit(5)
                assert accepted not in live[p.others]
                assert client not in live[p.limits]


@pytest.mark.requires("prog.syscall")
def test_a_program_without_a_context_is_run() -> None:
    done = skep.run(p.without_a_context, b"")
    assert (done.verdict, done.maps[p.results][0]) == (3, 8)
    assert p.without_a_context.py() == 3
