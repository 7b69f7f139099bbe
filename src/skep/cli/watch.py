"""Whether the agent of this face is alive: asked now and then beside whatever else the face does.

A stream of events that is silent may be that of a quiet node, or of an agent that hangs; this tells them apart. It
runs from the moment at which the agent serves until the face leaves the block, in a thread of its own.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Self

from skep.cli.agent_process import SILENCE_SECONDS, AgentProcess

EVERY_SECONDS = 5.0


class Watch:
    """A context manager. ``tell`` hears, in the thread, of an agent that gives no answer, and that it answers again."""

    def __init__(
        self,
        agent: AgentProcess,
        tell: Callable[[str], None],
        *,
        every: float = EVERY_SECONDS,
        patience: float = SILENCE_SECONDS,
    ) -> None:
        self._agent, self._tell, self._every, self._patience = agent, tell, every, patience
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._over = os.eventfd(0)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.eventfd_write(self._over, 1)
        self._thread.join()
        os.close(self._over)

    def _run(self) -> None:
        # A signal is for the main thread, which it wakes.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        silent = False
        while (early := self._agent.heard(self._over, self._every)) is not None:
            if not silent and not early:
                self._agent.ask()
                early = self._agent.heard(self._over, self._patience)
            if early is None:
                return
            if early == silent:
                silent = not early
                self._tell(self._said(silent=silent))

    def _said(self, *, silent: bool) -> str:
        if not silent:
            return f"the agent (pid {self._agent.pid}) answers again"
        seconds = f"{self._patience:g} s"
        return f"the agent (pid {self._agent.pid}) gives no answer for {seconds}; Ctrl-C ends it"
