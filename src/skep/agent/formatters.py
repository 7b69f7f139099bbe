"""How each kind of event becomes JSON: one formatter a record class, made once.

Who did it comes from the process's fragment, so that the record's own fields about it are left out.
Names of reasons and of places in the kernel are looked up when a line is made, for few drops have readers.
"""

from collections.abc import Sequence

from skep.agent.dropped import DropNames
from skep.agent.lines import Lines
from skep.agent.rings import ALL
from skep.events.batch import Batch
from skep.events.json import WHO, Formatter
from skep.flows.programs.records import Drop


class DropLines:
    """Lines of drops. All places of a batch are looked up at once: a pass over the symbols takes 60 ms."""

    def __init__(self, names: DropNames) -> None:
        self._symbols = names.symbols
        shown = {"reason": names.reason, "location": names.symbols.caller}
        self._formatter = Formatter(Drop, names=shown)

    def lines(
        self, batch: Batch, wall_offset_ns: int, who: Sequence[bytes] | None = None
    ) -> list[bytes]:
        """A JSON object for each row, with a newline."""
        self._symbols.callers(set(batch["location"].tolist()))
        return self._formatter.lines(batch, wall_offset_ns, who)


def formatters(names: DropNames) -> dict[str, Lines]:
    """Formatters by kind."""
    made: dict[str, Lines] = {
        record.kind_name: Formatter(record, omit=WHO) for record in ALL if record is not Drop
    }
    return made | {Drop.kind_name: DropLines(names)}
