"""``skep up`` on a terminal: lines that fit, colours where they are wanted, and its end by Ctrl-C."""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from skep.cli.terminal import columns
from tests.kernel.agent.conftest import PATIENCE, SKEP, run_true, skep

pytestmark = [
    pytest.mark.requires("prog.tp_btf", "map.ringbuf", "btf.vmlinux"),
    pytest.mark.native("starts several agents"),
]
CONTROLS = re.compile(r"\x1b\[[0-9;]*[mK]")
STYLED = re.compile(r"\x1b\[[0-9;]+m")
INTERRUPT = b"\x03"
ECHO = "^C"
"""What the terminal itself shows at Ctrl-C, in the midst of a line whose end it may drop."""


class Screen:
    """A command on a terminal of its own; ``text`` is what it has shown."""

    def __init__(self, width: int, words: list[str], **variables: str) -> None:
        self.fd, theirs = pty.openpty()
        self.resize(width)
        env = ["env", "TERM=xterm", *(f"{name}={value}" for name, value in variables.items())]
        self.process = subprocess.Popen(
            [*env, "setsid", "--ctty", "--wait", *words], stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self.text = ""
        # Ctrl-C drops what a terminal has not shown yet, be it in the middle of a letter.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def resize(self, width: int) -> None:
        """Be as wide from now on."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))

    def until(self, wanted: str, nudge: str = "", times: int = 1) -> None:
        """Read until ``wanted`` is there; ``nudge`` names programs that are started meanwhile."""
        end = time.monotonic() + PATIENCE
        while self.text.count(wanted) < times:
            assert time.monotonic() < end, f"never: {wanted!r} in {self.text}"
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:  # nobody holds the other end any more
                    data = b""
                assert data, f"it ended before {wanted!r}: {self.text}"
                self.text += self._decoder.decode(data)
            elif nudge:
                run_true(nudge)

    def close(self) -> None:
        """End it."""
        if self.process.poll() is None:
            os.write(self.fd, INTERRUPT)
        self.process.wait(PATIENCE)
        os.close(self.fd)


@pytest.mark.parametrize(("width", "later", "no_color"), [(80, 120, ""), (160, 80, "1")])
def test_lines_fit_and_colours_are_as_wanted(
    width: int, later: int, no_color: str, tmp_path: Path
) -> None:
    config = tmp_path / "screen.yaml"
    config.write_text("metrics: {enabled: false}\n")
    name = f"test-screen-{os.getpid()}-{width}"
    words = [*SKEP, "up", "--instance", name, "--config", str(config)]
    screen = Screen(width, words, NO_COLOR=no_color)
    try:
        screen.until("WHAT")
        screen.until("exec ", "a" * 300)
        screen.resize(later)
        screen.until("WHAT", "b" * 300, times=2)
        os.write(screen.fd, INTERRUPT)
        screen.until("clients)")
        assert screen.process.wait(PATIENCE) == 0
    finally:
        screen.close()
        skep("down", "--force", "--instance", name)
    assert bool(STYLED.search(screen.text)) is not bool(no_color)
    shown = CONTROLS.sub("", re.split(r"programs\r +\r", screen.text)[-1]).split("\r\n")
    shown = [line for line in shown if ECHO not in line]
    (first, second) = (at for at, line in enumerate(shown) if line.endswith("WHAT"))
    assert max(map(columns, shown[:second])) <= width
    assert max(map(columns, shown[second:])) <= later
    places = [13 if one >= 100 else 9 for one in (width, later)]
    assert [line.index("EVENT") for line in (shown[first], shown[second])] == places
    assert shown[0].startswith("POWER")
    assert any("events in" in line for line in shown)
    # whatever the machine does meanwhile is told, too
    assert "nothing was lost" in screen.text or "the ring was full" in screen.text
