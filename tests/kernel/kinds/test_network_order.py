"""Addresses and ports that the kernel keeps in network order are the numbers that a process gave, in every kind."""

import socket
import sys

import skep
from skep.testing.cgroups import Cgroup
from skep.testing.network import Namespace
from tests.kernel.kinds.programs import orders

CONNECT = f"""
import socket
with socket.create_server(("127.0.0.2", {orders.FAR_PORT})) as server:
    with socket.socket() as one:
        one.bind(("127.0.0.1", {orders.NEAR_PORT}))
        one.connect(("127.0.0.2", {orders.FAR_PORT}))
        one.sendall(b"hello")
        server.accept()[0].recv(5)
"""


def is_told(ends: object) -> None:
    """All fields are those of the connection."""
    assert isinstance(ends, orders.Ends)
    assert ends.seen > 0
    assert (ends.near, ends.far) == (orders.NEAR, orders.FAR)
    assert (ends.near_port, ends.far_port) == (orders.NEAR_PORT, orders.FAR_PORT)
    lies = ends.to_bytes()[LIES : LIES + 6]
    assert lies == bytes((127, 0, 0, 2)) + orders.FAR_PORT.to_bytes(2, "big")


LIES = next(f.offset for f in orders.Ends.fields if f.name == "lies")


def test_a_connection_of_a_cgroup_is_told_in_ordinary_numbers(
    cgroup: Cgroup, netns: Namespace
) -> None:
    inside = (orders.sees_an_operation, orders.sees_a_packet, orders.sees_a_connect)
    with skep.load(*inside, orders.sees_a_socket) as live:
        for program in inside:
            live.attach(program, cgroup.path)
        done = cgroup.run(*netns.command(sys.executable, "-c", CONNECT))
        assert done.returncode == 0, done.stderr
        for index in (orders.EVENTS, orders.OPERATIONS, orders.PACKETS, orders.CONNECTS):
            is_told(live[orders.ends][index])


def test_a_connection_of_a_map_of_sockets_is_told_in_ordinary_numbers(netns: Namespace) -> None:
    with netns.entered(), socket.create_server(("127.0.0.2", orders.FAR_PORT)) as server:
        client = socket.socket()
        client.bind(("127.0.0.1", orders.NEAR_PORT))
        client.connect(("127.0.0.2", orders.FAR_PORT))
        end = server.accept()[0]
    with client, end, skep.load(orders.sees_a_message, orders.sees_a_stream) as live:
        live.attach(orders.sees_a_message, orders.sockets)
        live.attach(orders.sees_a_stream, orders.sockets)
        live[orders.sockets][0] = client
        client.sendall(b"there")
        assert end.recv(16) == b"there"
        end.sendall(b"back")
        assert client.recv(16) == b"back"
        is_told(live[orders.ends][orders.MESSAGES])
        is_told(live[orders.ends][orders.STREAM])


def test_an_ethertype_is_an_ordinary_number() -> None:
    for ethertype, verdict in ((0x0806, 2), (0x0800, 0)):
        packet = bytes(12) + ethertype.to_bytes(2, "big") + bytes(46)
        assert skep.run(orders.sees_an_ethertype, packet).verdict == verdict
