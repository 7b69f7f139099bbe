"""``FakeKernel``: all that a program run as plain Python finds around it, and leaves behind.

A test makes one, runs programs against it with ``program.py(..., kernel=kernel)``, and reads ``kernel[map]`` and
``kernel[ring]``. Two FakeKernels share nothing, though their programs capture the same declarations.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from skep.lang.declared.arena import Arena
from skep.lang.declared.nested import ArrayOfMaps, CgroupArray, ProgArray
from skep.lang.declared.queues import Bloom, Queue
from skep.lang.declared.redirects import Redirect, ReuseportArray, SockMap
from skep.lang.declared.storage import Storage
from skep.lang.declared.streams import PerfBuffer, UserRing
from skep.lang.helpers import HELPERS
from skep.lang.maps import Declaration, Global, Ring
from skep.lang.plain.arena import FakeArena
from skep.lang.plain.maps import FakeMap, FakeRing
from skep.lang.plain.memory import View, pointer, put, type_of
from skep.lang.plain.nested import FakeCgroups, FakeMapOfMaps, FakePrograms
from skep.lang.plain.numbers import Number
from skep.lang.plain.queues import FakeBloom, FakeQueue
from skep.lang.plain.redirects import FakeRedirects
from skep.lang.plain.storage import FakeStorage
from skep.lang.plain.streams import FakePerfBuffer, FakeUserRing
from skep.lang.plain.timers import Timers
from skep.lang.types import IntType, char

TASK_NAME = 16
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


class FakeKernel:
    """The current task, the clock ``now`` in ns, the CPU of ``cpus``, maps and rings, and fakes of helpers.

    ``helpers`` gives a function for a helper by its name, with the arguments that a program writes; it goes before the
    fakes that are here. ``objects`` are what ``kernel_struct`` finds at addresses. The clock stands still unless a
    test moves ``now``, or calls ``advance``; a test also sets ``task`` and ``cpu``.
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
    ) -> None:
        self.task, self.now, self.cpu, self.cpus = task or Task(), now, cpu, cpus
        self.helpers, self.objects = dict(helpers or {}), dict(objects or {})
        self.tail_calls = 0
        self.timers = Timers(lambda: self.now)
        self._maps: dict[int, Any] = {}
        self._rings: dict[int, FakeRing] = {}
        self._known: list[Declaration] = []

    def __getitem__(self, declared: Declaration) -> Any:
        """The fake of a declaration, made at first: a FakeRing, or a mapping (of a Global: with the key 0)."""
        self._known.append(declared)  # an id is only good while its object lives
        if isinstance(declared, Ring):
            return self._ring(declared)
        if id(declared) not in self._maps:
            made = next(
                (make for kind, make in MADE if isinstance(declared, kind)), FakeKernel.table
            )
            self._maps[id(declared)] = made(self, declared)
        return self._maps[id(declared)]

    def goes_on(self) -> bool:
        """Whether one more tail call is taken."""
        self.tail_calls += 1
        return self.tail_calls <= MOST_TAIL_CALLS

    def table(self, declared: Declaration) -> FakeMap:
        """A fake map with keys, with what it holds at first."""
        made = FakeMap(declared, self.cpus, lambda: self.cpu, self.timers)
        if isinstance(declared, Global) and declared.initial is not None:
            made[0] = declared.initial
        return made

    def _ring(self, declared: Ring) -> FakeRing:
        if id(declared) not in self._rings:
            stamps = {"boot_ns": lambda: self.now, "cpu": lambda: self.cpu}
            self._rings[id(declared)] = FakeRing(declared, self[declared.state].lookup(0), stamps)
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
        own, known = self.helpers.get(name), FAKES.get(name)
        if own is None and known is None:
            raise TypeError(
                f"plain Python has no {name}(); give one: FakeKernel(helpers={{{name!r}: lambda ...: ...}})"
            )
        result = own(*args) if own is not None else known(self, *args) if known is not None else 0
        kind = HELPERS[name].result
        return Number(kind, result or 0) if isinstance(kind, IntType) else result

    def seen(self, address: Any) -> Any:
        """What ``kernel_struct`` makes of an address; of an object, itself."""
        if not isinstance(address, int | Number):
            return address
        if int(address) not in self.objects:
            raise TypeError(
                f"plain Python has nothing at {int(address):#x}; give it: FakeKernel(objects={{...}})"
            )
        return self.objects[int(address)]

    def held(self) -> list[str]:
        """The records that are neither submitted nor discarded, by the names of their classes."""
        return [view.struct.__name__ for ring in self._rings.values() for view in ring.held]


def _name(kernel: FakeKernel, buffer: Any, *_size: int) -> int:
    put(char[TASK_NAME], buffer.memory, kernel.task.comm[: TASK_NAME - 1])
    return 0


def _output(_kernel: FakeKernel, ring: FakeRing, data: View, *size: int) -> int:
    return ring.output(data, size[0] if size else None)


MADE: tuple[tuple[Any, Callable[[FakeKernel, Any], Any]], ...] = (
    (Arena, lambda _, declared: FakeArena(declared)),
    (Queue, lambda _, declared: FakeQueue(declared)),
    (Bloom, lambda _, declared: FakeBloom(declared)),
    (ProgArray, lambda kernel, _: FakePrograms(kernel.goes_on)),
    (ArrayOfMaps, lambda kernel, declared: FakeMapOfMaps(declared, kernel.table)),
    (CgroupArray, lambda kernel, _: FakeCgroups(lambda: kernel.task)),
    (Storage, lambda _, declared: FakeStorage(declared)),
    (UserRing, lambda _, declared: FakeUserRing(declared)),
    (PerfBuffer, lambda _, declared: FakePerfBuffer(declared)),
    (Redirect | SockMap | ReuseportArray, lambda _, declared: FakeRedirects(declared)),
)
"""The fake of each kind of declaration; the others are tables."""

FAKES: dict[str, Callable[..., Any]] = {
    "ktime_get_ns": lambda kernel: kernel.now,
    "ktime_get_boot_ns": lambda kernel: kernel.now,
    "get_smp_processor_id": lambda kernel: kernel.cpu,
    "get_current_pid_tgid": lambda kernel: (
        kernel.task.pid << 32 | (kernel.task.tid or kernel.task.pid)
    ),
    "get_current_uid_gid": lambda kernel: kernel.task.gid << 32 | kernel.task.uid,
    "get_current_cgroup_id": lambda kernel: kernel.task.cgroup,
    "get_current_comm": _name,
    "get_prandom_u32": lambda _: 4,
    "ringbuf_output": _output,
}


class Packet:
    """A packet, as the context of an XDP, tc or cgroup_skb program: ``view`` over its bytes, and fields by name.

    Bytes given as a ``bytearray`` are changed in place.
    """

    def __init__(self, data: bytes | bytearray, **fields: Any) -> None:
        self.bytes = data if isinstance(data, bytearray) else bytearray(data)
        self.len = len(data)
        for name, value in fields.items():
            setattr(self, name, value)

    def __len__(self) -> int:
        """Its length in bytes."""
        return len(self.bytes)

    def view(self, kind: Any, offset: int = 0) -> View | None:
        """The bytes from ``offset`` on as ``kind``, or None where the packet is too short."""
        wanted, at = type_of(kind), int(offset)
        if at < 0 or at + wanted.size > len(self.bytes):
            return None
        return pointer(wanted, memoryview(self.bytes)[at : at + wanted.size])
