"""What the programs of a load print, as people and as programs read it.

``Shown`` shows it on the error output while the user's own code runs, by a thread: from before the programs are
attached until they are gone, so that no line is missed. The output of the user's code stays its own.
"""

import json as json_module
import os
import select
import sys
from threading import Thread

from skep.base.clock import rfc3339, wall_offset_ns
from skep.kernel.printed import Line, Printed

KIND = "print"


def text(line: Line) -> str:
    """A printed line for people; what a terminal would obey is escaped."""
    plain = line.text.isprintable()
    said = line.text if plain else line.text.encode("unicode_escape").decode()
    return f"{KIND} tid={line.tid}: {said}"


def json(line: Line) -> str:
    """A printed line as JSON."""
    head = {"time": rfc3339(line.time + wall_offset_ns()), "kind": KIND}
    known = {name: value for name, value in line._asdict().items() if value != ""}
    return json_module.dumps(head | known | head)


def told(lost: int) -> str:
    """That lines were lost."""
    return f"{lost} printed lines of this machine were lost: the trace buffer was full"


def printed(formats: tuple[str, ...]) -> Printed:
    """A reader of lines of these formats. Where there are none, that is said: nothing will come."""
    if not formats:
        _say("no program prints")
    return Printed(formats)


class Shown:
    """Shows printed lines of these formats until it is closed. Unsupported where the kernel gives no own trace."""

    def __init__(self, formats: tuple[str, ...]) -> None:
        self._printed = printed(formats)
        self._fd, self._stop = os.pipe()
        self._thread = Thread(target=self._run, name="prints", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        poll = select.poll()
        for fd in (self._fd, self._printed.fileno()):
            poll.register(fd, select.POLLIN)
        ended = False
        while not ended:
            ended = any(fd == self._fd for fd, _ in poll.poll())
            _say(*map(text, self._printed.poll()))

    def close(self) -> None:
        """Show what is left, and end."""
        os.close(self._stop)
        self._thread.join()
        os.close(self._fd)
        if self._printed.lost:
            _say(told(self._printed.lost))
        self._printed.close()


def _say(*lines: str) -> None:
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    sys.stderr.flush()
