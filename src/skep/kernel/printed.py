"""What programs print (``print`` in a program: the trace event bpf_trace_printk), read in a trace buffer of its own.

``Printed`` makes an instance of the kernel's tracer for that one event, and removes it when it is closed: nobody else's
trace is changed. It shows what all programs of the machine print. Linux 5.9.
"""

import itertools
import os
import re
import select
from typing import Self

from skep.base.errors import Unsupported
from skep.kernel.tracefs import Tracefs

EVENT = "events/bpf_trace/bpf_trace_printk/enable"
CHUNK = 1 << 16
_LINE = re.compile(rb"^\s*(.*)-(\d+)\s+\[\d+\].*? bpf_trace_printk: (.*)$")


class Printed:
    """A reader of printed lines; a context manager.

    Raises Unsupported where the kernel has no tracefs, or refuses an instance of its tracer.
    """

    def __init__(self) -> None:
        self._tracefs = Tracefs.open()
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
            _write(f"{self._folder}/{EVENT}", b"1")
            return os.open(f"{self._folder}/trace_pipe", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            os.rmdir(self._folder)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._pipe)
        os.rmdir(self._folder)
        self._tracefs.close()

    def poll(self, seconds: float = 0.0) -> list[str]:
        """The lines printed since the last call; waits up to ``seconds`` for the first."""
        if seconds:
            select.select([self._pipe], [], [], seconds)
        while data := self._read():
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        found = (_LINE.match(line) for line in lines)
        return [match[3].decode(errors="replace") for match in found if match]

    def _read(self) -> bytes:
        try:
            return os.read(self._pipe, CHUNK)
        except BlockingIOError:
            return b""


def _make(folder: str) -> str:
    for number in itertools.count():
        name = f"{folder}/skep.{os.getpid()}.{number}"
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
