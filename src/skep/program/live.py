"""Live programs: what ``skep.load`` gives. Leaving the ``with`` block detaches everything and frees the maps."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, overload

from skep.base.errors import BadInput
from skep.base.lazy import lazy
from skep.kernel import links, maps, programs
from skep.kernel.classes import class_of
from skep.kernel.handle import Handle
from skep.kernel.hooks import hookable
from skep.kernel.pins import Pins
from skep.kernel.place import HasFileno, Place
from skep.lang.finish import Compiled
from skep.lang.maps import Declaration, Global, Ring
from skep.lang.programs import Program
from skep.lang.spec import Hook, MapSpec
from skep.lang.struct import Struct
from skep.lang.struct_ops import StructOps
from skep.program.linked_types import LinkedTypes
from skep.program.live_maps import Face, Initial, LiveMaps
from skep.program.live_ring import LiveRing, LiveVariableRing
from skep.program.machine import Machine

if TYPE_CHECKING:
    from skep.events.drain import Drain
    from skep.kernel.dispatch.chain import ChainLink
    from skep.kernel.dispatch.owner import Dispatcher
    from skep.kernel.nested import MapOfMaps
    from skep.kernel.queues import Bloom, Queue
    from skep.kernel.storages import Storage
    from skep.kernel.user_rings import UserRing
    from skep.kernel.variables import LiveGlobal, Variables
    from skep.lang.declared import nested, streams
    from skep.lang.declared import queues as declared_queues
    from skep.lang.declared import storage as declared_storage
    from skep.lang.declared.arena import Arena
    from skep.program.live_perf import LivePerfBuffer
    from skep.program.live_programs import LivePrograms
    from skep.program.names import LiveNames
    from skep.program.results import Contents, Input, Result

names = lazy("skep.program.names")  # only what is shown needs it
shown = lazy("skep.events.shown")  # only what is shown needs it
dispatched = lazy("skep.program.dispatched")  # only programs that share a hook need it
scattering = lazy("skep.program.scattering")  # only batches of columns need it
results = lazy("skep.program.results")  # only runs on given input need it
struct_ops = lazy("skep.kernel.struct_ops")  # few programs need it
prints = lazy("skep.program.prints")  # only tracing needs it


class Live:
    """Loaded programs, their maps and links. ``live[ring]`` is iterated, ``live[map]`` is used like a dict."""

    def __init__(
        self,
        machine: Machine,
        pins: Pins | None = None,
        initial: Initial | None = None,
        dispatcher: "Dispatcher | None" = None,
    ) -> None:
        self.machine, self._dispatcher = machine, dispatcher
        self._stack = ExitStack()
        self._maps = LiveMaps(self._loaded, pins, initial)
        self._types = LinkedTypes()
        self._stack.callback(self._maps.close)
        self._stack.callback(self._types.close)
        self.programs: dict[str, programs.Program] = {}
        self.links: dict[str, list[links.AnyLink | ChainLink]] = {}
        self._made: dict[str, Compiled] = {}
        self._names: dict[int, str] = {}

    # --- making ---------------------------------------------------------------------------------------------------

    def add(self, program: Program, made: Compiled) -> programs.Program:
        """Create the maps that are missing and load one program. VerifierError, Unsupported, Forbidden.

        A second program of one name (a function on two hooks) is ``programs["name.1"]``. BadInput where it has lists or
        trees in maps that are here already, and more than these know: to the kernel, their types never change.
        """
        made = self._types.tell(program.name, made)
        loaded = self._load(program, made)
        same = sum(name.partition(".")[0] == program.name for name in self.programs)
        name = f"{program.name}.{same}" if same else program.name
        self.programs[name] = loaded
        self._names[id(program)] = name
        self._made[name] = made
        return loaded

    def share(self, made: Sequence[Compiled]) -> list[Compiled]:
        """The same programs, to be loaded after one call of this: their lists and trees have types in common."""
        return self._types.share(made)

    def _load(self, program: Program, made: Compiled) -> programs.Program:
        held = []
        for index, (declared, spec) in enumerate(zip(made.maps, made.spec.maps, strict=True)):
            own = index == made.spec.next
            held.append(self._create(spec) if own else self._map(made, declared, spec))
        onto = self._loaded(program.onto) if program.onto else None
        loaded = programs.Program.load(
            hookable(made.spec),
            held,
            self.machine.btf,
            onto=onto,
            types=self._types.of(made.spec),
        )
        self._stack.callback(loaded.close)
        return loaded

    def _map(self, made: Compiled, declared: Declaration, spec: MapSpec) -> Handle:
        return self._maps.make(declared, spec, self._types.layout(made.spec, declared, spec))

    def _create(self, spec: MapSpec) -> Handle:
        live: Handle = class_of(spec.type).create(spec)
        self._stack.callback(live.close)
        return live

    def check_initial(self) -> None:
        """Refuse first values of Globals that no program uses. BadInput."""
        self._maps.unused()

    @property
    def prints(self) -> tuple[str, ...]:
        """The formats of the lines that the programs print, as ``kernel.printed.Printed`` takes them."""
        return tuple(dict.fromkeys(one for made in self._made.values() for one in made.spec.prints))

    def trace(self) -> None:
        """Show what the programs print on the error output. Unsupported where the kernel gives no trace of its own."""
        self._stack.callback(prints.Shown(self.prints).close)

    def map(self, declared: Declaration, spec: MapSpec) -> Handle:
        """The live map of a declaration, made at first."""
        return self._maps.make(declared, spec)

    def attach(
        self,
        program: Program,
        target: str | int | Declaration | HasFileno = "",
        *,
        netns: str = "",
        before: "links.AnyLink | ChainLink | bool" = False,
        mode: str = "",
        pid: int = -1,
        cookie: int = 0,
    ) -> "links.AnyLink | ChainLink":
        """Attach a loaded program; closing the link, or this object, detaches it.

        ``target`` is where: a device (name or index) for XDP and tc, a cgroup's directory for its programs, a socket
        (or its descriptor), the declaration of a map of sockets or of the map that an iterator goes over, a place in
        a binary ("libc:malloc"), a route ("10.9.0.0/24 dev veth0") for lwt; ``netns`` the file of the namespace that
        it lies in. ``before`` is the link of a tc or netkit program that is to run after this one, or True for the
        first place; without it, it is the last. ``mode`` of XDP is "native", "generic" or the better one, of tc
        "clsact" or the better one, of an iterator over cgroups "self", "down", "down_after" or "up". ``pid`` narrows
        sampling, probes of binaries and iterators over tasks to a process. ``cookie`` is what ``get_attach_cookie()``
        gives there. A program that shares a hook (``@xdp(order=...)``, ``@syscall``) is put there by the dispatcher.
        BadInput where the program was not loaded here; Conflict where the place is taken.
        """
        where = self[target].fd if isinstance(target, Declaration) else target
        if not isinstance(where, str | int):
            where = where.fileno()
        loaded = self._loaded(program)
        link: links.AnyLink | ChainLink
        if program.chain is not None or program.kind.hook is Hook.SYSCALL:
            place = Place(where, netns, mode=mode)
            free = self._free(program, loaded)
            link = dispatched.attach(free, place, self.dispatcher, self.machine)
        else:
            link = links.attach(
                *(loaded, where), netns=netns, before=before, mode=mode, pid=pid, cookie=cookie
            )
        self._stack.callback(link.close)
        self.links.setdefault(self._names[id(program)], []).append(link)
        return link

    @property
    def dispatcher(self) -> "Dispatcher":
        """The owner of the hooks that programs share; its own, where none was given."""
        if self._dispatcher is None:
            self._dispatcher = dispatched.Dispatcher()
        return self._dispatcher

    def _free(self, program: Program, loaded: programs.Program) -> programs.Program:
        """The loaded program; another one of the same code where it is in a chain, for it goes on to one program."""
        name = self._names[id(program)]
        made = self._made[name]
        used = made.spec.next is not None and any(one.fd >= 0 for one in self.links.get(name, ()))
        return self._load(program, made) if used else loaded

    def register(self, ops: StructOps) -> links.AnyLink:
        """Register a function table whose programs were loaded; closing the link, or this object, takes it back."""
        members = {
            name: self._loaded(value) if isinstance(value, Program) else value
            for name, value in ops.members.items()
        }
        link: links.AnyLink = struct_ops.register(ops.ops, members, self.machine.btf)
        self._stack.callback(link.close)
        self.links.setdefault(ops.ops, []).append(link)
        return link

    def unpin(self, declared: Declaration) -> bool:
        """Take the pin of a map away, so that it ends with its last program and holder; whether there was one."""
        return self._maps.unpin(declared)

    def _loaded(self, program: Program) -> programs.Program:
        """The loaded form of a program. BadInput where it was not loaded here."""
        name = self._names.get(id(program))
        if name is None:
            raise BadInput(
                program.name, "this program was not loaded here", "pass it to skep.load(...)"
            )
        return self.programs[name]

    # --- using ----------------------------------------------------------------------------------------------------

    @overload
    def __getitem__(self, declared: "streams.VariableRing") -> LiveVariableRing: ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: Ring) -> LiveRing: ...  # type: ignore[overload-overlap]  # a ring is no dict
    @overload
    def __getitem__(self, declared: "Arena") -> "Variables": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: Global) -> "LiveGlobal": ...  # type: ignore[overload-overlap]  # nor are these
    @overload
    def __getitem__(self, declared: "declared_queues.Queue") -> "Queue": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "declared_queues.Bloom") -> "Bloom": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "nested.ProgArray") -> "LivePrograms": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "declared_storage.Storage") -> "Storage": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "streams.PerfBuffer") -> "LivePerfBuffer": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "streams.UserRing") -> "UserRing": ...  # type: ignore[overload-overlap]
    @overload
    def __getitem__(self, declared: "nested.ArrayOfMaps") -> "MapOfMaps": ...
    @overload
    def __getitem__(self, declared: Declaration) -> maps.Map: ...
    def __getitem__(self, declared: Declaration) -> Face:
        """The live ring or map of a declaration. KeyError where no loaded program uses it."""
        return self._maps.face(declared)

    def drain(self, ring: Ring) -> "Drain":
        """Batches of columns of what a ring carries: ``for batch in live.drain(ring).batches(): ...`` is one pass.

        They come in a function in the machine's own code, which is compiled once and kept; where there can be none, by
        numpy. One that drains a ring does not iterate over it. TypeError where its records have tails.
        """
        made: Drain = scattering.drain(self[ring].reader, ring.records, self.machine)
        return made

    def name(self, program: Program) -> str:
        """The key of a loaded program in ``programs`` and ``links``: of its last load, where there were several."""
        return self._names[id(program)]

    def shown(self, value: Struct) -> dict[str, Any]:
        """What ``skep.shown`` says of a record, or of a key or value of a map; with names of this kernel."""
        fields: dict[str, Any] = shown.shown(value, self.names)
        return fields

    @cached_property
    def names(self) -> "LiveNames":
        """The names of stacks in these maps, and of numbers of this kernel."""
        made: LiveNames = names.LiveNames(self.__getitem__, self.machine.btf.enum)
        return made

    def run(
        self,
        program: Program,
        given: "Input",
        *,
        context: bytes = b"",
        maps: "Contents | None" = None,
    ) -> "Result":
        """Run a loaded program once on ``given``, as ``skep.run`` does; its maps stay as they are for the next run.

        ``maps`` is what some of them get before. BadInput where the program was not loaded here.
        """
        self._loaded(program)
        made: Result = results.run(self, program, given, context, maps or {})
        return made

    def read(self, program: Program) -> bytes:
        """What an iterator program writes in one run over its objects."""
        link = next(iter(self.links.get(self._names.get(id(program), ""), ())), None)
        if program.kind.hook is not Hook.ITERATOR or not isinstance(link, links.Link):
            expected = "declare it with @skep.iterator, and attach it"
            raise BadInput(program.name, "only an iterator can be read", expected)
        return link.read()

    @property
    def maps(self) -> Iterable[Handle]:
        """All live maps."""
        return self._maps

    def close(self) -> None:
        """Detach and free everything."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
