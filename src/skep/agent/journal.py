"""The events of an agent, past and to come: pulses come in, lines go out to whoever asks.

Clients that ask for the same share the work: a pulse is made into lines once for each different query. It keeps what
the store keeps, and follows until it is told to stop. It knows neither sockets nor the kernel.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from skep.agent.lines import Writer, count, pieces
from skep.agent.store import Bounds, Part, Store, pulse
from skep.api.query import Position, Query
from skep.api.sink import notice

Send = Callable[[bytes], bool]
Fell = Callable[[Position], None]


class Journal:
    """Counts, stores and hands out events.

    ``counts`` are events by kind since the start, ``missed`` those that left the store before a client
    that follows had read them.
    """

    def __init__(self, bounds: Bounds, writer: Writer) -> None:
        self._writer = writer
        self.store = Store(bounds)
        self._followers: dict[Query, list[tuple[Send, Fell]]] = {}
        self.counts: dict[str, int] = {}
        self.missed = 0

    @property
    def followers(self) -> int:
        """Clients that wait for events to come."""
        return sum(map(len, self._followers.values()))

    def take(self, parts: Sequence[Part], offset: int, named: int = 0) -> None:
        """What came at once: see `store.pulse`."""
        if not parts:
            return
        for part in parts:
            self.counts[part.kind] = self.counts.get(part.kind, 0) + len(part.batch)
        new = pulse(self.store.next, parts, offset, named, self.store.total)
        self.store.add(new)
        for choice, followers in tuple(self._followers.items()):
            sent = 0
            for piece in pieces(self._writer.lines(new, choice)):
                for follower in tuple(followers):
                    send, fell = follower
                    if not send(piece.data):
                        self._leave(choice, follower)
                        fell(Position(new.serial, sent, new.before))
                if not followers:
                    break
                sent += piece.lines

    def tell(self, line: bytes) -> None:
        """Send a notice to all who follow."""
        for followers in tuple(self._followers.values()):
            for send, _ in tuple(followers):
                send(line)

    def follow(self, choice: Query, send: Send, fell: Fell) -> Callable[[], None]:
        """Send lines of what comes; what comes back ends it.

        Where ``send`` does not take a piece, the follower is given up: ``fell`` is told where to go on
        with ``stored``.
        """
        choice = _of_what_comes(choice)
        follower = (send, fell)
        self._followers.setdefault(choice, []).append(follower)
        return lambda: self._leave(choice, follower)

    def _leave(self, choice: Query, follower: tuple[Send, Fell]) -> None:
        followers = self._followers.get(choice, [])
        if follower in followers:
            followers.remove(follower)
        if not followers:
            self._followers.pop(choice, None)

    def give_up(self, position: Position) -> None:
        """A client that fell behind at ``position`` reads no more: what it did not get is counted."""
        self.missed += self.store.total - position.before

    def stored(self, choice: Query, begin: Position | None = None) -> Iterator[bytes]:
        """Lines of stored pulses in pieces; what goes meanwhile, before it was read, is told in a notice.

        With ``follow`` it goes on until no newer pulse is stored, else it ends with the newest of when it
        began. ``begin`` is where a follower fell.
        """
        if begin is not None:
            choice = _of_what_comes(choice)
        at = begin or self._begin(choice)
        before = at.before
        end = None if choice.follow else self.store.next
        while at.serial < (self.store.next if end is None else end):
            found = self.store.get(at.serial)
            if found is None:
                at = Position(self.store.first, 0, self.store.gone)
                yield self._overtaken(choice, at.before - before)
            else:
                at, skip = Position(at.serial + 1, 0, found.before + found.rows), at.skip
                made = self._writer.lines(found, choice)
                yield from (piece.data for piece in pieces(made, skip))
            before = at.before

    def _overtaken(self, choice: Query, count: int) -> bytes:
        self.missed += count if choice.follow else 0
        return notice(
            "missed", reason="the events left the store before they were read", count=count
        )

    def _begin(self, choice: Query) -> Position:
        """The first pulse to send, and how many of its lines to leave out."""
        serial, skip = self._from(choice)
        found = self.store.get(serial)
        return Position(serial, skip, found.before if found else self.store.total)

    def _from(self, choice: Query) -> tuple[int, int]:
        if choice.last is None:
            return self.store.first, 0
        missing = choice.last
        serial = self.store.next
        if missing == 0:
            return serial, 0
        for found in self.store.newest_first():
            serial = found.serial
            missing -= count(found, choice)
            if missing <= 0:
                return serial, -missing
        return serial, 0


def _of_what_comes(choice: Query) -> Query:
    return replace(choice, last=None, since=None)
