"""The standard streams of a process, as commands rely on them: open, and able to write any text."""

import io
import os
import sys

STREAMS = 3


def prepare() -> None:
    """Open those that the caller had closed, on nothing; have what an encoding lacks written as escapes.

    Else the next socket would take the number of the output, and be written to by whoever writes there.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) < STREAMS:
        os.set_inheritable(fd, True)  # noqa: FBT003 - the library's own name for it
    os.close(fd)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # as Python has one that was closed
            nothing = io.FileIO(number, "w", closefd=False)
            setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(nothing), "utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
