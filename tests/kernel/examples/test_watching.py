"""Examples that watch the machine: files, connections, waits, block devices, what is said through TLS."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kernel.examples.devices import loop_device, read_directly
from tests.kernel.examples.running import AGAIN, WAYS, bars, output_of, running

READS = 64
TRIES = 5


@pytest.fixture
def device(tmp_path: Path) -> Iterator[str]:
    with ExitStack() as stack:
        try:
            found = stack.enter_context(loop_device(tmp_path / "blocks", READS))
        except OSError as error:
            pytest.skip(f"no loop device: {error}")
        yield found


def test_an_open_is_shown_with_what_came_of_it(tmp_path: Path) -> None:
    file, none = tmp_path / "a file", tmp_path / "none"
    file.touch()

    def open_both() -> None:
        file.read_text()
        with pytest.raises(FileNotFoundError):
            none.open()

    with running("09_opensnoop.py") as one:
        found = one.until(rf"^ *{os.getpid()} .* (\d+) {re.escape(str(file))}$", open_both)
        assert int(found[1]) > 2
        one.until(rf"^ *{os.getpid()} .* ENOENT {re.escape(str(none))}$", open_both)
        one.interrupt()


CALLS = """
import ctypes, os, sys
call, how = ctypes.CDLL(None).syscall, (ctypes.c_uint64 * 3)()
names = [ctypes.c_char_p(os.fsencode(name)) for name in sys.argv[1:]]
results = call(2, names[0], 0, 0), call(257, -100, names[1], 0, 0), call(437, -100, names[2], how, 24)
sys.exit(min(results) < 0)
"""


@pytest.mark.native(AGAIN)
def test_opens_by_all_three_calls_are_shown(tmp_path: Path) -> None:
    """open(2) and openat2(2) too, which Python does not call itself."""
    files = [tmp_path / name for name in ("open", "openat", "openat2")]
    for file in files:
        file.touch()
    with running("09_opensnoop.py") as one:
        one.until("^ +PID")
        child = subprocess.Popen([sys.executable, "-I", "-S", "-c", CALLS, *map(str, files)])
        assert child.wait() == 0
        for file in files:
            one.until(rf"^ *{child.pid} .* \d+ {re.escape(str(file))}$")
        one.interrupt()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", pytest.param("::1", marks=pytest.mark.native(AGAIN))]
)
def test_the_life_of_a_connection_is_told_from_both_ends(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with running("10_tcplife.py") as one:
        one.until("^ +PID")
        with socket.create_server((host, 0), family=family) as listener:
            port = listener.getsockname()[1]
            client = socket.create_connection((host, port))
            server, _ = listener.accept()
        own = client.getsockname()[1]
        client.sendall(bytes(5000))
        assert len(server.recv(5000, socket.MSG_WAITALL)) == 5000
        server.sendall(bytes(77))
        assert client.recv(100)
        client.close()
        server.close()
        who, here, there = rf"^ *{os.getpid()} \S+", rf"{host} {own}", rf"{host} {port}"
        one.until(rf"{who} +5000 +77 +\d+\.\d {here} > {there}$")
        one.until(rf"{who} +77 +5000 +\d+\.\d {there} > {here}$")
        one.interrupt()


NAPS = "import time\nwhile True: time.sleep(0.01)"
BUSY = """
import os, time
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
while True:
    time.sleep(0.001)
    for _ in range(1 << 22): pass
"""


def test_waits_are_shown_by_the_stack_of_who_waits() -> None:
    """One process sleeps, again and again; two are busy and push each other aside, which is no wait."""
    codes = (NAPS, BUSY, BUSY)
    children = [subprocess.Popen([sys.executable, "-I", "-S", "-c", code]) for code in codes]
    try:
        for _ in range(TRIES):
            told, *busy = waits_of([child.pid for child in children])
            asleep = [(stack, us) for stack, us in told if "nanosleep" in stack]
            if asleep and all(busy):
                break
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert all(busy)
    assert sum(us for _, us in asleep) > 500_000
    assert all(stack.index("nanosleep") < stack.index("schedule") for stack, _ in asleep)


def waits_of(pids: list[int]) -> list[list[tuple[str, int]]]:
    """The stacks of processes and how long they waited there, us. A stack is missing where another has its place,
    which is told; in the next run they lie elsewhere.
    """
    begun = time.monotonic()
    with running("11_offcputime.py", "--for", "3") as one:
        errors = one.rest()
    most = (time.monotonic() - begun) * 1e6
    assert re.fullmatch(r"(\d+ waits are missing: there was no room\n)?", errors)
    lines = re.findall(r"^\S.*-(\d+);(\S+) (\d+)$", one.output, re.MULTILINE)
    assert len(lines) == one.output.count("\n")
    found = [[(stack, int(us)) for at, stack, us in lines if int(at) == pid] for pid in pids]
    assert all(sum(us for _, us in stacks) <= most for stacks in found)
    return found


def test_requests_to_a_block_device_are_counted_by_how_long_they_took(device: str) -> None:
    with running("12_biolatency.py") as one:
        one.until("^Measuring")
        read_directly(device, READS)
        one.interrupt()
    assert sum(bars(one.output)) >= READS


@pytest.mark.requires("link.uprobe")
@pytest.mark.parametrize("by", WAYS)
def test_what_is_said_through_tls_is_shown(by: tuple[str, ...]) -> None:
    output = output_of("15_tls.py", by=by)
    rows = re.findall(r"^ *(\d+) (SSL_\w+) +(\d+) b'(.*)'$", output, re.MULTILINE)
    server, client = sorted({int(thread) for thread, *_ in rows}, reverse=True)
    told = sorted((int(thread), *rest) for thread, *rest in rows)
    assert told == [
        (client, "SSL_read", "23", "and hello to the secret"),
        (client, "SSL_write", "10", "the secret"),
        (server, "SSL_read", "10", "the secret"),
        (server, "SSL_write", "23", "and hello to the secret"),
    ]


LONG = """
import ssl, sys
def end(server):
    how = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    how.check_hostname, how.verify_mode = False, ssl.CERT_NONE
    how.maximum_version = ssl.TLSVersion.TLSv1_2
    how.set_ciphers("aNULL:@SECLEVEL=0")
    return how
a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
ends = end(True).wrap_bio(a, b, server_side=True), end(False).wrap_bio(b, a)
"""


@pytest.mark.native(AGAIN)
@pytest.mark.requires("link.uprobe")
def test_of_a_long_text_the_begin_and_the_size_are_shown_and_failed_calls_are_not() -> None:
    code = LONG + (
        "for one in (ends[1], *ends * 2):\n"
        "    try: one.do_handshake()\n"
        "    except ssl.SSLWantReadError: pass\n"
        "try: ends[1].read(10)\n"
        "except ssl.SSLWantReadError: pass\n"
        "ends[0].write(b'x' * 9000)"
    )
    output = output_of("15_tls.py", sys.executable, "-c", code)
    ((way, size, text),) = re.findall(r"^ *\d+ (SSL_\w+) +(\d+) b'(.*)'$", output, re.MULTILINE)
    assert (way, size, text) == ("SSL_write", "9000", "x" * 256)
