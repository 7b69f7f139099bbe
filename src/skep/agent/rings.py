"""The rings of the agent: a name, and the record classes that it carries. Drain and agent share this table.

``lifecycle`` says who a process is; the others refer to it. ``texts`` goes with the execs of ``lifecycle``.
"""

from skep.events.record import RecordType
from skep.flows.programs.records import Accept, Close, Connect, Drop
from skep.node.programs.records import Exec, Exit, Fork, Oom

LIFECYCLE, CONNECTIONS, DROPS, TEXTS = "lifecycle", "connections", "drops", "texts"

RECORDS: dict[str, tuple[RecordType, ...]] = {
    LIFECYCLE: (Exec, Fork, Exit, Oom),
    CONNECTIONS: (Connect, Accept, Close),
    DROPS: (Drop,),
}
ALL: tuple[RecordType, ...] = tuple(record for records in RECORDS.values() for record in records)
