"""Who holds a port."""

import os
import socket
from pathlib import Path

from skep.api import ports

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:255D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
   1: 0100007F:255E 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
"""


def fake_proc(root: Path) -> str:
    (root / "net").mkdir()
    (root / "net/tcp").write_text(TABLE)
    (root / "42/fd").mkdir(parents=True)
    (root / "42/comm").write_text("prometheus\n")
    for number, inode in enumerate((4711, 4712)):
        (root / f"42/fd/{number}").symlink_to(f"socket:[{inode}]")
    return str(root)


def test_the_listener_is_found_by_its_socket(tmp_path: Path) -> None:
    assert str(ports.holder(9565, fake_proc(tmp_path))) == "pid 42 (prometheus)"


def test_a_connection_from_the_port_is_no_listener(tmp_path: Path) -> None:
    assert ports.holder(9566, fake_proc(tmp_path)) is None


def test_this_process_is_found_on_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = ports.holder(server.getsockname()[1])
    assert found is not None
    assert found.pid == os.getpid()
