"""What the agent costs: CPU and memory of its processes, and the time that its programs take.

The kernel counts runs only while asked to, at some 20 ns for each run of every program of the machine:
so runs are sampled, for a second now and then. Losses by recursion are counted always.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress

from skep.agent import processes
from skep.base.frozen import frozen
from skep.kernel import privileges, stats
from skep.kernel.objects import ProgramInfo

FIRST_SAMPLE, SAMPLE_SECONDS, SAMPLE_EVERY = 0.5, 1.0, 9.0


@frozen
class ProcessUse:
    """A process of the agent: CPU since its start, memory, and pages of rings that it has mapped.

    ``effective`` and ``permitted`` name its capabilities, those in force and those that it may bring into force.
    """

    name: str
    pid: int
    cpu_seconds: float
    pss_bytes: int
    ring_bytes: int
    effective: tuple[str, ...]
    permitted: tuple[str, ...]
    no_new_privileges: bool


@frozen
class ProgramUse:
    """A program: ``runs`` and ``ns`` while it was sampled, ``misses`` by recursion since the start."""

    id: int
    name: str
    runs: int
    ns: int
    misses: int


def of_processes(named: Sequence[tuple[str, int]]) -> Iterator[ProcessUse]:
    """The use of each (name, pid) that still lives."""
    for name, pid in named:
        with suppress(processes.Gone, FileNotFoundError, ProcessLookupError):
            used, held = processes.usage(pid), privileges.held(pid)
            yield ProcessUse(
                name,
                pid,
                used.cpu_seconds,
                used.pss_bytes,
                used.ring_bytes,
                effective=privileges.names(held.effective),
                permitted=privileges.names(held.permitted),
                no_new_privileges=held.no_new_privileges,
            )


class Sampler:
    """Samples the runs of programs; ``infos`` is what the kernel says of them. `end` ends a sample."""

    def __init__(
        self,
        infos: Callable[[], Sequence[ProgramInfo]],
        counting: Callable[[], AbstractContextManager[None]] = stats.enabled,
    ) -> None:
        self._infos, self._counting = infos, counting
        self._open = ExitStack()
        self._before: Sequence[ProgramInfo] = ()
        self._sums: dict[int, tuple[int, int]] = {}

    def begin(self) -> None:
        """Have the kernel count."""
        with ExitStack() as stack:
            stack.enter_context(self._counting())
            self._before = self._infos()
            self._open = stack.pop_all()

    def end(self) -> None:
        """Take up what was counted since `begin`; the kernel counts no more."""
        with self._open:
            before, self._before = self._before, ()
            for runs in stats.between(before, self._infos()) if before else ():
                count, time = self._sums.get(runs.id, (0, 0))
                self._sums[runs.id] = (count + runs.run_cnt, time + runs.run_time_ns)

    def programs(self) -> list[ProgramUse]:
        """What is known now."""
        return [
            ProgramUse(one.id, one.name, *self._sums.get(one.id, (0, 0)), one.recursion_misses)
            for one in self._infos()
        ]
