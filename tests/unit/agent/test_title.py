"""A process's name and command line, as ps shows them; never more than the room that its arguments had."""

import subprocess
import sys
from pathlib import Path

import pytest

from skep.agent.title import fitted

CALLS = """
import sys
from skep.agent import title
title.call("skep-drain", sys.argv[1] * int(sys.argv[2]))
print(flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("times", "cut"), [(1, False), (1000, True)])
def test_a_process_is_called_anew_and_its_environment_stays(times: int, cut: bool) -> None:  # noqa: FBT001 - a case
    words = ["env", "-i", "KEPT=as it was", sys.executable, "-c", CALLS, "skep: x ", str(times)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        there = Path(f"/proc/{child.pid}")
        name, line = there.joinpath("comm").read_text(), there.joinpath("cmdline").read_bytes()
        environment = there.joinpath("environ").read_bytes()
        child.communicate()
    assert child.returncode == 0
    assert name == "skep-drain\n"
    assert line.rstrip(b"\0") == (b"skep: x " * times)[: len(line) - 1]
    assert (len(line) - 1 < 8 * times) is cut
    assert environment == b"KEPT=as it was\0"


@pytest.mark.parametrize(
    ("line", "room", "there"),
    [(b"ab", 4, b"ab\0\0"), (b"abcd", 4, b"abc\0"), (b"ab", 1, b"\0"), (b"ab", 0, b"")],
)
def test_a_line_fills_its_room_and_ends_in_nul(line: bytes, room: int, there: bytes) -> None:
    assert fitted(line, room) == there
