"""The agent as a child of the face: started, watched while it starts, ended with the face.

The two are joined by a socket. The agent tells on it how the start goes; when the face is gone, by
whatever end, the agent sees its end of the socket closed, and ends too.
"""

import json
import select
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Self

from skep.agent.order import Order
from skep.base.errors import SkepError
from skep.cli.ending import Ending

PATIENCE_SECONDS = 15.0
SILENCE_SECONDS = 10.0
"""After which it is told that nothing was heard."""


class NotStarted(SkepError):
    """The agent could not start: the text and the name of its error."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        super().__init__(text)


class AgentProcess:
    """A running agent; leaving the context ends it."""

    def __init__(self, order: Order) -> None:
        self._socket, theirs = socket.socketpair()
        command = replace(order, face=theirs.fileno()).command()
        # In a process group of its own: Ctrl-C is for the face, which ends the agent in order.
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command, pass_fds=[theirs.fileno()], process_group=0, stdin=subprocess.DEVNULL
        )
        theirs.close()
        self.pid = self._process.pid

    def wait_ready(
        self,
        told: Callable[[str], None],
        ending: Ending,
        late: Callable[[float], None] = lambda _: None,
    ) -> bool:
        """Wait until the agent serves; ``told`` hears what it does. False where the end came before.

        ``late`` hears of seconds without a word, once between two words.
        Raises NotStarted with what the agent says, or that it died without a word.
        """
        rest = b""
        patience: float | None = SILENCE_SECONDS
        while True:
            ready, _, _ = select.select([self._socket.fileno(), ending.fd], [], [], patience)
            if ending.fd in ready:
                return False
            if not ready:
                late(SILENCE_SECONDS)
                patience = None
                continue
            data = self._socket.recv(65536)
            if not data:
                hint = "what it said is above; `skep agent` runs it alone"
                raise NotStarted("", f"the agent ended at its start ({self._how()}); {hint}")
            patience = SILENCE_SECONDS
            *lines, rest = (rest + data).split(b"\n")
            for message in map(json.loads, lines):
                if "error" in message:
                    self._process.wait(PATIENCE_SECONDS)
                    raise NotStarted(message["error"], message["text"])
                if "doing" in message:
                    told(message["doing"])
                if message.get("ready"):
                    return True

    def ask(self) -> None:
        """Have it say that it is alive."""
        with suppress(OSError):  # full of questions, or gone
            self._socket.send(b"?", socket.MSG_DONTWAIT)

    def heard(self, until: int, seconds: float) -> bool | None:
        """Whether it says anything in ``seconds``; None where ``until`` became readable before, or it is gone."""
        ready, _, _ = select.select([self._socket.fileno(), until], [], [], seconds)
        if until in ready or (ready and not self._socket.recv(65536)):
            return None
        return bool(ready)

    def end(self) -> int:
        """End it in order; its exit code. One that does not end is killed, and nothing of it stays.

        It is killed at once where somebody interrupts the wait.
        """
        self._socket.close()
        try:
            return self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            return self._kill()
        except KeyboardInterrupt:
            self._kill()
            raise

    def _kill(self) -> int:
        self._process.kill()
        return self._process.wait()

    def _how(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(PATIENCE_SECONDS)
            return signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return "it hangs"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
