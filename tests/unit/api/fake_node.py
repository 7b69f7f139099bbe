"""An agent that is only values: what the API's tests ask."""

from collections.abc import Callable, Iterable, Iterator

from skep.api.metrics import COUNTER, Family, Sample
from skep.api.query import Position, Query
from skep.base.errors import BadInput


class FakeNode:
    """Gives what it is told to; keeps what it was asked."""

    def __init__(self, *, pieces: tuple[bytes, ...] = ()) -> None:
        self.pieces = pieces
        self.asked: list[Query] = []
        self.sends: list[Callable[[bytes], bool]] = []
        self.fells: list[Callable[[Position], None]] = []
        self.begins: list[Position | None] = []
        self.given_up: list[Position] = []
        self.reloads = self.stops = self.read = 0
        self.bad_config = False
        self.broken = False

    def status(self) -> dict[str, object]:
        if self.broken:
            raise ZeroDivisionError
        return {"version": "0.1.0", "pid": 7}

    def summary(self) -> dict[str, object]:
        return {"events": {"exec": 3}}

    def features(self) -> dict[str, object]:
        return {"features": []}

    def reload(self) -> dict[str, object]:
        if self.bad_config:
            raise BadInput.at("skep.yaml", 3, "metrics.port", "unknown key")
        self.reloads += 1
        return {"changed": []}

    def stop(self) -> None:
        self.stops += 1

    def stored(self, choice: Query, begin: Position | None = None) -> Iterator[bytes]:
        self.asked.append(choice)
        self.begins.append(begin)
        yield from self.pieces

    def follow(
        self, choice: Query, send: Callable[[bytes], bool], fell: Callable[[Position], None]
    ) -> Callable[[], None]:
        self.asked.append(choice)
        self.sends.append(send)
        self.fells.append(fell)
        return lambda: self.sends.remove(send)

    def give_up(self, position: Position) -> None:
        self.given_up.append(position)

    def families(self) -> Iterable[Family]:
        self.read += 1
        return (Family("read_total", COUNTER, "Times.", (Sample(self.read, {}),)),)

    def now(self) -> int:
        return 1_700_000_000 * 10**9
