"""The process that drains: ``python -m skep.agent.drain_process``, with its plan on the standard input.

It inherits the rings from the agent that starts it, reads them, finds out who did what, and passes it
on through shared memory. It holds no program and no link: when it dies, nothing is detached, the
rings wait, and the agent starts another. When the agent dies its lifeline ends, and it follows.
"""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress

from skep.agent import priority, privileges, title
from skep.agent.collector import collect_rarely
from skep.agent.heap import Heap
from skep.agent.pipeline import Pipeline
from skep.agent.places import Places
from skep.agent.plan import Plan, RingPlan
from skep.agent.rings import RECORDS, TEXTS
from skep.agent.turns import Sleeper, run
from skep.base.clock import boot_ns
from skep.events.blocks import Sender
from skep.events.drain import Drain
from skep.kernel.link import Link
from skep.kernel.maps import Map
from skep.kernel.native import Function
from skep.kernel.rings import RingReader
from skep.lang.maps import Global, RingState
from skep.node import proc
from skep.node.attribution import Attribution
from skep.node.cgroup_files import CgroupFiles
from skep.node.cgroup_table import CgroupTable
from skep.node.image_store import Bounds
from skep.node.images import Row
from skep.node.processes import ProcessTable
from skep.node.programs import tasks
from skep.node.users import Users


class DrainProcess:
    """Everything of a drain, made from its plan. It lives as long as its process."""

    def __init__(self, plan: Plan) -> None:
        self._readers = {ring.name: _reader(ring) for ring in plan.rings}
        self._files = CgroupFiles()
        cgroups = self._cgroups = CgroupTable(self._files)
        self._names = Attribution(cgroups, Users() if plan.users else None)
        self._table = ProcessTable(
            self._names,
            Bounds(
                alive=plan.processes.alive,
                ended=plan.processes.ended,
                ancestors=plan.processes.ancestors,
            ),
            first_ref=plan.first_ref,
            place=cgroups.place if cgroups.legacy else None,
        )
        self._sender = Sender(plan.memory, plan.sender)
        self._drains = {
            ring.name: _drain(self._readers[ring.name], ring)
            for ring in plan.rings
            if ring.name in RECORDS
        }
        self._pipeline = Pipeline(
            self._drains, self._readers.get(TEXTS), self._table, Places(self._names), self._sender
        )
        self._tasks = Link((plan.tasks,), "tasks") if plan.tasks >= 0 else None
        self._lifeline = plan.lifeline
        self._refused = 0
        self._told = b""
        self._heap = Heap()

    def run(self) -> None:
        """Drain until the agent has ended or says so."""
        now = boot_ns()
        self._table.seed(self._alive(), now)
        bells = list(self._readers.values())
        with Sleeper(bells, self._lifeline) as sleeper:
            run(bells, sleeper, boot_ns, self._pipeline.turn, self._each_second)

    def _alive(self) -> Iterator[Row]:
        """A row for every process that lives: from the kernel's own list, and from /proc."""
        if self._tasks is None:
            return proc.alive(self._files)
        return proc.completed(tasks.rows(self._tasks.read()), self._files)

    def _each_second(self) -> None:
        self._names.refresh()
        self._table.place_by(self._cgroups.place if self._cgroups.legacy else None)
        refused = sum(reader.refused for reader in self._readers.values())
        if refused != self._refused or self._table.crowded:
            self._refused = refused
            now = boot_ns()
            self._table.sweep(self._alive(), now)
        note = json.dumps(self._accounts(), separators=(",", ":")).encode()
        if note != self._told:
            self._told = note
            self._sender.note(note)
            self._sender.flush()
        self._heap.tidy(boot_ns())

    def _accounts(self) -> dict[str, object]:
        counts = self._table.counts
        return {
            "rings": {
                name: {
                    "attempts": reader.attempts,
                    "refused": reader.refused,
                    "foreign": self._drains[name].foreign if name in self._drains else 0,
                }
                for name, reader in self._readers.items()
            },
            "dropped_texts": self._pipeline.dropped_texts,
            "processes": {
                name: getattr(counts, name)
                for name in ("adopted", "strangers", "swept", "forgotten")
            },
        }


def _reader(plan: RingPlan) -> RingReader:
    state = Map(Global(RingState, name=plan.name).spec(), plan.state)
    return RingReader(
        plan.ring, plan.size, state=state.memory(), records=RECORDS.get(plan.name, ())
    )


def _drain(reader: RingReader, plan: RingPlan) -> Drain:
    """By the function that the agent found, unless this package was changed since the agent began."""
    if plan.code >= 0:
        with suppress(OSError, ValueError):
            return Drain(reader, RECORDS[plan.name], native=Function(plan.code, plan.code_at))
    return Drain(reader, RECORDS[plan.name])


def main() -> None:
    """Run the drain of the plan on the standard input."""
    plan = Plan.from_json(sys.stdin.buffer.read())
    title.call("skep-drain", f"skep: drain ({plan.instance})")
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the agent, which ends the lifeline
        signal.signal(number, signal.SIG_IGN)
    priority.take(priority.DRAIN)
    privileges.drain()
    collect_rarely()
    DrainProcess(plan).run()


if __name__ == "__main__":
    main()
