"""A congestion control of TCP in Python: it is listed, it carries a connection, and it is gone when it is closed."""

import socket
import threading

import pytest

import skep
from skep.testing.network import Namespace
from tests.kernel.kinds.programs import congestion

pytestmark = pytest.mark.requires("prog.struct_ops")
NAME = b"skep_reno"
AMOUNT = 4 << 20


def listed() -> list[str]:
    """The congestion controls that the kernel has."""
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control", encoding="ascii") as file:
        return file.read().split()


def carry(netns: Namespace) -> int:
    """How many bytes arrive of those that are sent with it."""
    with netns.entered():
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.socket()
    received = 0
    with server, client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, NAME)
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).startswith(NAME)
        client.connect(server.getsockname())
        end, _ = server.accept()
        with end:
            sender = threading.Thread(target=_send, args=(client,))
            sender.start()
            while data := end.recv(1 << 16):
                received += len(data)
            sender.join()
    return received


def _send(client: socket.socket) -> None:
    client.sendall(bytes(AMOUNT))
    client.shutdown(socket.SHUT_WR)


def test_a_congestion_control_in_python_carries_a_connection(netns: Namespace) -> None:
    with skep.load(congestion.reno) as live:
        assert "skep_reno" in listed()
        assert carry(netns) == AMOUNT
        assert live[congestion.counts][2] > 0
        with pytest.raises(skep.SkepError, match=r"skep\.StructOps"):
            live.attach(congestion.ssthresh)
        with pytest.raises(skep.SkepError):  # the name is taken
            skep.load(congestion.reno)
    assert "skep_reno" not in listed()


@pytest.mark.parametrize(
    ("ops", "said"),
    [(congestion.wrong, "did you mean 'name'"), (congestion.long, "does not fit")],
)
def test_a_member_that_is_none_or_too_long_is_told(ops: skep.StructOps, said: str) -> None:
    with pytest.raises(skep.SkepError, match=said):
        skep.load(ops)
    assert "skep_reno" not in listed()
