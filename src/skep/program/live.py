"""Live programs: what ``skep.load`` gives. Leaving the ``with`` block detaches everything and frees the maps."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self, overload

from skep.base.errors import BadInput
from skep.base.lazy import lazy
from skep.kernel import hooks, links, maps, programs
from skep.kernel.rings import RingReader
from skep.lang.finish import Compiled
from skep.lang.maps import Declaration, Ring
from skep.lang.programs import Program
from skep.lang.spec import Hook, MapSpec
from skep.lang.struct import Struct
from skep.program.machine import Machine
from skep.program.objects import compiled
from skep.program.plainly import plainly

if TYPE_CHECKING:
    from skep.kernel.dispatch.chain import ChainLink
    from skep.kernel.dispatch.owner import Dispatcher

dispatched = lazy("skep.program.dispatched")  # only programs that share a hook need it

BY_ITSELF = frozenset(
    {Hook.RAW_TRACEPOINT, Hook.TRACEPOINT, Hook.PERF_EVENT, Hook.ITERATOR, Hook.SYSCALL}
)
FOREVER = 3600.0


class LiveRing:
    """A ring's events: iterate over it. ``lost`` counts those that found no room."""

    def __init__(self, ring: Ring, reader: RingReader) -> None:
        self.ring, self.reader = ring, reader
        self._kinds = {getattr(record, "kind_number", 0): record for record in ring.records}

    def __iter__(self) -> Iterator[Struct]:
        """Events as they come, as records; waits for the next one and never ends by itself."""
        while True:
            yield from self.poll()
            self.reader.wait(FOREVER)

    def poll(self, seconds: float = 0.0) -> Iterator[Struct]:
        """The events that are there, after waiting at most ``seconds`` for the first."""
        if seconds:
            self.reader.wait(seconds)
        for view in self.reader.read_records():
            yield self.record(view)

    def record(self, view: memoryview) -> Struct:
        """The record in ``view``, of the class that its header names."""
        kinds = self._kinds
        kind = int.from_bytes(view[18:20], "little") if len(kinds) > 1 else next(iter(kinds))
        found: Struct = kinds[kind].from_bytes(view)
        return found

    @property
    def attempts(self) -> int:
        """Records that programs tried to reserve."""
        return self.reader.attempts

    @property
    def lost(self) -> int:
        """Records that found no room."""
        return self.reader.refused


class Live:
    """Loaded programs, their maps and links. ``live[ring]`` is iterated, ``live[map]`` is used like a dict."""

    def __init__(self, machine: Machine, dispatcher: "Dispatcher | None" = None) -> None:
        self._machine, self._dispatcher = machine, dispatcher
        self._stack = ExitStack()
        self._maps: dict[int, maps.Map] = {}
        self._rings: dict[int, LiveRing] = {}
        self.programs: dict[str, programs.Program] = {}
        self.links: dict[str, list[links.AnyLink | ChainLink]] = {}
        self._names: dict[int, str] = {}
        self._made: dict[str, Compiled] = {}

    # --- making ---------------------------------------------------------------------------------------------------

    def add(self, program: Program, made: Compiled) -> programs.Program:
        """Create the maps that are missing and load one program. VerifierError, Unsupported, Forbidden.

        A second program of one name (a function on two hooks) is ``programs["name.1"]``.
        """
        loaded = self._load(made)
        same = sum(name.partition(".")[0] == program.name for name in self.programs)
        name = f"{program.name}.{same}" if same else program.name
        self.programs[name] = loaded
        self._names[id(program)] = name
        self._made[name] = made
        return loaded

    def _load(self, made: Compiled) -> programs.Program:
        held = []
        for index, (declared, spec) in enumerate(zip(made.maps, made.spec.maps, strict=True)):
            own = index == made.spec.next
            held.append(self._create(spec) if own else self.map(declared, spec))
        loaded = programs.Program.load(made.spec, held, self._machine.btf)
        self._stack.callback(loaded.close)
        return loaded

    def _create(self, spec: MapSpec) -> maps.Map:
        live = maps.Map.create(spec)
        self._stack.callback(live.close)
        return live

    def map(self, declared: Declaration, spec: MapSpec) -> maps.Map:
        """The live map of a declaration, made at first."""
        if id(declared) not in self._maps:
            self._maps[id(declared)] = self._create(spec)
        return self._maps[id(declared)]

    def attach(
        self,
        program: Program,
        target: str | int = "",
        *,
        netns: str = "",
        mode: str = "",
        pid: int = -1,
    ) -> "links.AnyLink | ChainLink":
        """Attach a loaded program; closing the link, or this object, detaches it.

        ``target`` is a device (name or index; ``netns`` a namespace's file) for XDP and tc, a cgroup's directory for
        cgroup programs; ``mode`` of XDP is "native", "generic" or the better one; ``pid`` narrows sampling to a
        process. A program that shares a hook (``@xdp(order=...)``, ``@syscall``) is put there by the dispatcher.
        BadInput where the program was not loaded here; Conflict where the place is taken.
        """
        name = self._names.get(id(program))
        if name is None:
            raise BadInput(
                program.name, "this program was not loaded here", "pass it to skep.load(...)"
            )
        link: links.AnyLink | ChainLink
        if program.chain is not None or program.kind.hook is Hook.SYSCALL:
            place = hooks.Place(target, netns, mode=mode)
            link = dispatched.attach(self._free(name), place, self.dispatcher, self._machine)
        else:
            link = links.attach(self.programs[name], target, netns=netns, mode=mode, pid=pid)
        self._stack.callback(link.close)
        self.links.setdefault(name, []).append(link)
        return link

    @property
    def dispatcher(self) -> "Dispatcher":
        """The owner of the hooks that programs share; its own, where none was given."""
        if self._dispatcher is None:
            self._dispatcher = dispatched.Dispatcher()
        return self._dispatcher

    def _free(self, name: str) -> programs.Program:
        """The loaded program; another one of the same code where it is in a chain, for it goes on to one program."""
        made = self._made[name]
        used = made.spec.next is not None and any(one.fd >= 0 for one in self.links.get(name, ()))
        return self._load(made) if used else self.programs[name]

    # --- using ----------------------------------------------------------------------------------------------------

    @overload
    def __getitem__(self, declared: Ring) -> LiveRing: ...  # type: ignore[overload-overlap]  # a ring is no dict
    @overload
    def __getitem__(self, declared: Declaration) -> maps.Map: ...
    def __getitem__(self, declared: Declaration) -> LiveRing | maps.Map:
        """The live ring or map of a declaration. KeyError where no loaded program uses it."""
        if id(declared) not in self._maps:
            raise KeyError(f"no program that was loaded here uses this {type(declared).__name__}")
        if not isinstance(declared, Ring):
            return self._maps[id(declared)]
        if id(declared) not in self._rings:
            state = self._maps[id(declared.state)]
            reader = RingReader.of(self._maps[id(declared)], state, declared.records)
            self._stack.callback(reader.close)
            self._rings[id(declared)] = LiveRing(declared, reader)
        return self._rings[id(declared)]

    def name(self, program: Program) -> str:
        """The key of a loaded program in ``programs`` and ``links``: of its last load, where there were several."""
        return self._names[id(program)]

    def read(self, program: Program) -> bytes:
        """What an iterator program writes in one run over its objects."""
        link = next(iter(self.links.get(self._names.get(id(program), ""), ())), None)
        if program.kind.hook is not Hook.ITERATOR or not isinstance(link, links.Link):
            raise BadInput(program.name, "only an iterator program can be read")
        return link.read()

    @property
    def maps(self) -> Iterable[maps.Map]:
        """All live maps."""
        return self._maps.values()

    def close(self) -> None:
        """Detach and free everything."""
        self._stack.close()
        self._maps, self._rings = {}, {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@plainly
def load(
    *wanted: Program,
    machine: Machine | None = None,
    attach: bool = True,
    dispatcher: "Dispatcher | None" = None,
) -> Live:
    """Compile, load and attach programs: ``with skep.load(on_exec) as live: for event in live[ring]: ...``.

    Programs whose place only the caller knows (XDP, tc, cgroup) are loaded; ``live.attach`` attaches them. Loads that
    are given one ``dispatcher`` share devices and the hook of all system calls.
    CompileError at what is outside the language, VerifierError where the kernel refuses, Unsupported where it lacks
    something, Forbidden without the privilege. When it raises, nothing is left behind.
    """
    if not wanted or not all(isinstance(program, Program) for program in wanted):
        raise TypeError(
            "skep.load takes programs: functions decorated with skep.tp_btf, skep.xdp, ..."
        )
    host = machine or Machine()
    live = Live(host, dispatcher)
    shared = any(program.kind.hook is Hook.SYSCALL for program in wanted)
    chosen = dispatched.forms(wanted, live.dispatcher, host) if shared else wanted
    made = compiled(chosen, host)
    for refusal in host.refusals:
        warnings.warn(f"{refusal}; programs are compiled anew", RuntimeWarning, stacklevel=3)
    try:
        for program, one in zip(wanted, made, strict=True):
            live.add(program, one)
        for program in wanted:
            if attach and program.kind.hook in BY_ITSELF:
                live.attach(program)
    except BaseException:
        live.close()
        raise
    return live
