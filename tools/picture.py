"""The picture of the README: ``skep up`` in a terminal, as it told of a few commands that run meanwhile.

``python -m tools.picture`` (as root, with curl) starts an agent of its own, runs the commands, and writes docs/up.svg
and, as text, docs/up.txt. Other processes of the machine are left out, and nothing else: what stands there was told.
"""

import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path

from skep.cli.terminal import STYLES, columns
from tools.debian import ROOT

WIDTH, HEIGHT = 132, 50
"""The terminal's, in columns and lines."""
PORT, CLOSED = 8080, 81
"""A port that is served, and one that nobody listens at."""
SETTINGS = "processes: {ancestors: 1}\nmetrics: {enabled: false}\n"
SECONDS = 60.0
LETTER, LINE, MARGIN = 8, 18, 14  # pixels
COLOURS = {"": "#d0d7de", "bold": "#ffffff", "dim": "#8b949e", "green": "#56d364"} | {
    "yellow": "#e3b341",
    "red": "#ff7b72",
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#76e3ea",
}
_STYLED = re.compile(r"\x1b\[(\d*)m")
_WRITTEN_OVER = re.compile(r".*\r(?:\x1b\[K)?")  # the line of progress, as often as it was written
_NAMES = {code: name for name, code in STYLES.items()}


@dataclass(frozen=True, slots=True)
class Run:
    """Letters of one style."""

    text: str
    style: str = ""


def runs(line: str) -> list[Run]:
    """A terminal's line, without its newline, as letters and their styles."""
    text, *rest = _STYLED.split(line)
    pairs = zip(rest[::2], rest[1::2], strict=True)
    styled = [Run(text), *(Run(text, _NAMES.get(code, "")) for code, text in pairs)]
    return [run for run in styled if run.text]


def plain(line: str) -> str:
    """The same without styles."""
    return "".join(run.text for run in runs(line)).rstrip()


def svg(lines: list[str], width: int, title: str) -> str:
    """Lines of a terminal of ``width`` columns as a picture that needs no font but a monospaced one."""
    across, down = width * LETTER + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    texts = [text for number, line in enumerate(lines) for text in _texts(line, number)]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {down}" width="{across}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{across}" height="{down}" rx="8" fill="#0d1117"/>',
            '<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13" xml:space="preserve">',
            *texts,
            "</g>\n</svg>\n",
        )
    )


def _texts(line: str, number: int) -> Iterator[str]:
    at, y = 0, MARGIN + (number + 1) * LINE - 5
    for run in runs(line):
        taken = columns(run.text)
        if run.text.strip():
            yield (
                f'<text x="{MARGIN + at * LETTER}" y="{y}" textLength="{taken * LETTER}" '
                f'fill="{COLOURS[run.style]}">{escape(run.text, quote=False)}</text>'
            )
        at += taken


class Screen:
    """A command in a terminal of its own, and what it wrote there so far; ended when closed."""

    def __init__(self, *command: str) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self._child = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self._written = bytearray()
        self._reader = threading.Thread(target=self._read, args=(ours,))
        self._reader.start()

    def _read(self, terminal: int) -> None:
        try:
            while chunk := os.read(terminal, 1 << 16):
                self._written += chunk
        except OSError:  # the last that had it open is gone
            os.close(terminal)

    @property
    def lines(self) -> list[str]:
        """The lines that are whole."""
        text = bytes(self._written).decode(errors="replace")
        return [_WRITTEN_OVER.sub("", line) for line in text.replace("\r\n", "\n").split("\n")[:-1]]

    def wait(self, pattern: str) -> None:
        """Until there is a line in which ``pattern`` is found."""
        deadline = time.monotonic() + SECONDS
        while not any(re.search(pattern, plain(line)) for line in self.lines):
            if time.monotonic() > deadline or self._child.poll() is not None:
                raise SystemExit("\n".join((*self.lines, f"there is no {pattern!r}")))
            time.sleep(0.05)

    def close(self) -> None:
        """Ctrl-C, and wait until it has ended."""
        self._child.send_signal(signal.SIGINT)
        self._child.wait()
        self._reader.join()


@contextmanager
def served(folder: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that lists ``folder`` at PORT, once it can be reached."""
    command = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(PORT))
    with open(os.devnull, "wb") as nowhere:
        server = subprocess.Popen(command, cwd=folder, stdout=nowhere, stderr=nowhere)
    try:
        deadline = time.monotonic() + SECONDS
        while not _listens() and server.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        yield server
    finally:
        server.terminate()
        server.wait()


def _listens() -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", PORT)) == 0


def commands() -> list[int]:
    """Run what the picture tells of; the processes."""
    fetch = ("curl", "--silent", "--output", "/dev/null")
    fetched = [subprocess.Popen([*fetch, f"http://127.0.0.1:{port}/"]) for port in (PORT, CLOSED)]
    idle = subprocess.Popen(["sleep", "60"])
    for child in fetched:
        child.wait()
    idle.kill()
    idle.wait()
    return [*(child.pid for child in fetched), idle.pid]


def told(lines: list[str], processes: list[int]) -> list[str]:
    """The table of powers with its notes, and of the events those of ``processes`` and of the closed port."""
    start = next(number for number, line in enumerate(lines) if plain(line).startswith("TIME"))
    wanted = re.compile("|".join(rf"\[{pid}\]|:{CLOSED}\b" for pid in processes))
    events = [line for line in lines[start + 1 :] if re.match(r"\d\d:\d\d:", plain(line))]
    return [*lines[: start + 1], *(line for line in events if wanted.search(plain(line)))]


def main() -> None:
    """Make the picture."""
    skep = str(Path(sys.executable).with_name("skep"))
    with tempfile.TemporaryDirectory() as folder, served(folder) as server:
        settings = Path(folder) / "skep.yaml"
        settings.write_text(SETTINGS)
        screen = Screen(skep, "up", "--instance", "picture", "--config", str(settings))
        try:
            screen.wait("^TIME")
            processes = commands()
            screen.wait(rf"^\S+ exit .*\[{processes[-1]}\]")
            screen.wait(rf"^\S+ drop .*:{CLOSED}\b")
        finally:
            screen.close()
    lines = told(screen.lines, [server.pid, *processes])
    (ROOT / "docs/up.svg").write_text(svg(lines, WIDTH, "skep up in a terminal"))
    (ROOT / "docs/up.txt").write_text("".join(f"{plain(line)}\n" for line in lines))


if __name__ == "__main__":
    main()
