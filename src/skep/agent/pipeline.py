"""What the drain does with records: rings -> columns -> who did it -> the agent. One turn at a time.

It owns nothing and makes no system call; rings, table and sender are given. In a turn the rings that
refer to processes are read before the one that tells of processes, and the long texts of execs last:
so whatever a record refers to has been read when it is judged.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from skep.agent.places import Places
from skep.agent.rings import LIFECYCLE
from skep.agent.store import kind_of
from skep.base.lazy import lazy
from skep.events.batch import Batch, concat
from skep.events.live import RingMemory
from skep.events.texts import pieces
from skep.node.arguments import ARGS, FILENAME, Part, Texts
from skep.node.cohorts import Columns
from skep.node.programs.records import ARGS_GO_ON, CUT, FILENAME_GOES_ON

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazy("numpy")

LONG = ((FILENAME, FILENAME_GOES_ON, "filename"), (ARGS, ARGS_GO_ON, "args"))


class Drains(Protocol):
    """Reads one ring: `events.drain.Drain`."""

    def batches(self) -> Iterable[Batch]:
        """What is complete now."""


class Table(Protocol):
    """Who did it: `node.processes.ProcessTable`."""

    def apply(self, batch: Mapping[str, Columns]) -> dict[str, list[int]]:
        """Take in lifecycle records; refs by kind."""

    def resolve(self, columns: Columns) -> list[int]:
        """A ref for each row."""

    def resolve_ends(self, columns: Columns, begun: Any) -> list[int]:  # noqa: ANN401 - a column
        """The same of what began earlier (ns)."""

    def definitions(self) -> list[tuple[int, bytes]]:
        """What refs mean that were not told yet."""

    def retired(self) -> list[int]:
        """Refs that will not be given again."""


class Sends(Protocol):
    """The way to the agent: `events.blocks.Sender`."""

    def define(self, ref: int, fragment: bytes) -> None:
        """Tell what a ref means; nothing: that it is over."""

    def send(self, batch: Batch) -> bool:
        """Send a batch."""

    def flush(self) -> None:
        """Wake the agent, if there is something."""


class Pipeline:
    """``turn`` moves what the rings hold. ``texts`` is the ring of long values, None where nothing fills one."""

    def __init__(
        self,
        drains: Mapping[str, Drains],
        texts: RingMemory | None,
        table: Table,
        places: Places,
        sender: Sends,
    ) -> None:
        self._drains, self._ring, self._sender = drains, texts, sender
        self._table, self._places = table, places
        self._texts = Texts()

    @property
    def dropped_texts(self) -> int:
        """Parts of long values whose exec never came."""
        return self._texts.dropped

    def turn(self) -> int:
        """Read all rings once; how many events there were."""
        others = [
            batch
            for name, drain in self._drains.items()
            if name != LIFECYCLE
            for batch in drain.batches()
        ]
        lifecycle = _by_kind(self._drains[LIFECYCLE].batches() if LIFECYCLE in self._drains else ())
        if self._ring is not None:
            self._texts.add(Part(p.of, p.part, p.offset, p.data) for p in pieces(self._ring))
        batches = self._lifecycle(lifecycle) + [self._resolved(batch) for batch in others]
        self._send(batches)
        return sum(map(len, batches))

    def _lifecycle(self, batches: dict[str, Batch]) -> list[Batch]:
        refs = self._table.apply(batches)
        done = []
        for kind, batch in batches.items():
            if kind == "exec":
                batch = self._whole(batch)  # noqa: PLW2901 - the same batch, completed
            if kind in refs:
                done.append(batch.extended(ref=np.array(refs[kind], "u8")))
            else:
                done.append(self._resolved(batch))
        return done

    def _resolved(self, batch: Batch) -> Batch:
        if batch.record.field("duration_ns") is not None:
            refs = self._table.resolve_ends(batch, batch["time"] - batch["duration_ns"])
        elif batch.record.field("pid") is not None:
            refs = self._table.resolve(batch)
        else:
            refs = self._places.resolve(batch["cgroup"].tolist())
        return batch.extended(ref=np.array(refs, "u8"))

    def _whole(self, batch: Batch) -> Batch:
        """Execs with the long values that go with them; one of which a part is missing is marked cut."""
        flags = batch["flags"]
        going_on = np.flatnonzero(flags & np.uint32(FILENAME_GOES_ON | ARGS_GO_ON)).tolist()
        if not going_on:
            return batch
        longer: dict[str, dict[int, bytes]] = {}
        flags = flags.copy()
        for row in going_on:
            seq = int(batch["seq"][row])
            for value, bit, name in LONG:
                if flags[row] & bit:
                    head, size = bytes(batch[name][row]), int(batch[f"{name}_size"][row])
                    text = self._texts.take(seq, value, head, size)
                    longer.setdefault(name, {})[row] = text.data
                    if text.cut:
                        flags[row] |= CUT
        self._texts.done(int(batch["seq"].max()))
        return Batch(batch.record, {**batch.columns, "flags": flags}, longer)

    def _send(self, batches: Sequence[Batch]) -> None:
        sender, table = self._sender, self._table
        for ref, fragment in (*table.definitions(), *self._places.definitions()):
            sender.define(ref, fragment)
        for batch in batches:
            sender.send(batch)
        for ref in (*table.retired(), *self._places.retired()):
            sender.define(ref, b"")
        sender.flush()


def _by_kind(batches: Iterable[Batch]) -> dict[str, Batch]:
    """One batch for each kind, in the order of the ring."""
    found: dict[str, list[Batch]] = {}
    for batch in batches:
        found.setdefault(kind_of(batch), []).append(batch)
    return {kind: concat(several) for kind, several in found.items()}
