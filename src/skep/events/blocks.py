"""From one process to another: batches and the definitions that they refer to, in order.

They go through shared memory. The receiver owns it and makes a connection for each sender that it
starts; a sender that died is replaced by another on the same memory, and what the dead one had sent
is still received. Nothing is left behind when both have died.

The sender never waits: a batch that finds no room is lost and counted, in words that the receiver
sees also after the sender's death. Definitions are not lost with it: they wait, in bounded number,
and go before the next batch.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from struct import error as struct_error
from typing import TYPE_CHECKING

from skep.events import frames
from skep.events.arena import Arena, create
from skep.events.batch import Batch
from skep.events.frames import BATCH, DEFINITIONS, NOTE, Message
from skep.events.losses import LossCounter

if TYPE_CHECKING:
    from skep.events.record import RecordType

CAPACITY = 4 << 20
WAITING = 1 << 16
"""Definitions that wait for room at most; beyond, the oldest are lost."""
_ROWS, _LOST_ROWS, _DEFINED, _LOST_DEFINITIONS, _NOTES, _LOST_NOTES, _CUT = range(7)


class Sender:
    """The writing end: ``send`` what was drained, then ``flush``, once for each pass.

    It takes over ``sock`` and maps ``memory``, both as the receiver's ``connect`` gave them.
    ``gone`` is True once the receiver is; sending goes on and loses.
    """

    def __init__(self, memory: int, sock: int) -> None:
        self._arena = Arena(memory)
        self._socket = socket.socket(fileno=sock)
        self._socket.setblocking(False)  # noqa: FBT003 - the library's own name for it
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._written = False
        self.gone = False

    def define(self, ref: int, fragment: bytes) -> None:
        """Says what ``ref`` means from the next batch on; an empty fragment: nothing any more."""
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self._count(_LOST_DEFINITIONS, 1)
        self._waiting.append((ref, fragment))

    def send(self, batch: Batch) -> bool:
        """Sends a batch behind all definitions, large ones in parts; False: some of it was lost."""
        if not len(batch):
            return True
        if not self._define():
            self._count(_LOST_ROWS, len(batch))
            return False
        body = frames.batch_bytes(batch)
        if len(body) > self._arena.longest:
            return self._halves(batch)
        return self._write(BATCH, body, (_ROWS, _LOST_ROWS), len(batch))

    def note(self, data: bytes) -> bool:
        """Sends a note behind all definitions; False where it was lost."""
        if not self._define() or len(data) > self._arena.longest - 8:
            self._count(_LOST_NOTES, 1)
            return False
        return self._write(NOTE, frames.note_bytes(data), (_NOTES, _LOST_NOTES), 1)

    def flush(self) -> None:
        """Wakes the receiver, if anything was sent since the last call."""
        self._define()
        if self._written and not self.gone:
            try:
                self._socket.send(b"\1", socket.MSG_NOSIGNAL)
            except BlockingIOError:
                pass  # it has many wake-ups before it already
            except OSError:
                self.gone = True
        self._written = False

    def close(self) -> None:
        """Ends the connection; what was sent can still be received."""
        self._socket.close()
        self._arena.close()

    def _halves(self, batch: Batch) -> bool:
        count = len(batch)
        if count > 1:
            first = self.send(batch.part(0, count // 2))
            return self.send(batch.part(count // 2, count)) and first
        if batch.longer:  # only a value that is longer than its field makes a row so large
            self._count(_CUT, 1)
            return self.send(Batch(batch.record, batch.columns))
        self._count(_LOST_ROWS, 1)
        return False

    def _define(self) -> bool:
        """Writes the definitions that wait; False where some still do."""
        while self._waiting:
            items = _fitting(self._waiting, self._arena.longest)
            if not items:
                self._waiting.popleft()
                self._count(_LOST_DEFINITIONS, 1)
            elif self._put(DEFINITIONS, frames.definition_bytes(items)):
                for _ in items:
                    self._waiting.popleft()
                self._count(_DEFINED, len(items))
            else:
                return False
        return True

    def _write(self, kind: int, body: bytes, counters: tuple[int, int], count: int) -> bool:
        written = self._put(kind, body)
        self._count(counters[not written], count)
        return written

    def _put(self, kind: int, body: bytes) -> bool:
        written = self._arena.write(kind, body)
        self._written |= written
        return written

    def _count(self, counter: int, by: int) -> None:
        self._arena.counters[counter] += by


def _fitting(waiting: Iterable[tuple[int, bytes]], room: int) -> list[tuple[int, bytes]]:
    """The first of the definitions that fit in a message."""
    items: list[tuple[int, bytes]] = []
    room -= 32
    for ref, fragment in waiting:
        room -= len(fragment) + 12
        if room < 0:
            break
        items.append((ref, fragment))
    return items


class Receiver:
    """The reading end, which owns the memory: ``connect`` a sender, watch it, ``receive()``.

    ``records`` are the classes whose batches may come. ``closed`` is True when the sender has
    closed its end or died; ``broken`` counts messages that made no sense.
    """

    def __init__(self, records: Iterable[RecordType], capacity: int = CAPACITY) -> None:
        self._records = {record.kind_number: record for record in records}
        self.memory = create(capacity)
        self._arena = Arena(self.memory)
        self._socket: socket.socket | None = None
        self.closed = True
        self.broken = 0

    def connect(self) -> int:
        """The socket of a new sender, to be given to it with ``memory``, and closed here then.

        The sender before it must be dead: there is one writer at a time.
        """
        if self._socket is not None:
            self._socket.close()
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)  # noqa: FBT003 - as above
        self.closed = False
        return theirs.detach()

    def fileno(self) -> int:
        """The descriptor that is readable when something came or the sender is gone.

        It is another one after ``connect``.
        """
        return -1 if self._socket is None else self._socket.fileno()

    def receive(self) -> Iterator[Message]:
        """What has come until now, in order; each message is the caller's own.

        Of what comes meanwhile ``fileno`` will tell: a sender that is faster keeps nobody here.
        """
        self._listen()
        end = self._arena.written
        while self._arena.taken < end:
            try:
                taken = self._arena.read()
            except ValueError:
                self.broken += 1
                continue
            if taken is None:
                return
            message = self._decoded(*taken)
            if message is not None:
                yield message

    def losses(self) -> tuple[LossCounter, ...]:
        """The accounts of all senders: rows, definitions, notes, values that were cut to fit."""
        count = self._arena.counters
        return (
            LossCounter("blocks", count[_ROWS], count[_LOST_ROWS]),
            LossCounter("definitions", count[_DEFINED], count[_LOST_DEFINITIONS]),
            LossCounter("notes", count[_NOTES], count[_LOST_NOTES]),
            LossCounter("long values", 0, count[_CUT]),
        )

    def close(self) -> None:
        """Ends the connection and gives the memory back."""
        if self._socket is not None:
            self._socket.close()
        self._arena.close()
        os.close(self.memory)

    def _listen(self) -> None:
        """Takes the wake-ups, and notices the sender's end."""
        while self._socket is not None and not self.closed:
            try:
                if not self._socket.recv(4096):
                    self.closed = True
            except BlockingIOError:
                return
            except ConnectionError:
                self.closed = True

    def _decoded(self, kind: int, body: bytes) -> Message | None:
        try:
            match kind:
                case frames.BATCH:
                    return frames.batch_of(body, self._records)
                case frames.DEFINITIONS:
                    return frames.definitions_of(body)
                case frames.NOTE:
                    return frames.note_of(body)
        except (ArithmeticError, LookupError, TypeError, ValueError, struct_error):
            pass
        self.broken += 1
        return None
