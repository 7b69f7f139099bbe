"""``FakeKernel``: all that a program run as plain Python finds around it, and leaves behind.

A test makes one, runs programs against it with ``program.py(..., kernel=kernel)``, and reads ``kernel[map]`` and
``kernel[ring]``. Two FakeKernels share nothing, though their programs capture the same declarations.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from skep.lang.declared.nested import ArrayOfMaps, CgroupArray, ProgArray
from skep.lang.declared.queues import Bloom, Queue
from skep.lang.declared.redirects import Redirect, ReuseportArray, SockMap
from skep.lang.declared.storage import AttachedStorage, Storage
from skep.lang.declared.streams import PerfBuffer, UserRing
from skep.lang.helpers import HELPERS
from skep.lang.maps import Declaration, Global, Ring
from skep.lang.plain.helpers import FAKES, UNFAKED, completed
from skep.lang.plain.maps import FakeMap, Inside
from skep.lang.plain.memory import Reference
from skep.lang.plain.nested import FakeCgroups, FakeMapOfMaps, FakePrograms
from skep.lang.plain.numbers import Number
from skep.lang.plain.queues import FakeBloom, FakeQueue
from skep.lang.plain.redirects import FakeRedirects
from skep.lang.plain.rings import FakeRing
from skep.lang.plain.storage import FakeAttached, FakeStorage
from skep.lang.plain.streams import FakePerfBuffer, FakeUserRing
from skep.lang.plain.timers import Timers
from skep.lang.plain.tries import FakeTrie
from skep.lang.plain.variables import FakeVariables
from skep.lang.plain.variables import inside as variables
from skep.lang.spec import MapType, ProgramKind
from skep.lang.types import IntType

MOST_TAIL_CALLS = 33


@dataclass(slots=True)
class Task:
    """Who runs the program: ``pid`` is what the kernel calls tgid, ``tid`` what it calls pid (0: the same)."""

    pid: int = 1
    tid: int = 0
    uid: int = 0
    gid: int = 0
    comm: str = "task"
    cgroup: int = 1


def no_fake(name: str) -> str:
    """Why a helper, or a function of the kernel, cannot be called here, and what to do."""
    why = f": {UNFAKED[name]}" if name in UNFAKED else ""
    hint = f"give one: FakeKernel(helpers={{{name!r}: lambda ...: ...}})"
    return f"plain Python has no {name}(){why}; {hint}"


class FakeKernel:
    """The current task, the clock ``now`` in ns, the CPU of ``cpus``, maps and rings, and fakes of helpers.

    ``helpers`` gives a function for a helper by its name, with the arguments that a program writes; it goes before the
    fakes that are here. ``objects`` are what stands at addresses: an object with fields, bytes, text. ``symbols`` are
    variables of the kernel by name: a list, of each CPU, or an address; None: there is none. ``current`` is
    the task_struct of ``task``, where a program asks for it. The clock stands still unless a test moves ``now``, or
    calls ``advance``; a test also sets ``task``, ``cpu``, ``cookie`` (that of the attachment) and ``mappings``, of
    tasks' memory, each with ``vm_start`` and ``vm_end``.

    What runs leave beside maps: ``sent``, the devices that packets were redirected to; ``signals``; ``retval``, the
    result that a program gave to the call; ``written``, what an iterator wrote.
    """

    def __init__(
        self,
        *,
        task: Task | None = None,
        now: int = 0,
        cpu: int = 0,
        cpus: int = 2,
        helpers: Mapping[str, Callable[..., Any]] | None = None,
        objects: Mapping[int, Any] | None = None,
        symbols: Mapping[str, Any] | None = None,
    ) -> None:
        self.task, self.now, self.cpu, self.cpus = task or Task(), now, cpu, cpus
        self.helpers, self.objects = dict(helpers or {}), dict(objects or {})
        self.symbols = dict(symbols or {})
        self.cookie = self.retval = 0
        self.mappings: list[Any] = []
        self.sent: list[int] = []
        self.signals: list[int] = []
        self.written = bytearray()
        self.context: Any = None
        self.family = ""
        self.tail_calls = 0
        self.timers = Timers(lambda: self.now, lambda: (self.cpu, self.cpus))
        self._maps: dict[int, Any] = {}
        self._rings: dict[int, FakeRing] = {}
        self._known: list[Declaration] = []

    def __getitem__(self, declared: Declaration) -> Any:
        """The fake of a declaration, made at first: used as ``live[declared]`` is; a ring has ``events`` too."""
        if isinstance(declared, Ring):
            return self._ring(declared)
        if id(declared) not in self._maps:
            self._known.append(declared)  # an id is only good while its object lives
            made = next(
                (make for kind, make in MADE if isinstance(declared, kind)), FakeKernel.table
            )
            self._maps[id(declared)] = made(self, declared)
        return self._maps[id(declared)]

    def goes_on(self) -> bool:
        """Whether one more tail call is taken."""
        self.tail_calls += 1
        return self.tail_calls <= MOST_TAIL_CALLS

    @property
    def task(self) -> Task:
        """Who runs the program."""
        return self._task

    @task.setter
    def task(self, task: Task) -> None:
        self._task = task
        self.current: Any = SimpleNamespace(pid=task.tid or task.pid, tgid=task.pid, comm=task.comm)

    def begin(self, kind: ProgramKind, context: Any) -> None:
        """A program of a kind begins to run in a context."""
        self.family, self.context, self.tail_calls = kind.family, context, 0

    def inside(self, declared: Declaration) -> Any:
        """The fake of a declaration as a program sees it."""
        found = self[declared]
        if isinstance(found, FakeVariables):
            return variables(found)
        return found.inside if isinstance(found, FakeMap) else found

    def table(self, declared: Declaration) -> FakeMap:
        """A fake map with keys."""
        made = FakeTrie if declared.type is MapType.LPM_TRIE else FakeMap
        return made(declared, self.cpus, lambda: self.cpu, self.timers)

    def attached(self, declared: AttachedStorage) -> FakeAttached:
        """A fake map of values by cgroup to which programs are attached: to that of the task."""
        return FakeAttached(
            declared, self.cpus, lambda: self.cpu, self.timers, lambda: self.task.cgroup
        )

    def _ring(self, declared: Ring) -> FakeRing:
        if id(declared) not in self._rings:
            self._known.append(declared)
            stamps = {"boot_ns": lambda: self.now, "cpu": lambda: self.cpu}
            self._rings[id(declared)] = FakeRing(declared, self.inside(declared.state), stamps)
        return self._rings[id(declared)]

    def advance(self, nanoseconds: int) -> None:
        """Let time pass: timers that are due run in order, each at its time."""
        until = self.now + nanoseconds
        while (pending := self.timers.due(until)) is not None:
            self.now = max(self.now, pending.at)
            self.timers.run(pending)
        self.now = until

    def call(self, name: str, *args: Any) -> Any:
        """What a helper gives, as a number of its type. TypeError where there is no fake of it."""
        row, own, known = HELPERS[name], self.helpers.get(name), FAKES.get(name)
        if own is not None:
            result = own(*(one.table if isinstance(one, Inside) else one for one in args))
        elif known is not None:
            result = known(self, *completed(row, args))
        else:
            raise TypeError(no_fake(name))
        return Number(row.result, result or 0) if isinstance(row.result, IntType) else result

    def seen(self, address: Any) -> Any:
        """What ``kernel_struct`` makes of an address; of an object, itself."""
        if isinstance(address, Reference):
            address = address.value
        if not isinstance(address, int | Number):
            return address
        if int(address) not in self.objects:
            raise TypeError(
                f"plain Python has nothing at {int(address):#x}; give it: FakeKernel(objects={{...}})"
            )
        return self.objects[int(address)]

    def symbol(self, name: str) -> Any:
        """What the kernel has under a name. TypeError where the test does not say."""
        if name not in self.symbols:
            raise TypeError(
                f"plain Python has no {name}; give it: FakeKernel(symbols={{{name!r}: ...}})"
            )
        return self.symbols[name]

    def held(self) -> list[str]:
        """The records that are neither submitted nor discarded, by the names of their classes."""
        return [view.struct.__name__ for ring in self._rings.values() for view in ring.held]


MADE: tuple[tuple[Any, Callable[[FakeKernel, Any], Any]], ...] = (
    (Global, lambda _, declared: FakeVariables(declared)),
    (Queue, lambda _, declared: FakeQueue(declared)),
    (Bloom, lambda _, declared: FakeBloom(declared)),
    (ProgArray, lambda kernel, _: FakePrograms(kernel.goes_on)),
    (ArrayOfMaps, lambda kernel, declared: FakeMapOfMaps(declared, kernel.table)),
    (CgroupArray, lambda kernel, _: FakeCgroups(lambda: kernel.task)),
    (Storage, lambda _, declared: FakeStorage(declared)),
    (AttachedStorage, lambda kernel, declared: kernel.attached(declared)),
    (UserRing, lambda _, declared: FakeUserRing(declared)),
    (PerfBuffer, lambda _, declared: FakePerfBuffer(declared)),
    (Redirect | SockMap | ReuseportArray, lambda _, declared: FakeRedirects(declared)),
)
"""The fake of each kind of declaration; the others are tables."""
