"""Keeping the drain alive: it is started again within a second when it ends by itself.

The rings are the agent's; a drain inherits their descriptors, so that nothing is lost while there is
none, as long as the rings have room. Each start and end is told to the agent, each unexpected end counted.
"""

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

QUICK_SECONDS, PAUSE_SECONDS = 5.0, 0.5
PATIENCE_SECONDS = 5.0


class Child:
    """A child process, and the pipe whose end tells it to end. It is collected when it has ended.

    ``told`` is what it reads from its standard input: less than a pipe holds, so that nobody waits. Its end of the
    ``lifeline`` is this object's, once the child is started; OSError where it cannot be.
    """

    def __init__(
        self, command: Sequence[str], inherited: Sequence[int], lifeline: int, told: bytes = b""
    ) -> None:
        self._lifeline = lifeline
        reading, writing = os.pipe()
        try:
            try:
                os.write(writing, told)
            finally:
                os.close(writing)
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command, pass_fds=inherited, stdin=reading
            )
        finally:
            os.close(reading)
        self.pid = self._process.pid

    async def ended(self) -> int:
        """Wait for its end; its exit code, negative for a signal."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        fd = os.pidfd_open(self.pid)
        loop.add_reader(fd, done.set)
        try:
            await done.wait()
        finally:
            loop.remove_reader(fd)
            os.close(fd)
        self.let_go()
        return self._process.wait()

    def let_go(self) -> None:
        """Tell it to end in its own time."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def kill(self) -> None:
        """End it now."""
        self._process.kill()


class Keeps(Protocol):
    """What is kept alive."""

    @property
    def pid(self) -> int:
        """Its process."""
        ...

    async def ended(self) -> int:
        """Wait for its end."""

    def let_go(self) -> None:
        """Tell it to end."""

    def kill(self) -> None:
        """End it now."""


class Supervisor:
    """Keeps one child. ``start`` makes a child of a generation, counted from 0; ``ended`` hears of unexpected ends.

    ``renewed`` hears that another took its place, ``refused`` that there are no means to make one; it is tried again.
    """

    def __init__(
        self,
        start: Callable[[int], Keeps],
        ended: Callable[[int], None],
        *,
        refused: Callable[[OSError], None],
        renewed: Callable[[], None],
        clock: Callable[[], float],
        pause: float = PAUSE_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._start, self._ended, self._refused, self._clock = start, ended, refused, clock
        self._renewed = renewed
        self._pause, self._sleep = pause, sleep
        self.child: Keeps | None = None
        self.restarts = 0
        self._stopping = False

    async def run(self) -> None:
        """Keep a child until `stop`."""
        while not self._stopping:
            began = self._clock()
            try:
                self.child = self._start(self.restarts)
            except OSError as error:
                self._refused(error)
                await self._sleep(self._pause)
                continue
            if self.restarts:
                self._renewed()
            code = await self.child.ended()
            self.child = None
            if self._stopping:
                return
            self.restarts += 1
            self._ended(code)
            if self._clock() - began < QUICK_SECONDS:
                await self._sleep(self._pause)

    async def stop(self, running: "asyncio.Task[None]") -> None:
        """End the child in order, or at once where it does not; ``running`` is the task of `run`."""
        self._stopping = True
        if self.child is not None:
            self.child.let_go()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.shield(running)
        except TimeoutError:
            if self.child is not None:
                self.child.kill()
            await running
