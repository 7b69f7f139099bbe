"""Events as the agent keeps them: records of the project's own, and who did it."""

from typing import Any

from skep.agent.store import Part
from skep.events.batch import Batch
from skep.events.json import WHO, Formatter
from skep.events.record import Record
from skep.flows.programs.records import Drop
from skep.node.containers import Definition
from skep.node.programs.records import Exec, Exit

RECORDS = (Exec, Exit, Drop)
FORMATTERS = {
    record.kind_name: Formatter(record, omit=WHO if record is not Drop else ())
    for record in RECORDS
}


def part(record: type[Record], *rows: dict[str, Any], who: bytes = b"") -> Part:
    """A part of ``rows``, all by one process or by none."""
    batch = Batch.of(record, [record(**row) for row in rows])
    return Part(batch, (Definition(1, who),) * len(rows) if who else None)


def execs(*times: int, comm: str = "sh", pid: int = 7) -> Part:
    """An exec at each of ``times``, by one process."""
    rows = [{"time": time, "seq": time, "pid": pid, "filename": f"/bin/{time}"} for time in times]
    return part(Exec, *rows, who=f'"pid":{pid},"comm":"{comm}"'.encode())
