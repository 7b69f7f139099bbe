"""How a file that ``skep run`` runs comes to its end: by Ctrl-C, a signal to end, or the time that it was given.

An ``Interruption`` is the handler of these signals, and is found by that. A loop over events that runs is left after
the step that it is in, so that the code below it shows what was collected. Anywhere else, at the second signal, and
where the step does not end, it is a KeyboardInterrupt. With plain ``python`` there is none: Ctrl-C is Python's own.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Protocol, Self

from skep.base.lazy import lazy

if TYPE_CHECKING:
    import threading
    from threading import Timer
else:
    threading = lazy("threading")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
GRACE = 1.0
"""Seconds that a step of a loop has to come to its end."""


class End(Protocol):
    """What a loop over events asks."""

    @property
    def come(self) -> bool:
        """Whether the loop is to end."""

    @property
    def fd(self) -> int:
        """Readable once it has come; -1 where it never comes."""


class Never:
    """No end."""

    come, fd = False, -1


class Alarm:
    """Sends SIGALRM to the main thread after a time. A thread waits for it: what a file executes instead has none."""

    def __init__(self) -> None:
        self._timer: Timer | None = None
        self._end = 0.0

    def set(self, seconds: float) -> None:
        """Ring in ``seconds``; nothing is set."""
        target = threading.main_thread().ident
        self._end = time.monotonic() + seconds
        wait = min(seconds, threading.TIMEOUT_MAX)
        self._timer = threading.Timer(wait, signal.pthread_kill, (target, signal.SIGALRM))
        self._timer.daemon = True
        self._timer.start()

    @property
    def left(self) -> float:
        """Seconds until it rings; 0 where it has rung, or nothing is set."""
        return max(self._end - time.monotonic(), 0.0) if self._timer else 0.0

    def stop(self) -> float:
        """Ring no more; the seconds that were left."""
        left = self.left
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._timer = None
        return left


class Interruption:
    """A context manager. ``seconds`` is the time that is given, ``signal`` the first signal that came, 0 before."""

    def __init__(self, seconds: float | None = None) -> None:
        self.come, self.signal = False, 0
        self.alarm = Alarm()
        self._seconds, self._loops = seconds, 0
        self.fd, self._wakes = os.pipe()

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self) for number in SIGNALS}
        try:
            if self._seconds is not None:
                self.alarm.set(self._seconds)
        except KeyboardInterrupt:  # a signal has come already
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.alarm.stop()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._wakes)

    def __call__(self, number: int, _: FrameType | None) -> None:
        """A signal has come."""
        if self.come and number == signal.SIGALRM and not self._loops:
            return  # the loop has ended within its grace
        first, self.signal = not self.signal, self.signal or number
        if not (first and self._loops):
            raise KeyboardInterrupt
        self.come = True
        os.write(self._wakes, b"!")
        self.alarm.stop()
        self.alarm.set(GRACE)

    @contextmanager
    def loop(self) -> Iterator[End]:
        """For as long as a loop over events runs. KeyboardInterrupt where the end has come before."""
        if self.come:
            raise KeyboardInterrupt
        self._loops += 1
        try:
            yield self
        finally:
            self._loops -= 1


@contextmanager
def looping() -> Iterator[End]:
    """A loop over events: what it asks whether it is to end."""
    current = _current()
    if current is None:
        yield Never()
        return
    with current.loop() as end:
        yield end


@contextmanager
def untimed() -> Iterator[None]:
    """A block that the given time does not count, such as compiling."""
    current = _current()
    left = current.alarm.stop() if current else 0.0
    try:
        yield
    finally:
        if current and left:
            current.alarm.set(left)


def _current() -> Interruption | None:
    """The handler of this process, for its main thread: no other one is interrupted by signals."""
    found = signal.getsignal(signal.SIGTERM)
    if (
        not isinstance(found, Interruption)
        or threading.current_thread() is not threading.main_thread()
    ):
        return None
    return found
