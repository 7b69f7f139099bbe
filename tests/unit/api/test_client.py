"""The client alone: what it does with an agent that is in a hurry."""

import socket
import threading
from pathlib import Path

from skep.api.client import Client
from skep.api.version import VERSION

LONG = "/" + "x" * (1 << 21)
"""More than a socket takes before somebody reads."""


def test_an_answer_that_came_before_the_request_was_sent_whole_is_read(tmp_path: Path) -> None:
    body = b'{"pid": 7}'
    head = f"HTTP/1.1 200 OK\r\nSkep-Version: {VERSION}\r\nContent-Length: {len(body)}\r\n\r\n"
    path = str(tmp_path / "agent.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                connection.sendall(head.encode() + body)

        server = threading.Thread(target=answer)
        server.start()
        try:
            assert Client(path)._json("GET", LONG) == {"pid": 7}
        finally:
            server.join()
