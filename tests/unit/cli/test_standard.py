"""The standard streams: what a caller had closed is open, and any text can be written."""

import subprocess
import sys

import pytest

USE = """
import socket, sys
from skep.cli import standard
standard.prepare()
print("a \u2190 b")
print("c \u2190 d", file=sys.stderr)
sys.exit(socket.socket().fileno())
"""


@pytest.mark.parametrize(
    ("closed", "out", "err"),
    [
        ("", "a \u2190 b\n", "c \u2190 d\n"),
        (">&-", "", "c \u2190 d\n"),
        ("2>&-", "a \u2190 b\n", ""),
        ("<&- >&- 2>&-", "", ""),
    ],
)
def test_what_was_closed_takes_everything_and_no_socket_takes_its_place(
    closed: str, out: str, err: str
) -> None:
    line = f'exec "$0" -c "$1" {closed}'
    words = ["bash", "-c", line, sys.executable, USE]
    done = subprocess.run(words, capture_output=True, check=False)
    assert (done.stdout.decode(), done.stderr.decode()) == (out, err)
    assert done.returncode > 2


def test_what_the_encoding_of_the_output_lacks_is_an_escape() -> None:
    words = ["env", "PYTHONIOENCODING=ascii", sys.executable, "-c", USE]
    done = subprocess.run(words, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"a \\u2190 b\n", b"c \\u2190 d\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-"])
def test_a_command_runs_whatever_is_closed(closed: str) -> None:
    line = f'exec "$0" -m skep.cli events --instance no-such {closed}'
    done = subprocess.run(["bash", "-c", line, sys.executable], capture_output=True, check=False)
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr
