"""The agent's log: lines on its error output, for a service manager or whoever started it.

A log that takes nothing, because its disk is full or its reader has gone, is no reason to end.
"""

import os
from contextlib import suppress

LEVELS = ("debug", "info", "warning", "error")
ERROR_OUTPUT = 2


class Log:
    """Writes what is as grave as ``level``, and as ``least``, or graver.

    Under a face ``least`` is "error": the face tells the rest itself.
    """

    def __init__(self, level: str = "info", least: str = "debug") -> None:
        self.level, self._least = level, least

    def debug(self, text: str) -> None:
        """What is of interest to who looks for a fault."""
        self._say("debug", text)

    def info(self, text: str) -> None:
        """What was done as it should be."""
        self._say("info", text)

    def warning(self, text: str) -> None:
        """What is not as it should be; the agent runs on."""
        self._say("warning", text)

    def error(self, text: str) -> None:
        """What was asked for and is not done."""
        self._say("error", text)

    def _say(self, level: str, text: str) -> None:
        if LEVELS.index(level) >= max(LEVELS.index(self.level), LEVELS.index(self._least)):
            # Nothing is buffered: what could not be written would be tried again at the end.
            with suppress(OSError):
                os.write(ERROR_OUTPUT, f"skep: {text}\n".encode("utf-8", "backslashreplace"))
