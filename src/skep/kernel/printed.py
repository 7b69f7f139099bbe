"""What programs print (``print`` in a program: the trace event bpf_trace_printk), read in a trace buffer of its own.

``Printed`` makes an instance of the kernel's tracer for that one event, and removes it when it is closed: nobody else's
trace is changed. The kernel does not say which program printed a line. Of all that the machine's programs print, those
lines are given that have one of the ``formats`` that are asked for. Linux 5.9.
"""

import itertools
import os
import re
import select
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, Self

from skep.base.errors import Unsupported
from skep.kernel.tracefs import Tracefs

EVENT = "events/bpf_trace/bpf_trace_printk/enable"
SETTINGS = (("trace_clock", b"boot"), ("buffer_percent", b"0"), (EVENT, b"1"))
"""Files of an instance: the clock of all events, a reader that is woken by the first line, the event itself."""
CHUNK = 1 << 16
OURS, UNKNOWN = "skep.", "<...>"
_LINE = re.compile(
    rb"^\s*(.*)-(\d+)\s+(?:\([ \d-]+\)\s+)?\[(\d+)\].*? (\d+)\.(\d{6}): bpf_trace_printk: (.*)$"
)
_LOST = re.compile(rb"^CPU:\d+ \[LOST (\d+) EVENTS\]$")
_PIECE = re.compile(r"(%%|%-?\d*s|%-?0?\d*ll[dux])")
_VALUES = {"%": "%", "s": ".*", "d": " *-?[0-9]+ *", "u": " *[0-9]+ *", "x": " *[0-9a-f]+ *"}


class Line(NamedTuple):
    """A line that was printed: ``time`` since boot in ns (exact to 1,000), and the thread that the program ran in.

    The tracer remembers the names of some threads only; ``comm`` is empty for others.
    """

    time: int
    comm: str
    tid: int
    cpu: int
    text: str


class Printed:
    """A reader of printed lines of these formats (those of a ProgramSpec), or of all; a context manager.

    ``lost`` counts lines of any program that the reader was too slow for. Raises Unsupported where the kernel has no
    tracefs, or refuses an instance of its tracer. It closes ``tracefs``, which is the machine's unless given.
    """

    def __init__(
        self, formats: Sequence[str] | None = None, *, tracefs: Tracefs | None = None
    ) -> None:
        self.lost = 0
        self._wanted = None if formats is None else pattern(formats)
        self._tracefs = Tracefs.open() if tracefs is None else tracefs
        self._rest = b""
        try:
            self._folder = _make(f"{self._tracefs.root}/instances")
            self._pipe = self._begin()
        except OSError as error:
            self._tracefs.close()
            reason = f"its tracer refuses an instance ({error.strerror})"
            raise Unsupported("reading what programs print", reason) from error

    def _begin(self) -> int:
        try:
            for name, value in SETTINGS:
                _write(f"{self._folder}/{name}", value)
            return os.open(f"{self._folder}/trace_pipe", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            os.rmdir(self._folder)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the instance away."""
        os.close(self._pipe)
        os.rmdir(self._folder)
        self._tracefs.close()

    def fileno(self) -> int:
        """A descriptor that is readable while there are lines."""
        return self._pipe

    def poll(self, seconds: float = 0.0) -> list[Line]:
        """The lines printed since the last call; waits up to ``seconds`` for the first."""
        if seconds:
            select.select([self._pipe], [], [], seconds)
        while data := self._read():
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        self.lost += sum(int(lost[1]) for lost in map(_LOST.match, lines) if lost)
        found = [_line(match) for match in map(_LINE.match, lines) if match]
        wanted = self._wanted
        return [one for one in found if wanted is None or wanted.fullmatch(one.text)]

    def _read(self) -> bytes:
        try:
            return os.read(self._pipe, CHUNK)
        except BlockingIOError:
            return b""


def pattern(formats: Sequence[str]) -> re.Pattern[str]:
    """What lines of these formats look like."""
    return re.compile("|".join(map(_shape, formats)) or "(?!)", re.DOTALL)


def _shape(text: str) -> str:
    pieces = _PIECE.split(text)
    return "".join(
        _VALUES[piece[-1]] if number % 2 else re.escape(piece)
        for number, piece in enumerate(pieces)
    )


def _line(found: re.Match[bytes]) -> Line:
    comm, tid, cpu, seconds, micros, text = found.groups()
    time = int(seconds) * 10**9 + int(micros) * 1000
    name, said = (part.decode(errors="replace") for part in (comm, text))
    return Line(time, "" if name == UNKNOWN else name, int(tid), int(cpu), said)


def _make(folder: str) -> str:
    """A new instance; those that readers left which were killed are removed."""
    for name in os.listdir(folder):
        pid = name.removeprefix(OURS).partition(".")[0]
        if name.startswith(OURS) and not os.path.exists(f"/proc/{pid}"):
            with suppress(OSError):  # somebody reads it: of another pid namespace
                os.rmdir(f"{folder}/{name}")
    for number in itertools.count():
        name = f"{folder}/{OURS}{os.getpid()}.{number}"
        try:
            os.mkdir(name, 0o700)
        except FileExistsError:
            continue
        return name
    raise AssertionError("numbers do not end")


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
