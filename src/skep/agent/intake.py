"""What comes from the drain: batches and what their refs mean, taken up into the journal as pulses.

It lives as long as the agent and outlasts its drains: of each, refs are its own. It reads shared memory
when it is told to and waits for nothing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skep.agent.journal import Journal
from skep.agent.store import Part, kind_of
from skep.events.batch import Batch
from skep.events.blocks import Receiver
from skep.events.frames import Definitions as Defined
from skep.events.frames import Note
from skep.model.container import Container
from skep.node.containers import Definitions

LARGE = 4_096
"""Rows of a pulse beyond which another begins where its first kind comes again: it bounds the memory for its lines."""
COST = 120
"""Bytes of a definition beside its text."""


class Intake:
    """Takes up messages. ``kinds`` are those that are kept; ``definitions`` those of this drain.

    ``offset`` is wall time minus boot time now, ns; ``ask`` puts a question about a container.
    """

    def __init__(
        self,
        receiver: Receiver,
        journal: Journal,
        kinds: frozenset[str],
        *,
        offset: Callable[[], int],
        ask: Callable[[str, str], Container | None],
    ) -> None:
        self.receiver, self.kinds = receiver, kinds
        self._journal, self._offset, self._ask = journal, offset, ask
        self.definitions = Definitions(ask)
        self.accounts: Mapping[str, Any] = {}

    def take(self) -> None:
        """Everything that has come, as one pulse; what has piled up, as several."""
        parts: list[Part] = []
        named = 0
        for message in self.receiver.receive():
            match message:
                case Batch():
                    if _full(parts, message):
                        self._journal.take(parts, self._offset(), named)
                        parts, named = [], 0
                    self._part(message, parts)
                case Defined():
                    named += self._define(message)
                case Note():
                    self.accounts = json.loads(message.data)
        self._journal.take(parts, self._offset(), named)

    def renew(self) -> None:
        """Another drain begins: its refs are others. What the last one sent is taken up before."""
        self.take()
        self.definitions = Definitions(self._ask)

    def _part(self, batch: Batch, parts: list[Part]) -> None:
        if kind_of(batch) not in self.kinds:
            return
        who = None
        if "ref" in batch.columns:
            who = self.definitions.of(batch["ref"].tolist())
        parts.append(Part(batch, who))

    def _define(self, message: Defined) -> int:
        pairs = list(zip(message.refs, message.fragments, strict=True))
        self.definitions.add(pair for pair in pairs if pair[1])
        self.definitions.retire(ref for ref, fragment in pairs if not fragment)
        return sum(len(fragment) + COST for _, fragment in pairs if fragment)


def _full(parts: Sequence[Part], batch: Batch) -> bool:
    """Whether there are many rows, and ``batch`` begins another turn as ``parts`` do, or goes on in a huge one."""
    return (
        bool(parts)
        and parts[0].batch.record is batch.record
        and sum(len(part.batch) for part in parts) >= LARGE
    )
