"""The way out of a stream: what is written to one client, and what happens to one that stops reading.

What the client has not read is held up to a limit; then the sink takes no more, and whoever writes waits with
``flushed`` and goes on later. A client that reads nothing meanwhile is told and dropped. A sink ends with its
connection, and does not know what it carries.
"""

import asyncio
import json
from collections.abc import Callable

from skep.api.conversation import Conversation

MOST_UNREAD = 4 << 20
PATIENCE = 10.0


def notice(what: str, **data: int | str) -> bytes:
    """A line of a stream that is no event: it tells the client about the stream itself."""
    return json.dumps({"notice": what} | data, separators=(",", ":")).encode() + b"\n"


class Sink:
    """Writes lines to one client; ``done`` is set when nothing more will be sent."""

    def __init__(
        self,
        talk: Conversation,
        *,
        most: int = MOST_UNREAD,
        patience: float = PATIENCE,
        dropped: Callable[[], None] = lambda: None,
    ) -> None:
        self._talk, self._most, self._dropped = talk, most, dropped
        self._patience = patience
        self.done = asyncio.Event()

    @property
    def unread(self) -> int:
        """Bytes that wait for the client."""
        return self._talk.writer.transport.get_write_buffer_size()

    def send(self, lines: bytes) -> bool:
        """Queue whole lines; False, and they are not taken, where the client has more than the limit unread."""
        if self.done.is_set() or self.unread > self._most:
            return False
        self._write(lines)
        return True

    def end(self, last: bytes = b"") -> None:
        """Queue a last line and the end of the stream; later calls do nothing."""
        if self.done.is_set():
            return
        self._write(last)
        self._talk.end()
        self.done.set()

    async def flushed(self) -> None:
        """Wait until the client has read most of what was sent; one that reads nothing for long is dropped."""
        before = self.unread
        while not self.done.is_set():
            try:
                async with asyncio.timeout(self._patience):
                    await self._talk.writer.drain()
                    return
            except TimeoutError:
                if self.unread >= before:
                    break
                before = self.unread
        if not self.done.is_set():
            self._dropped()
            self.end(notice("dropped", reason="the client stopped reading", unread_bytes=before))

    def _write(self, lines: bytes) -> None:
        if lines:
            self._talk.send(lines)
