"""The moving part of the agent: the drain is kept alive, what it sends is taken up, chores are done each second.

It is given programs that are attached already, and detaches nothing itself. It lives in the agent's
loop from `start` to `stop`, and knows neither clients nor sockets of theirs.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Protocol

from skep.agent import losses
from skep.agent.dropped import DropNames, DropSite
from skep.agent.formatters import formatters
from skep.agent.heap import Heap
from skep.agent.intake import Intake
from skep.agent.journal import Journal
from skep.agent.lines import Writer
from skep.agent.log import Log
from skep.agent.losses import Loss
from skep.agent.plan import Plan, RingPlan
from skep.agent.powers import Outcome
from skep.agent.programs import MapUse
from skep.agent.rings import ALL, RECORDS
from skep.agent.stall import KILLED_SECONDS, TOLD_SECONDS, RingCount, Stall
from skep.agent.store import Bounds
from skep.agent.supervise import Child, Supervisor
from skep.agent.usage import FIRST_SAMPLE, SAMPLE_EVERY, SAMPLE_SECONDS, Sampler
from skep.api.sink import notice
from skep.base.clock import Clock, boot_ns
from skep.base.config import Config
from skep.base.errors import SkepError
from skep.base.frozen import frozen
from skep.base.units import nanos_text
from skep.events.blocks import Receiver
from skep.flows.drops import SiteTotal
from skep.kernel import stats
from skep.kernel.objects import ProgramInfo
from skep.lang.programs import Program
from skep.model.container import Container
from skep.node.programs import tasks
from skep.node.runtimes.directory import Directory, clients

STORE_BYTES = 16 << 20
"""What recent events may take of the memory of all processes; the configuration bounds their number."""
REFS_OF_A_DRAIN = 1 << 40
COMMAND = (sys.executable, "-P", "-m", "skep.agent.drain_process")
"""Of a drain. Python takes no module from the working directory."""


class Kernel(Protocol):
    """What the agent has in the kernel: `programs.Programs`."""

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """What became of each power."""
        ...

    @property
    def rings(self) -> tuple[RingPlan, ...]:
        """The rings that a drain is to read."""
        ...

    def counts(self) -> Mapping[str, RingCount]:
        """How each ring stands."""

    def infos(self) -> list[ProgramInfo]:
        """What the kernel says of each program."""

    def maps(self) -> list[MapUse]:
        """The maps."""

    def drops(self) -> list[SiteTotal]:
        """Dropped packets by place and reason."""

    def link(self, program: Program) -> int:
        """The descriptor of a program's link, or -1."""

    def links(self) -> list[tuple[int, str]]:
        """Ids and names of all links."""


@frozen
class Allowed:
    """Blocks in which the process may do more than otherwise: start a drain, have the kernel count runs."""

    draining: Callable[[], AbstractContextManager[None]] = nullcontext
    counting: Callable[[], AbstractContextManager[None]] = stats.enabled


_AS_IT_IS = Allowed()


class Engine:
    """Everything between the rings and the journal. ``warnings`` are what it cannot do, for people.

    ``kinds`` are those of events that are told, as far as the kernel lets them be seen.
    """

    def __init__(
        self,
        programs: Kernel,
        settings: Config,
        kinds: frozenset[str],
        names: DropNames,
        clock: Clock | None = None,
        *,
        allowed: Allowed = _AS_IT_IS,
        log: Log | None = None,
    ) -> None:
        self.programs, self.settings, self._names = programs, settings, names
        self.kinds = kinds
        self._allowed, self.warnings, self.log = allowed, list[str](), log or Log()
        self.clock = clock or Clock()
        self.journal = Journal(bounds(settings), Writer(formatters(names)))
        self.receiver = Receiver(ALL)
        runtimes = clients(settings.runtimes)
        self._directory = Directory(runtimes, self._learn, self._unknown, clock=time.monotonic)
        self.intake = Intake(
            self.receiver,
            self.journal,
            kinds,
            offset=lambda: self.clock.offset,
            ask=self._directory.ask,
        )
        self.supervisor = Supervisor(
            self._start_drain,
            self._drain_ended,
            refused=self._drain_refused,
            renewed=self._drain_renewed,
            clock=time.monotonic,
        )
        self.sampler = Sampler(programs.infos, allowed.counting)
        self._told: dict[str, int] = {}
        self._renewed: Callable[[], None] = lambda: None
        self._heap = Heap()
        self._tasks: list[asyncio.Task[None]] = []
        self._watched = -1
        self._stall, self._stalled = Stall(time.monotonic), 0.0

    def start(
        self, failed: Callable[[BaseException], None], renewed: Callable[[], None] = lambda: None
    ) -> None:
        """Begin, in the running loop.

        ``failed`` is told of a part that ended by a fault: nothing replaces it. ``renewed`` of another drain.
        """
        self._renewed = renewed
        work = (self.supervisor.run(), self._directory.run(), self._each_second(), self._sample())
        self._tasks = [asyncio.ensure_future(one) for one in work]
        for task in self._tasks:
            task.add_done_callback(lambda done: _look(done, failed))

    async def stop(self) -> None:
        """End the drain after its last turn, take up what it sent, and end."""
        draining, *others = self._tasks
        await self.supervisor.stop(draining)
        self._take()
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self.sampler.end()
        self._unwatch()
        self.receiver.close()

    def unnamed(self) -> list[str]:
        """Runtimes that are there and give no names of their containers, for people."""
        found = sorted(self._directory.faults.items())
        return [
            f"no names of containers from {socket}: {why}"
            for socket, why in found
            if os.path.exists(socket)
        ]

    def hanging(self) -> list[str]:
        """That the drain hangs, where it does, for people."""
        child = self.supervisor.child
        if child is None or self._stalled < TOLD_SECONDS:
            return []
        return [f"the drain (pid {child.pid}) hangs: events wait, and it has taken none for 10 s"]

    def losses(self) -> list[Loss]:
        """By queue, from the kernel to the journal."""
        misses = sum(info.recursion_misses for info in self.programs.infos())
        return [
            *losses.rings(self.intake.accounts, self.programs.counts()),
            losses.recursion(misses, sum(self.journal.counts.values())),
            *losses.queues(self.receiver.losses()),
        ]

    def dropped(self) -> list[DropSite]:
        """Dropped packets by place and reason, the largest first."""
        return self._names.sites(self.programs.drops)

    def _start_drain(self, generation: int) -> Child:
        """Start one. What it inherits is closed here then; where it cannot be started, all that was opened for it."""
        with ExitStack() as undo, ExitStack() as theirs:
            lifeline, ours = os.pipe()
            undo.callback(os.close, ours)
            theirs.callback(os.close, lifeline)
            sender = self.receiver.connect()
            theirs.callback(os.close, sender)
            plan = Plan(
                self.programs.rings,
                self.receiver.memory,
                sender,
                lifeline,
                self.programs.link(tasks.processes),
                first_ref=1 + generation * REFS_OF_A_DRAIN,
                users=self.settings.users,
                processes=self.settings.processes,
                instance=self.settings.instance,
            )
            with self._allowed.draining():
                child = Child(COMMAND, plan.descriptors, ours, plan.to_json())
            undo.pop_all()
        self._look(child.pid)
        self._unwatch()
        self._watched = self.receiver.fileno()
        asyncio.get_running_loop().add_reader(self._watched, self._take)
        return child

    def _drain_ended(self, code: int) -> None:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        text = f"the drain ended ({how}); it is started again"
        self._stalled = 0.0
        self.log.warning(text)
        self.journal.tell(notice("drain restarted", reason=text))
        self.intake.renew()

    def _drain_refused(self, error: OSError) -> None:
        text = f"no drain can be started ({error.strerror}); it is tried again"
        self.log.warning(text)
        self.journal.tell(notice("no drain", reason=text))

    def _drain_renewed(self) -> None:
        try:
            self._renewed()
        except SkepError as error:
            self.log.warning(str(error))

    def _learn(self, container: Container) -> None:
        self.intake.definitions.learn(container)

    def _unknown(self, container: str) -> None:
        self.intake.definitions.unknown(container)

    def _unwatch(self) -> None:
        if self._watched >= 0:
            asyncio.get_running_loop().remove_reader(self._watched)
            self._watched = -1

    def _take(self) -> None:
        self.intake.take()
        if self.receiver.closed:
            self._unwatch()

    async def _each_second(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.chores()

    def chores(self) -> None:
        """What is to be done each second: the wall clock, what is too old, what was lost, memory that was freed."""
        step = self.clock.resample()
        if step is not None:
            text = f"the clock was set by {nanos_text(step.by)}"
            self.log.info(text)
            self.journal.tell(notice("clock was set", by_ns=step.by))
        now = boot_ns()
        self.journal.store.expire(now)
        self._tell_losses()
        self._watch_drain()
        self._heap.tidy(now)

    def _look(self, pid: int) -> float:
        """For how many seconds the drain of this pid has taken nothing of what waits. Texts wait for their exec."""
        counts = self.programs.counts().items()
        return self._stall.look(pid, [one for name, one in counts if name in RECORDS])

    def _watch_drain(self) -> None:
        """Tell of a drain that hangs, once, and let another take its place."""
        child, before = self.supervisor.child, self._stalled
        if child is None:
            return
        self._stalled = self._look(child.pid)
        if before < TOLD_SECONDS <= self._stalled:
            for text in self.hanging():
                self.log.warning(text)
                self.journal.tell(notice("drain hangs", reason=text))
        if self._stall.begun and self._stalled >= KILLED_SECONDS:
            child.kill()

    def _tell_losses(self) -> None:
        now = self.losses()
        for one in losses.since(now, self._told):
            text = f"lost in {one.queue}: {one.lost}, because {one.why}"
            self.log.warning(text)
            self.journal.tell(notice("lost", queue=one.queue, count=one.lost, why=one.why))
        self._told = {one.queue: one.lost for one in now}

    async def _sample(self) -> None:
        """Have the kernel count runs, now and then; where it may not, a warning says so."""
        pause = FIRST_SAMPLE
        try:
            while True:
                await asyncio.sleep(pause)
                self.sampler.begin()
                await asyncio.sleep(SAMPLE_SECONDS)
                self.sampler.end()
                pause = SAMPLE_EVERY
        except SkepError as error:
            self.warnings.append(f"no run times of programs: {error}")
            self.log.warning(self.warnings[-1])


def _look(done: asyncio.Task[None], failed: Callable[[BaseException], None]) -> None:
    error = None if done.cancelled() else done.exception()
    if error is not None:
        failed(error)


def bounds(settings: Config) -> Bounds:
    """What the store keeps."""
    return Bounds(STORE_BYTES, settings.store.events, settings.store.age)
