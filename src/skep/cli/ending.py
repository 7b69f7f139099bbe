"""How a command that goes on comes to its end: Ctrl-C, a signal to end, or the time that was given.

Nothing is interrupted in the middle: a descriptor becomes readable, and who waits looks at it. A
second Ctrl-C interrupts at once, for when something hangs.
"""

import os
import signal
from types import FrameType
from typing import Self


class Ending:
    """A context manager. ``fd`` is readable once the end has come; ``signal`` says by what (0: the time)."""

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds
        self.fd, self._wakes = os.pipe()
        self.signal = -1

    @property
    def come(self) -> bool:
        """Whether it is to end."""
        return self.signal >= 0

    def __enter__(self) -> Self:
        os.set_blocking(self._wakes, False)
        self._before = {
            number: signal.signal(number, self._ended)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
        }
        self.limit(self._seconds)
        return self

    def limit(self, seconds: float | None) -> None:
        """Let the time be over in ``seconds`` from now; None lets it run."""
        if seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._wakes)

    def _ended(self, number: int, _: FrameType | None) -> None:
        if self.signal == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = 0 if number == signal.SIGALRM else number
        os.write(self._wakes, b"!")
